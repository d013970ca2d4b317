# SPDX-License-Identifier: Apache-2.0
"""Documents of the tasks that make, read and finish an instance's database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.repository.manifest import ModuleVersion
from mooring.domain.work.codec import Document
from mooring.domain.work.common import Connection, Fence, check_database_name


@dataclass(frozen=True)
class ServerCheck(Document):
    """Whether a server answers these credentials, and what it is. Changes nothing; gives `ServerFacts`.

    Attributes:
        minimum_major: lowest PostgreSQL major that serves.
        database: tried where the role may not connect to the maintenance database.
        writable: refuse a server that takes no writes.
    """

    TASK: ClassVar[str] = "server-check"

    connection: Connection
    minimum_major: int = 13
    database: str | None = None
    writable: bool = True


@dataclass(frozen=True)
class DatabaseProvision(Document):
    """Make the role and the empty database of an instance, or take back its own, and see what is in it.

    Gives `ProvisionResult`.

    Attributes:
        connection: an administrator's for mode `create`, the owner's for mode `existing`.
        instance: id that is written on the database.
        owner: role that owns the database.
        owner_password_file: its password; None in mode `existing`, where `connection` is the owner's.
        mode: `create` makes role and database; `existing` needs no rights beyond the database and changes nothing else.
        adopt: also take a database without our comment that is not empty.
        minimum_major: lowest PostgreSQL major that serves.
        series: fail when Odoo's tables are there and of another series; None takes any.
    """

    TASK: ClassVar[str] = "database-provision"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    owner: str
    owner_password_file: str | None
    mode: Literal["create", "existing"] = "create"
    adopt: bool = False
    minimum_major: int = 13
    series: str | None = None

    def __post_init__(self) -> None:
        """Refuse names and mixtures that cannot work.

        Raises:
            ValueError: says which.
        """
        check_database_name(self.database)
        if not self.instance:
            raise ValueError("instance must not be empty")
        if self.mode == "create" and not self.owner_password_file:
            raise ValueError("ownerPasswordFile is needed to create a role")
        if self.mode == "existing" and (self.owner_password_file or self.owner != self.connection.user):
            raise ValueError("mode existing connects as the owner and takes no ownerPasswordFile")


@dataclass(frozen=True)
class RolePassword(Document):
    """Give an instance's role the password that its secret has now; gives `RolePasswordResult`. Safe to repeat.

    Needs no lock and leaves no mark: between two steps of an operation nothing else of the instance's works.

    Attributes:
        connection: an administrator's.
        instance: id that the role's comment carries.
        database: the instance's own, to try the password with.
        owner: the role.
        owner_password_file: what it has to log in with.
    """

    TASK: ClassVar[str] = "role-password"

    connection: Connection
    instance: str
    database: str
    owner: str
    owner_password_file: str

    def __post_init__(self) -> None:
        """Refuse names that cannot work.

        Raises:
            ValueError: says which.
        """
        check_database_name(self.database)
        if not self.instance or not self.owner:
            raise ValueError("instance and owner must not be empty")


@dataclass(frozen=True)
class DatabaseInspect(Document):
    """What is in a database. Changes nothing; gives `DatabaseFacts`. The owner's or an administrator's connection.

    Attributes:
        series: fail when Odoo's tables are there and of another series; None takes any.
        needs_data: fail when the database is not there, or holds no Odoo.
    """

    TASK: ClassVar[str] = "database-inspect"

    connection: Connection
    database: str
    series: str | None = None
    needs_data: bool = False


@dataclass(frozen=True)
class DatabaseVerify(Document):
    """Prove what an Odoo run did. Changes nothing; gives `DatabaseFacts` or fails with every fault.

    Attributes:
        expect: modules that have to be installed; `base` always has to.
        series: the series that `base` has to be of; None is any.
        not_below: versions that the modules had in a snapshot: an older one means that its release was newer.
    """

    TASK: ClassVar[str] = "database-verify"

    connection: Connection
    database: str
    expect: tuple[str, ...] = ()
    series: str | None = None
    not_below: tuple[ModuleVersion, ...] = ()


@dataclass(frozen=True)
class DatabaseFinishInit(Document):
    """Prove what `odoo -i` did, then set what it cannot. Owner's connection; safe to repeat; gives `FinishResult`.

    Attributes:
        expect: modules that have to be installed before anything is set; empty sets without a proof.
        series: the series that `base` then has to be of; None is any.
        admin_password_file: password of the first administrator (`base.user_admin`); None leaves it.
        admin_login: its login; None leaves it.
        language: code such as `fr_FR` for that user and the company; it has to be loaded; None leaves it.
        country: ISO code of the company's country, whose currency is set with it; None leaves it.
        base_url: `web.base.url`; None leaves it.
        freeze_base_url: keep Odoo from rewriting it at the administrator's next login.
        report_url: `report.url`, where wkhtmltopdf fetches; None leaves it.
        unpack_into: Odoo's data folder, for a database that was copied from a template: its files go there first.
    """

    TASK: ClassVar[str] = "database-finish-init"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    expect: tuple[str, ...] = ()
    series: str | None = None
    admin_password_file: str | None = None
    admin_login: str | None = None
    language: str | None = None
    country: str | None = None
    base_url: str | None = None
    freeze_base_url: bool = False
    report_url: str | None = None
    unpack_into: str | None = None
