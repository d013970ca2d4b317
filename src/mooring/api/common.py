# SPDX-License-Identifier: Apache-2.0
"""Groups of fields that more than one kind has: releases, resources, database servers, retention, notifications."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mooring.api.base import Broken, Model, RuledModel, described
from mooring.api.enums import SslMode
from mooring.api.meta import SecretKeyRef, SecretRef
from mooring.api.postgres_majors import NEWEST_MAJOR, OLDEST_MAJOR
from mooring.api.quantity import Cpu, Duration, Size
from mooring.api.texts import (
    Count,
    GitRef,
    GitUrl,
    HttpUrl,
    ObjectName,
    OptionalLine,
    ParameterName,
    Port,
    ServerAddress,
)


def _scalar_text(value: object) -> object:
    """A value that YAML reads as a number or as true/false, as the text that odoo.conf and PostgreSQL take."""
    if value is None:
        raise PydanticCustomError("mooring_text", "{text}", {"text": 'needs a value; write "" for an empty one'})
    if isinstance(value, bool | int | float):
        return str(value)
    return value


OptionValue = Annotated[
    OptionalLine,
    BeforeValidator(_scalar_text),
    WithJsonSchema({"type": ["string", "number", "boolean"], "maxLength": 4096}),
]
"""Text on one line; numbers and true/false may be written without quotes."""

Parameters = Mapping[ParameterName, OptionValue]


def _refuse_newer(value: object) -> object:
    if isinstance(value, int) and value > NEWEST_MAJOR:
        why = "the engine image has no PostgreSQL clients of a newer major, and an older one cannot back up a newer server"
        raise PydanticCustomError("mooring_text", "{text}", {"text": f"must be at most {NEWEST_MAJOR}: {why}"})
    return value


PostgresMajor = Annotated[int, Field(strict=True, ge=OLDEST_MAJOR, le=NEWEST_MAJOR), BeforeValidator(_refuse_newer)]


class GitSource(Model):
    """A place in a git repository."""

    repository: GitUrl = described(
        "Where the repository is: https://…, ssh://…, file:///… or git@HOST:PATH. Never with a password in it."
    )
    ref: GitRef | None = Field(
        default=None,
        description="The branch, tag or commit. Left out: the branch that the repository itself names first.",
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret with the keys `username` and `password` (or a token), or `sshKey`. Left out: no login.",
    )


class Resources(Model):
    """How much of the machine something may use."""

    cpu: Cpu | None = Field(default=None, description="Cores at most: `2` or `500m` (half a core).")
    memory: Size | None = Field(default=None, description="Memory at most: `2Gi` or `512Mi`.")


class ManagedPostgres(Model):
    """A PostgreSQL that Mooring runs."""

    version: PostgresMajor = Field(
        default=17,
        description=f"PostgreSQL's major version, {OLDEST_MAJOR} to {NEWEST_MAJOR}. It can be raised, never lowered.",
    )
    storage_size: Size = Field(
        default=Size.parse("10Gi"),
        description="Room for the data. It can grow, never shrink. Docker cannot enforce it and checks free space.",
    )
    storage_class: ObjectName | None = Field(
        default=None, description="Kubernetes' storage class. Left out: the cluster's default."
    )
    resources: Resources | None = Field(
        default=None,
        description="Limits of the server; its memory settings follow from them. Left out: the installation's default.",
    )
    parameters: Parameters = Field(
        default_factory=dict,
        description="PostgreSQL parameters, such as `work_mem: 64MB`. They win over Mooring's own.",
    )


class PostgresAddress(Model):
    """Where a PostgreSQL is that somebody else runs."""

    host: ServerAddress = described("Host name or IP address of the server.")
    port: Port = Field(default=5432, description="TCP port of the server.")
    ssl_mode: SslMode = Field(
        default=SslMode.PREFER,
        description="Whether the connection is encrypted and the server's certificate checked; libpq's words.",
    )


class Retention(RuledModel):
    """Which backups stay. A backup stays as long as one of the rules wants it."""

    last: Count = Field(default=0, description="The newest ones, however old: how many.")
    hourly: Count = Field(default=0, description="The newest of each hour: for how many hours.")
    daily: Count = Field(default=7, description="The newest of each day: for how many days.")
    weekly: Count = Field(default=4, description="The newest of each week: for how many weeks.")
    monthly: Count = Field(default=3, description="The newest of each month: for how many months.")
    yearly: Count = Field(default=0, description="The newest of each year: for how many years.")
    within: Duration | None = Field(
        default=None, description="All that are younger than this, such as `14d`. Left out: no such rule."
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """Rules that keep nothing at all are refused."""
        counts = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
        if "within" not in given and all(given.get(name, cls.model_fields[name].default) == 0 for name in counts):
            yield Broken("keeps no backup at all; at least one rule must keep one")


class Webhook(Model):
    """An address that is told what happens."""

    url: HttpUrl = described("Where the message is posted to, as JSON.")
    secret_token_secret_ref: SecretKeyRef | None = Field(
        default=None,
        description="The key that messages are signed with (HMAC-SHA256). Left out: messages are not signed.",
    )
