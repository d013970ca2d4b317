# SPDX-License-Identifier: Apache-2.0
"""The kind `OdooInstance`: one Odoo installation with its database, filestore and processes.

Only the top of the spec is here; its groups are in `instance_data` (database, filestore, init, backup),
`instance_network` (ingress, service, notifications) and `instance_run` (processes and Kubernetes' own fields).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from mooring.api.base import Broken, RuledModel, find_not_one_of
from mooring.api.common import GitSource, OptionValue, Webhook
from mooring.api.enums import DeletionPolicy, Environment
from mooring.api.instance_data import BackupSpec, DatabaseSpec, FilestoreSpec, InitSpec, Neutralize, RefreshSpec
from mooring.api.instance_network import IngressSpec, ServiceSpec, Switch
from mooring.api.instance_run import (
    Addon,
    AutoUpgrade,
    CronSpec,
    EnvVar,
    LogsSpec,
    Maintenance,
    Probes,
    ReadOnlySqlAccess,
    Toleration,
    WebResources,
    Workers,
)
from mooring.api.meta import JsonObject, NamespacedRef, Resource, SecretKeyRef
from mooring.api.texts import (
    Flag,
    ImageReference,
    LabelValue,
    ObjectName,
    OptionalLine,
    OptionKey,
    QualifiedKey,
    Replicas,
    Text,
)

SERIES_PATTERN = r"^(1[4-9]|20)\.0$"


def _version_text(value: object) -> object:
    """`version: 18.0` without quotes is a number in YAML; users write it so."""
    return str(value) if isinstance(value, float) else value


Series = Annotated[
    str,
    Text("an Odoo series from 14.0 to 20.0, such as 18.0", pattern=SERIES_PATTERN, longest=4),
    BeforeValidator(_version_text),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SERIES_PATTERN}, {"type": "number"}]}),
]


class OdooInstanceSpec(RuledModel):
    """What is wanted of an Odoo instance."""

    image: ImageReference | None = Field(
        default=None,
        description="The container image that runs, such as `odoo:18.0`. It is pinned to its digest when it is first "
        "used. Left out, and without `git`: the newest Odoo that this Mooring knows.",
    )
    git: GitSource | None = Field(
        default=None,
        description="Instead of an image: a git repository with a uv lock file, built on the machine. Hosts only.",
    )
    version: Series | None = Field(
        default=None,
        description="Odoo's series, `14.0` to `20.0`, with or without quotes. It must agree with the image or "
        "repository. Left out: learned from there.",
    )
    image_pull_secret: ObjectName | None = Field(
        default=None, description="Name of the Secret with the login for the image's registry."
    )
    addons: tuple[Addon, ...] = Field(
        default=(), description="Folders with add-ons of your own. Where two have the same module, the first one wins."
    )
    replicas: Replicas = Field(
        default=1, description="How many web replicas run side by side, 0 to 100. 0 stops the instance."
    )
    resources: WebResources = Field(
        default_factory=WebResources, description="How much of the machine one web replica may use."
    )
    workers: Workers = Field(
        default="auto",
        description="Worker processes in one web replica. `auto` takes them from the CPU limit. 0 runs one process with "
        "threads, without the port for live messages.",
    )
    cron: CronSpec = Field(
        default_factory=CronSpec, description="Scheduled jobs run apart from web, and never during an upgrade."
    )
    environment: Environment | None = Field(
        default=None,
        description="`Production`, or `Staging`: neutralized, no network out, mail caught, with a banner. Left out: "
        "Staging where `stagingOf` is set, else Production. It is settled once; later only `mooring promote` changes it.",
    )
    neutralize: Neutralize | None = Field(
        default=None, description="What a staging copy needs beyond what is always neutralized. Staging only."
    )
    staging_of: NamespacedRef | None = Field(
        default=None, description="The instance that this one is a staging copy of."
    )
    refresh: RefreshSpec | None = Field(
        default=None, description="Renews a staging copy on a schedule. Left out: it is renewed only when asked."
    )
    database: DatabaseSpec = Field(default_factory=DatabaseSpec, description="Where the instance's database is.")
    filestore: FilestoreSpec = Field(
        default_factory=FilestoreSpec, description="Where the instance's attachments are kept."
    )
    logs: LogsSpec | None = Field(
        default=None, description="Where Odoo's log goes. Left out: to standard output, where `mooring logs` reads it."
    )
    init: InitSpec = Field(default_factory=InitSpec, description="How a new database is made. No effect afterwards.")
    config_options: Mapping[OptionKey, OptionValue] = Field(
        default_factory=dict,
        description="Options of odoo.conf, such as `limit_time_real: 600`. They win over Mooring's own, but one that "
        "would break a safety rule is refused. Never put a password here.",
    )
    admin_password_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Odoo's master password. Left out: one is generated."
    )
    ingress: IngressSpec | None = Field(
        default=None, description="The names under which users reach it. Left out: a local port alone (see `service`)."
    )
    service: ServiceSpec = Field(
        default_factory=ServiceSpec, description="Where it is published inside the cluster or on the machine."
    )
    auto_upgrade: AutoUpgrade = Field(
        default_factory=AutoUpgrade, description="What happens when the release (`image` or `git`) changes."
    )
    backup: BackupSpec = Field(default_factory=BackupSpec, description="Scheduled backups, and how long copies stay.")
    webhook: Webhook | None = Field(
        default=None, description="An address that is told each change of phase and each end of an operation; retried."
    )
    probes: Probes | None = Field(
        default=None, description="Paths that Kubernetes asks for health. Left out: what suits the Odoo series."
    )
    affinity: JsonObject | None = Field(default=None, description="Kubernetes' pod affinity, as it is written there.")
    tolerations: tuple[Toleration, ...] = Field(default=(), description="Kubernetes' tolerations of the pods.")
    node_selector: Mapping[QualifiedKey, LabelValue] = Field(
        default_factory=dict, description="Labels that a Kubernetes node must have to run the pods."
    )
    topology_spread_constraints: tuple[JsonObject, ...] = Field(
        default=(), description="Kubernetes' topologySpreadConstraints, as they are written there."
    )
    priority_class_name: ObjectName | None = Field(default=None, description="Kubernetes' priority class of the pods.")
    extra_env: tuple[EnvVar, ...] = Field(
        default=(), description="Further environment variables of the pods; Kubernetes only. No passwords."
    )
    extra_env_from: tuple[JsonObject, ...] = Field(
        default=(), description="Kubernetes' envFrom: whole ConfigMaps or Secrets as environment variables."
    )
    pod_annotations: Mapping[QualifiedKey, OptionalLine] = Field(
        default_factory=dict, description="Annotations of the Kubernetes pods."
    )
    network_policy: Switch = Field(
        default_factory=Switch, description="Whether only what must reach the instance can reach it."
    )
    metrics: Switch = Field(default_factory=Switch, description="Whether figures for Prometheus are offered.")
    read_only_sql_access: ReadOnlySqlAccess = Field(
        default_factory=ReadOnlySqlAccess, description="A database role that may only read, for reports."
    )
    maintenance: Maintenance | None = Field(
        default=None, description="When upgrades and migrations may start. Left out: at any time, without asking."
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.RETAIN,
        description="What happens to the data when the instance is deleted: `Retain` keeps it, `Snapshot` takes a last "
        "backup and deletes it, `Delete` deletes it.",
    )
    paused: Flag = Field(default=False, description="While true, Mooring looks at the instance and touches nothing.")

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One release; what belongs to staging only with staging; a last backup only with somewhere to put it."""
        yield from find_not_one_of(given, ("image", "git"), needed=False, where="an instance")
        environment = given.get("environment")
        staging = environment == Environment.STAGING or (environment is None and "staging_of" in given)
        if environment == Environment.PRODUCTION and "staging_of" in given:
            yield Broken("a Production instance is no staging copy; leave stagingOf out", field="staging_of")
        for name in ("neutralize", "refresh"):
            if name in given and not staging:
                yield Broken(
                    "belongs to a staging copy only; set environment: Staging or stagingOf, or leave it out", field=name
                )
        if "refresh" in given and staging and "staging_of" not in given:
            yield Broken("needs stagingOf: the instance to renew the copy from", field="refresh")
        if given.get("deletion_policy") == DeletionPolicy.SNAPSHOT and not _has(given.get("backup"), "repository"):
            yield Broken("Snapshot needs backup.repository, to put the last backup there", field="deletion_policy")


def _has(group: object, name: str) -> bool:
    if isinstance(group, Mapping):
        return group.get(name) is not None
    return getattr(group, name, None) is not None


class OdooInstance(Resource):
    """One Odoo installation: one database, one filestore, its web and cron processes."""

    kind: Literal["OdooInstance"] = Field(default="OdooInstance", description="What the document describes.")
    spec: OdooInstanceSpec = Field(
        default_factory=OdooInstanceSpec, description="What is wanted of the instance. Left out: all defaults."
    )
