# SPDX-License-Identifier: Apache-2.0
"""Groups of `OdooInstance.spec` about data: database, filestore, first set-up, staging, backup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from mooring.api.base import Broken, Model, RuledModel, described, find_not_one_of
from mooring.api.common import ManagedPostgres, PostgresAddress, Retention
from mooring.api.enums import AccessMode, FilestoreMethod, Template
from mooring.api.meta import SecretKeyRef, SecretRef
from mooring.api.quantity import Duration, Size
from mooring.api.texts import (
    Country,
    DatabaseName,
    Destination,
    Flag,
    HttpUrl,
    Language,
    ModuleName,
    ObjectName,
    ResourceName,
    Schedule,
    SqlText,
    TimeZone,
)


class ExternalDatabase(PostgresAddress):
    """A database on a server that somebody else runs, for this instance alone."""

    secret_ref: SecretRef = described(
        "Secret with the keys `user`, `password` and `dbname`, and `sslrootcert` where the server's authority is private."
    )
    admin_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret with the keys `user` and `password` of a role that may create databases. Left out: new data "
        "cannot be built beside the old, and upgrades and restores are refused.",
    )


class DatabaseSpec(RuledModel):
    """Where the instance's database is: on a named server, on one of its own, or on one that somebody else runs."""

    server: ResourceName | None = Field(
        default=None,
        description="Name of the DatabaseServer. Changing it moves the database. Left out: the namespace's default "
        "server; where there is none, one named `default` is made.",
    )
    managed: ManagedPostgres | None = Field(
        default=None, description="Instead: a PostgreSQL for this instance alone, run by Mooring."
    )
    external: ExternalDatabase | None = Field(
        default=None, description="Instead: a database that somebody else prepared."
    )
    name: DatabaseName | None = Field(
        default=None,
        description="The database's name, unique on its server; it never changes. Left out: made from namespace and name.",
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One place for the database."""
        yield from find_not_one_of(given, ("server", "managed", "external"), needed=False, where="a database")


class FilestoreSpec(Model):
    """The volume with attachments."""

    storage_size: Size = Field(
        default=Size.parse("10Gi"),
        description="Room for attachments. It can grow, never shrink. Docker cannot enforce it and checks free space.",
    )
    storage_class: ObjectName | None = Field(
        default=None,
        description="Kubernetes' storage class; changing it moves the files. Left out: the cluster's default.",
    )
    access_mode: AccessMode | None = Field(
        default=None,
        description="Who may mount the volume at once; Kubernetes only. Left out: as the number of replicas needs.",
    )


class InitSpec(Model):
    """The first set-up of a new database."""

    enabled: Flag = Field(default=True, description="Whether a database that does not exist yet is made.")
    modules: tuple[ModuleName, ...] = Field(default=("base",), description="Modules that are installed in it.")
    demo: Flag = Field(default=False, description="Whether Odoo's demonstration data is loaded.")
    language: Language = Field(default="en_US", description="The language of the first user and company.")
    country: Country | None = Field(
        default=None,
        description="Two capital letters; sets the company's country. Left out: Odoo's default.",
    )
    admin_password_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Password of the user `admin`. Left out: one is generated."
    )
    template: Template = Field(
        default=Template.AUTO,
        description="`auto` copies a prepared database where one fits; `never` always installs from nothing.",
    )


class Neutralize(Model):
    """What a staging copy needs beyond what is always neutralized."""

    sql: tuple[SqlText, ...] = Field(
        default=(), description="SQL statements that run after Odoo's own neutralization, in order."
    )
    allow_egress: tuple[Destination, ...] = Field(
        default=(), description="What the copy may still reach: HOST, HOST:PORT, an address or a network."
    )


class RefreshSpec(Model):
    """Renewal of a staging copy."""

    schedule: Schedule = described("When: minute, hour, day, month, weekday, such as `0 3 * * 0`.")
    time_zone: TimeZone = Field(default="UTC", description="Time zone of the schedule, such as `Europe/Paris`.")
    filestore_method: FilestoreMethod = Field(
        default=FilestoreMethod.AUTO,
        description="How attachments come over: by a storage `snapshot`, by `copy`, not at all (`skip`), or the best that "
        "is possible (`auto`).",
    )


class BackupVerify(Model):
    """Checks of what was backed up."""

    schedule: Schedule = described("When: minute, hour, day, month, weekday, such as `0 5 * * 6`.")
    restore: Flag = Field(
        default=False, description="Whether a backup is also restored aside and Odoo's data in it checked."
    )


class BackupSpec(RuledModel):
    """Backups of the instance."""

    repository: ResourceName | None = Field(
        default=None, description="Name of the BackupRepository. Left out: there are no scheduled backups."
    )
    schedule: Schedule | None = Field(
        default=None,
        description="When: minute, hour, day, month, weekday, such as `0 2 * * *`. Left out: only when asked.",
    )
    time_zone: TimeZone = Field(
        default="UTC", description="Time zone of the schedules of backup and verification, such as `Europe/Paris`."
    )
    retention: Retention | None = Field(
        default=None,
        description="Which backups stay. Left out: as the repository says, which is 7 daily, 4 weekly and 3 monthly "
        "unless it says otherwise.",
    )
    verify: BackupVerify | None = Field(default=None, description="Checks on a schedule that backups can be read.")
    heartbeat_url: HttpUrl | None = Field(
        default=None, description="An address that is asked after each backup that succeeded, for an outside alarm."
    )
    keep_previous: Duration = Field(
        default=Duration.parse("24h"),
        description="How long database and filestore stay that a restore or refresh replaced, such as `24h`.",
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """What needs a repository has one."""
        if "repository" not in given:
            for name in ("schedule", "verify", "retention", "heartbeat_url"):
                if name in given:
                    yield Broken("needs backup.repository: where backups are kept", field=name)
