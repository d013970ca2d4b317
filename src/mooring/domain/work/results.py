# SPDX-License-Identifier: Apache-2.0
"""What tasks give as their result; `to_json` is the `result` object of the task protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mooring.domain.work.codec import Shape


@dataclass(frozen=True)
class ServerFacts(Shape):
    """Result of `server-check`.

    Attributes:
        server_version: such as `17.2`.
        read_only: a standby, or writes are off by default.
        maintenance: whether the role may connect to the maintenance database.
        tls: whether this connection is encrypted.
    """

    server_version: str
    major: int
    read_only: bool
    max_connections: int
    superuser: bool
    createdb: bool
    createrole: bool
    maintenance: bool
    tls: bool


@dataclass(frozen=True)
class ModuleFact(Shape):
    """One row of `ir_module_module`; `version` is empty while a module is not installed."""

    state: str
    version: str


@dataclass(frozen=True)
class Mark(Shape):
    """Our comment on a database, as far as others need it."""

    instance: str
    role: str
    operation: str | None
    at: str | None


@dataclass(frozen=True)
class DatabaseFacts(Shape):
    """Result of `database-inspect` and `database-verify`, and part of those of `database-provision` and `database-finish-init`.

    Attributes:
        mark: our comment; None where there is none.
        empty: no table of a user's is in it; True where it does not exist.
        initialized: Odoo's `base` is installed.
        series: of `base`, such as `14.0`; None before.
        modules: by name, all that this Odoo knows; those that are `uninstalled` or `uninstallable` are left out of
            results.
        pending_modules: names of modules in a state `to …`, sorted.
        connections: sessions in this database besides the task's own.
        max_connections: what the server is set to; 0 where nobody looked.
    """

    exists: bool
    mark: Mark | None = None
    empty: bool = True
    initialized: bool = False
    series: str | None = None
    modules: Mapping[str, ModuleFact] = field(default_factory=dict)
    pending_modules: tuple[str, ...] = ()
    size_bytes: int = 0
    connections: int = 0
    max_connections: int = 0
    server_version: str = ""


@dataclass(frozen=True, kw_only=True)
class ProvisionResult(DatabaseFacts):
    """Result of `database-provision`: what the owner finds in the database in the end, and what this run did.

    Attributes:
        created: this run made the database.
        role_created: this run made the role.
        password_set: this run set the role's password.
        marked: the database carries our comment.
        unaccent_immutable: Odoo may use `unaccent` in indexes.
    """

    created: bool
    role_created: bool
    password_set: bool
    marked: bool
    unaccent_immutable: bool
    database: str
    owner: str


@dataclass(frozen=True)
class RolePasswordResult(Shape):
    """Result of `role-password`; `password_set` is False where the role had it already."""

    owner: str
    password_set: bool


@dataclass(frozen=True, kw_only=True)
class FinishResult(DatabaseFacts):
    """Result of `database-finish-init`: what Odoo left, the admin's login and the names of what this run changed."""

    login: str
    changed: tuple[str, ...]


@dataclass(frozen=True)
class CopyResult(Shape):
    """Result of `database-safety-copy`.

    Attributes:
        kept: a complete copy was there already.
        dropped: copies of earlier operations that went to make room.
    """

    database: str
    kept: bool
    size_bytes: int
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReturnResult(Shape):
    """Result of `database-return`.

    Attributes:
        returned: this run changed the names; False where an earlier run did.
        previous: name of what was current, if it was kept.
    """

    database: str
    returned: bool
    previous: str | None


@dataclass(frozen=True)
class DropResult(Shape):
    """Result of `database-drop`; `role_kept` says why the owner role is still there, None if it is not or was not asked."""

    dropped: tuple[str, ...]
    role_dropped: bool
    role_kept: str | None


@dataclass(frozen=True)
class FilestoreCopyResult(Shape):
    """Result of `filestore-safety-copy`.

    Attributes:
        kept: a complete copy was there already.
        files: regular files in it.
        bytes: their sizes' sum.
        method: how most were made; `none` for an instance without a filestore.
        skipped: paths of links and special files that were not followed, at most 20.
        dropped: copies of earlier operations that went to make room.
    """

    kept: bool
    files: int
    bytes: int
    method: Literal["link", "copy", "none"]
    skipped: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilestoreReturnResult(Shape):
    """Result of `filestore-return`; `previous` is the folder of what was current, if it was kept."""

    returned: bool
    previous: str | None


@dataclass(frozen=True)
class FilestoreDropResult(Shape):
    """Result of `filestore-drop`: names removed, relative to the volume."""

    removed: tuple[str, ...]
