# SPDX-License-Identifier: Apache-2.0
"""Documents of the tasks that make templates, copy new instances' databases from them, and drop them.

A template is a database in which Odoo's own `-i` ran and nobody ever worked. Its filestore lies in a table of its own
(`mooring_template.file`), so that one `CREATE DATABASE … TEMPLATE` brings everything along. Its id is a digest of what went
into it; the names of its database and of its role derive from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, DatabaseDocument, Fence

SCHEMA = "mooring_template"
"""The schema of a template that holds its files; in an instance's database it says that the copy is not finished."""


def template_database(template: str) -> str:
    """Name of a whole template's database, and of the role that owns it."""
    return f"mooring_template_{template}"


def template_building(template: str) -> str:
    """Name of the database while it is made."""
    return f"mooring_template_building_{template}"


@dataclass(frozen=True)
class TemplateBegin(Document):
    """Make the role and the empty database in which Odoo then runs. Administrator; gives `TemplateBegun`.

    What an earlier attempt left is dropped. A whole template is kept, and said.

    Attributes:
        template: its id.
        owner_password_file: password of the role while it is made.
        about: what goes into it, for lists.
    """

    TASK: ClassVar[str] = "template-begin"

    connection: Connection
    fence: Fence
    template: str
    installation: str
    owner_password_file: str
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TemplatePack(Document):
    """Prove what `odoo -i` did, and put its filestore into the database. The template's role; gives `TemplatePacked`.

    Attributes:
        data_dir: Odoo's.
        expect: modules that have to be installed.
        series: of the release.
    """

    TASK: ClassVar[str] = "template-pack"

    connection: Connection
    template: str
    data_dir: str
    expect: tuple[str, ...]
    series: str


@dataclass(frozen=True)
class TemplatePublish(Document):
    """Take the role's login away, close the database, and say that it is a template. Administrator; gives `TemplateStock`.

    Attributes:
        about: what went into it, for lists.
        keep: how many templates stay, the last used ones; this one is among them.
        max_age_s: seconds since its last use after which one goes.
    """

    TASK: ClassVar[str] = "template-publish"

    connection: Connection
    fence: Fence
    template: str
    installation: str
    keep: int
    max_age_s: int
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TemplatePrune(Document):
    """Drop templates of this installation that are too old or too many. Administrator; gives `TemplateStock`.

    Attributes:
        keep: how many stay, the last used ones; None keeps all.
        max_age_s: seconds since its last use after which one goes; None keeps all.
        also: ids that go in any case.
    """

    TASK: ClassVar[str] = "template-prune"

    connection: Connection
    fence: Fence
    installation: str
    keep: int | None = None
    max_age_s: int | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatabaseFromTemplate(DatabaseDocument):
    """Put a copy of a template in the place of an instance's empty database. Administrator; gives `FromTemplate`.

    Where that cannot be, nothing is changed, and the result says that Odoo has to install the modules itself.

    Attributes:
        owner: role to which everything in the copy is given.
        template: id of the template.
    """

    TASK: ClassVar[str] = "database-from-template"

    owner: str
    template: str


@dataclass(frozen=True)
class DatabaseEmpty(DatabaseDocument):
    """Put an empty database in the place of a copy that this operation made. Administrator; gives `Emptied`.

    A database that this operation did not make is left alone.
    """

    TASK: ClassVar[str] = "database-empty"

    owner: str


@dataclass(frozen=True)
class TemplateBegun(Shape):
    """Result of `template-begin`; `whole` says that the template is there already, and nothing has to be made."""

    database: str
    whole: bool


@dataclass(frozen=True)
class TemplatePacked(Shape):
    """Result of `template-pack`: how many modules, files and bytes of them went into the template."""

    modules: int
    files: int
    bytes: int


@dataclass(frozen=True)
class TemplateEntry(Shape):
    """One template of a server.

    Attributes:
        id: digest of what went into it.
        used: when a new database was last copied from it, else when it was made; ISO 8601 in UTC.
        size_bytes: on the server's disk.
    """

    id: str
    used: str
    size_bytes: int
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TemplateStock(Shape):
    """Result of `template-publish` and `template-prune`: what is there now, and the ids of what was dropped."""

    templates: tuple[TemplateEntry, ...]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class FromTemplate(Shape):
    """Result of `database-from-template`.

    Attributes:
        install: Odoo has to install the modules itself: the template was not to be had, and nothing was changed.
        reason: why.
        kept: an earlier attempt of this operation copied it.
        objects: how many were given to the new owner.
        duration_ms: of the whole task.
    """

    database: str
    template: str
    install: bool = False
    reason: str = ""
    kept: bool = False
    objects: int = 0
    size_bytes: int = 0
    duration_ms: int = 0


@dataclass(frozen=True)
class Emptied(Shape):
    """Result of `database-empty`; False where there was nothing of this operation."""

    emptied: bool
