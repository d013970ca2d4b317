# SPDX-License-Identifier: Apache-2.0
"""What Mooring writes back: the status of instances, servers, repositories and operations.

The same on every target. Users read it and never write it. `control` builds these values and stores their dump; on
Kubernetes they are the `status` of the custom resources. Readiness follows kstatus: `Reconciling` while Mooring works
towards the spec, `Stalled` when it cannot go on by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from mooring.api.base import Model, described
from mooring.api.enums import Phase
from mooring.api.meta import JsonObject
from mooring.api.times import Timestamp


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """The conditions that are always there."""

    READY = "Ready"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    DATABASE_READY = "DatabaseReady"
    BACKUP_HEALTHY = "BackupHealthy"
    UP_TO_DATE = "UpToDate"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Condition(Model):
    """One statement about an object, by Kubernetes' conventions."""

    type: ConditionType = described("What the statement is about.")
    status: ConditionStatus = described("Whether it holds.")
    reason: str = described("One CamelCase word for programs.")
    message: str = Field(default="", description="A sentence for people.")
    last_transition_time: Timestamp = described("When `status` last changed.")
    observed_generation: int | None = Field(default=None, description="The generation of the spec it was judged by.")


class ReleaseStatus(Model):
    """The release that runs."""

    image: str | None = Field(default=None, description="The image as the manifest names it.")
    digest: str | None = Field(default=None, description="The digest or image identity that it is pinned to.")
    commit: str | None = Field(default=None, description="The git commit that it is pinned to.")
    version: str | None = Field(default=None, description="Odoo's series, such as 18.0.")


class DatabaseStatus(Model):
    """The database in use."""

    server: str | None = Field(default=None, description="Name of the DatabaseServer, or the external host.")
    name: str | None = Field(default=None, description="The database's name.")
    size_bytes: int | None = Field(default=None, description="Its size in bytes when it was last looked at.")
    max_connections: int | None = Field(default=None, description="What its server was set to then.")


class LastBackup(Model):
    """The newest backup."""

    snapshot: str | None = Field(default=None, description="The snapshot's identity; none where it failed.")
    time: Timestamp = described("When it ended.")
    result: Phase = described("Complete, Incomplete (files were missing before it began) or Failed.")
    last_good: Timestamp | None = Field(default=None, description="When the last complete one ended.")
    external: int | None = Field(
        default=None, description="Attachments that it does not hold, since they are kept outside the filestore."
    )


class LastVerify(Model):
    """The newest verification of a backup."""

    time: Timestamp = described("When it ended.")
    result: str = described("Sound, Damaged, or Failed where it could not be carried out.")
    scope: str = described("How deep it looked: Structure, Data (its content was read) or Restore (a drill).")
    snapshot: str | None = Field(default=None, description="The snapshot's identity; none where none was found.")
    recovery_seconds: int | None = Field(
        default=None, description="How long the restore of a drill took: the recovery time to expect."
    )
    message: str | None = Field(default=None, description="What was wrong.")


class LastRefresh(Model):
    """The newest refresh of a staging copy."""

    time: Timestamp = described("When it ended.")
    result: str = described("Succeeded or Failed.")
    source: str | None = Field(default=None, description="The instance that was copied.")
    data: Timestamp | None = Field(default=None, description="When the copy was taken that is in use.")
    copied: int | None = Field(default=None, description="Attachments that came from the source.")
    absent: int | None = Field(default=None, description="Attachments that the source itself did not have.")
    message: str | None = Field(default=None, description="What was wrong.")


class PreviousRelease(Model):
    """What a rollback returns to."""

    image: str | None = Field(default=None, description="The image as the manifest named it.")
    digest: str = described("The digest or image identity.")
    version: str | None = Field(default=None, description="Odoo's series.")
    operation: str = described("The operation whose safety copies hold its data.")
    until: Timestamp | None = Field(
        default=None,
        description="When the pair goes that a restore or refresh replaced. None for the copies of an upgrade: they stay "
        "until the next one.",
    )


class CurrentOperation(Model):
    """The operation in progress."""

    kind: str = described("The operation's kind.")
    name: str = described("The operation's name.")
    step: str | None = Field(default=None, description="The step in progress.")
    started_at: Timestamp | None = Field(default=None, description="When the operation began.")


class CommonStatus(Model):
    """What the status of every kind that is kept in shape has."""

    observed_generation: int | None = Field(default=None, description="The generation of the spec last worked on.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Statements about the object, one a type.")
    resolved: JsonObject | None = Field(default=None, description="The spec with its defaults filled in.")


class InstanceStatus(CommonStatus):
    """The status of an OdooInstance."""

    phase: str | None = Field(default=None, description="One word for what the instance is doing.")
    release: ReleaseStatus | None = Field(default=None, description="The release that runs.")
    url: str | None = Field(default=None, description="Where users reach it.")
    replicas: int | None = Field(default=None, description="Web replicas that exist.")
    ready_replicas: int | None = Field(default=None, description="Web replicas that answer.")
    database: DatabaseStatus | None = Field(default=None, description="The database in use.")
    last_backup: LastBackup | None = Field(default=None, description="The newest backup.")
    last_verify: LastVerify | None = Field(default=None, description="The newest verification of a backup.")
    last_refresh: LastRefresh | None = Field(default=None, description="The newest refresh of a staging copy.")
    operation: CurrentOperation | None = Field(default=None, description="The operation in progress.")
    previous: PreviousRelease | None = Field(default=None, description="What a rollback returns to.")
    selector: str | None = Field(
        default=None,
        description="Labels that the target's own tools find the web processes by: Kubernetes' autoscaler, `docker ps`.",
    )
    environment: str | None = Field(default=None, description="Production or Staging, as it was settled.")
    warnings: tuple[str, ...] = Field(default=(), description="What is going to hurt if nobody looks.")
    problem: JsonObject | None = Field(default=None, description="The error that keeps it from being as the spec says.")
    ledger: JsonObject | None = Field(default=None, description="Mooring's memory between passes; not for people.")
    heartbeat: JsonObject | None = Field(
        default=None, description="What `backup.heartbeatUrl` is still to be told, or why it was not; not for people."
    )
    outcome: JsonObject | None = Field(default=None, description="What the last pass came to; not for people.")
    notifications: tuple[JsonObject, ...] = Field(
        default=(), description="What `webhook` is still to be told; not for people."
    )


class ServerStatus(CommonStatus):
    """The status of a DatabaseServer that Mooring runs; of one that others run there is none."""

    phase: str | None = Field(default=None, description="One word for what the server is doing.")
    since: Timestamp | None = Field(default=None, description="Since when it is in this phase.")
    image: JsonObject | None = Field(default=None, description="The image that it is pinned to, and its user.")
    problem: JsonObject | None = Field(default=None, description="The error that keeps it from answering.")
    version: str | None = Field(default=None, description="PostgreSQL's version as the server told an operation last.")
    templates: tuple[JsonObject, ...] = Field(
        default=(), description="Its templates as a task last found them: id, last use, size, and what went into each."
    )
    templates_in_the_making: tuple[str, ...] = Field(
        default=(), description="Ids of templates whose making was begun, and whose remains are not removed yet."
    )


class RepositoryStatus(CommonStatus):
    """The status of a BackupRepository."""

    snapshots: int | None = Field(default=None, description="How many snapshots there are.")
    size_bytes: int | None = Field(default=None, description="What is stored, in bytes.")


class StepStatus(Model):
    """One step of an operation."""

    name: str = described("The step's name.")
    phase: Phase = described("How far it is.")
    attempt: int = Field(default=1, description="Counted from 1.")
    start_time: Timestamp | None = Field(default=None, description="When it began.")
    completion_time: Timestamp | None = Field(default=None, description="When it ended.")
    message: str = Field(default="", description="A sentence for people.")


class OperationStatus(Model):
    """The status of a job or an OdooOperation."""

    phase: Phase = Field(default=Phase.PENDING, description="How far it is.")
    start_time: Timestamp | None = Field(default=None, description="When it began.")
    completion_time: Timestamp | None = Field(default=None, description="When it ended.")
    steps: tuple[StepStatus, ...] = Field(default=(), description="Its steps, in order.")
    message: str = Field(default="", description="A sentence for people.")
    log_tail: str = Field(default="", description="The end of the log, without secrets.")
    observed_generation: int | None = Field(default=None, description="The generation of the spec worked on.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Statements about it, one a type.")
    result: Mapping[str, str] = Field(default_factory=dict, description="What came out, such as a snapshot's identity.")

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase not in (Phase.PENDING, Phase.RUNNING)
