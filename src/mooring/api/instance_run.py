# SPDX-License-Identifier: Apache-2.0
"""Groups of `OdooInstance.spec` about processes: add-ons, cron, upgrades, maintenance, and Kubernetes' pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mooring.api.base import Broken, Model, RuledModel, described, find_not_one_of
from mooring.api.common import GitSource, Resources
from mooring.api.enums import Approval, UpgradeModules
from mooring.api.meta import JsonObject
from mooring.api.quantity import Cpu, Duration, Size
from mooring.api.texts import (
    AbsolutePath,
    Count,
    EnvName,
    Flag,
    OptionalLine,
    QualifiedKey,
    Replicas,
    Schedule,
    TimeZone,
    UrlPath,
    VolumeName,
)

MAX_WORKERS = 256


class _WorkersReader:
    """Reads `auto` or a number with one message for both."""

    @staticmethod
    def _validate(value: object) -> object:
        if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_WORKERS):
            return value
        text = f"expected auto or a whole number from 0 to {MAX_WORKERS}"
        raise PydanticCustomError("mooring_text", "{text}", {"text": text})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._validate)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 0, "maximum": MAX_WORKERS}]}


Workers = Annotated[int | Literal["auto"], _WorkersReader]


class Addon(RuledModel):
    """One folder of add-ons: exactly one of the fields."""

    path: AbsolutePath | None = Field(
        default=None,
        description="A folder, from the root, of the machine that has Mooring's state directory: it is copied to where the "
        "instance runs, so whoever does the work there (the agent, while one is alive) has to be able to read it. On "
        "Kubernetes, where there is no such machine: a folder in the image.",
    )
    git: GitSource | None = Field(default=None, description="A git repository whose folders are modules.")
    volume: VolumeName | None = Field(
        default=None, description="A volume that exists: Docker's by its name, or a PersistentVolumeClaim."
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One place for the add-ons."""
        yield from find_not_one_of(given, ("path", "git", "volume"), needed=True, where="an entry of addons")


class WebResources(Model):
    """How much of the machine one web replica may use."""

    cpu: Cpu = Field(default=Cpu.parse("2"), description="Cores at most: `2` or `500m` (half a core).")
    memory: Size = Field(default=Size.parse("2Gi"), description="Memory at most: `2Gi` or `512Mi`.")


class CronSpec(Model):
    """The processes that run scheduled jobs."""

    replicas: Replicas = Field(
        default=1, description="How many run side by side, 0 to 100. 0: no scheduled job runs at all."
    )
    resources: Resources | None = Field(
        default=None, description="How much of the machine one of them may use. Left out: as `spec.resources`."
    )


class LogsSpec(RuledModel):
    """Where Odoo's log goes."""

    volume: Flag = Field(
        default=False, description="Whether the log is kept in files on a volume instead of standard output."
    )
    storage_size: Size | None = Field(
        default=None, description="Room for the log's volume. Left out: the installation's default."
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """A size needs a volume."""
        if "storage_size" in given and given.get("volume") is not True:
            yield Broken("has no meaning without volume: true", field="storage_size")


class Rollback(Model):
    """The way back after an upgrade."""

    enabled: Flag = Field(default=True, description="Whether a release that proves bad is taken back by itself.")
    window: Duration = Field(
        default=Duration.parse("10m"),
        description="How long after users were let in it may still happen. Then only the release goes back, and only "
        "where no module was migrated: nobody's work is lost.",
    )


class AutoUpgrade(Model):
    """What happens when the release changes."""

    enabled: Flag = Field(
        default=True, description="Whether modules are updated by themselves. false: only by `mooring upgrade`."
    )
    modules: UpgradeModules = Field(
        default=UpgradeModules.CHANGED, description="Modules whose files `changed`, or `all` that are installed."
    )
    backup_before: Flag = Field(
        default=True,
        description="Whether a backup is taken first, to the repository where there is one. The local safety copy is "
        "always made.",
    )
    rollback: Rollback = Field(default_factory=Rollback, description="The way back when the new release proves bad.")


class Window(Model):
    """A stretch of time that comes again."""

    schedule: Schedule = described("When it opens: minute, hour, day, month, weekday, such as `0 22 * * 5`.")
    duration: Duration = described("How long it stays open, such as `4h`.")


class Maintenance(Model):
    """When upgrades and migrations may start."""

    windows: tuple[Window, ...] = Field(default=(), description="Times when they may start. None given: at any time.")
    time_zone: TimeZone = Field(default="UTC", description="Time zone of the windows, such as `Europe/Paris`.")
    approval: Approval = Field(
        default=Approval.NONE,
        description="`required`: each waits until a person starts it; `none`: it starts by itself.",
    )


class Probes(Model):
    """Paths that Kubernetes asks for health."""

    startup_path: UrlPath | None = Field(default=None, description="Asked until the process has started.")
    liveness_path: UrlPath | None = Field(default=None, description="Asked to know whether to restart the process.")
    readiness_path: UrlPath | None = Field(default=None, description="Asked to know whether to send users there.")


class Toleration(Model):
    """A Kubernetes toleration."""

    key: QualifiedKey | None = Field(default=None, description="The taint's key. Left out: any.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How the value is compared.")
    value: OptionalLine | None = Field(default=None, description="The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect. Left out: any."
    )
    toleration_seconds: Count | None = Field(
        default=None, description="How many seconds a NoExecute taint is borne. Left out: for ever."
    )


class EnvVar(RuledModel):
    """An environment variable."""

    name: EnvName = described("The variable's name.")
    value: OptionalLine | None = Field(default=None, description="Its value. Not for passwords.")
    value_from: JsonObject | None = Field(default=None, description="Kubernetes' valueFrom, as it is written there.")

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One source of the value."""
        yield from find_not_one_of(given, ("value", "value_from"), needed=False, where="a variable")


class ReadOnlySqlAccess(Model):
    """A database role that may only read."""

    enabled: Flag = Field(default=False, description="Whether the role exists.")
    connection_limit: Count = Field(default=5, description="How many connections it may hold at once.")
