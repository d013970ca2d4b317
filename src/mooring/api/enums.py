# SPDX-License-Identifier: Apache-2.0
"""The closed sets of words that fields take. Each word is what stands in YAML."""

from __future__ import annotations

from enum import StrEnum


class Environment(StrEnum):
    """Whether an instance is the real one."""

    PRODUCTION = "Production"
    STAGING = "Staging"


class FilestoreMethod(StrEnum):
    """How a filestore is brought over."""

    AUTO = "auto"
    SNAPSHOT = "snapshot"
    COPY = "copy"
    SKIP = "skip"


class SslMode(StrEnum):
    """libpq's sslmode, from PostgreSQL's documentation."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class AccessMode(StrEnum):
    """Who may mount a volume at once, by Kubernetes' words."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_MANY = "ReadWriteMany"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"


class ServiceType(StrEnum):
    """How Kubernetes publishes a service."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"


class UpgradeModules(StrEnum):
    """Which modules an automatic upgrade updates."""

    CHANGED = "changed"
    ALL = "all"


class Template(StrEnum):
    """Whether a new database may be copied from a prepared one."""

    AUTO = "auto"
    NEVER = "never"


class Approval(StrEnum):
    """Whether a person must agree before an upgrade or migration starts."""

    NONE = "none"
    REQUIRED = "required"


class DeletionPolicy(StrEnum):
    """What happens to the data when the instance is deleted."""

    RETAIN = "Retain"
    SNAPSHOT = "Snapshot"
    DELETE = "Delete"


class BackupFormat(StrEnum):
    """What a backup is written as."""

    SNAPSHOT = "snapshot"
    ZIP = "zip"
    DUMP = "dump"


class RestoreMode(StrEnum):
    """Whether restored data keeps its identity."""

    MOVE = "move"
    COPY = "copy"


class ShareBlobs(StrEnum):
    """Between whom a repository stores one file only once."""

    NONE = "none"
    NAMESPACE = "namespace"
    ALL = "all"


class OperationType(StrEnum):
    """What a person asks for with an OdooOperation."""

    STOP = "Stop"
    START = "Start"
    RESTART = "Restart"
    ROLLBACK = "Rollback"
    PROMOTE = "Promote"
    RELEASE_HOLD = "ReleaseHold"
    MIGRATE = "Migrate"
    VERIFY = "Verify"
    NEUTRALIZE = "Neutralize"
    DEPLOY = "Deploy"


class MaintenanceTime(StrEnum):
    """When an operation may start."""

    NOW = "now"
    WINDOW = "window"


class Phase(StrEnum):
    """How far an operation is."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SUPERSEDED = "Superseded"
