# SPDX-License-Identifier: Apache-2.0
"""Documents and results of the tasks that take in an archive which a person brings, and build an instance's data from it.

`archive-receive` checks and unpacks it into our own folder on the instance's volume; `database-create` makes the empty
database beside the present one; `database-load` fills it as its owner; `filestore-load` puts the files beside the present
ones. What they build has the names and marks of a restore, and is tried and swapped in like one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.work.backup import check_source
from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, Fence

Kind = Literal["odoo-zip", "click-odoo", "stack", "dump"]
Layout = Literal["plain", "custom", "tar"]


@dataclass(frozen=True)
class OdooManager(Shape):
    """An Odoo that runs elsewhere: its address, its database, and the file with its master password."""

    url: str
    database: str
    password_file: str


@dataclass(frozen=True)
class ArchiveSource(Shape):
    """Where the archive is: exactly one of `path`, `url` and `odoo`.

    Attributes:
        path: of a file or folder that was put into the task.
        url: `https://…`, or an object of a store: `s3://BUCKET/KEY` and the like.
        endpoint: of the store.
        credentials_dir: folder with the store's `accessKeyId` and `secretAccessKey`.
        filestore: folder in the task with the attachments of a dump that has none.
    """

    path: str | None = None
    url: str | None = None
    endpoint: str | None = None
    credentials_dir: str | None = None
    odoo: OdooManager | None = None
    filestore: str | None = None

    def __post_init__(self) -> None:
        """Refuse none and several.

        Raises:
            ValueError: not exactly one source.
        """
        if sum(one is not None for one in (self.path, self.url, self.odoo)) != 1:
            raise ValueError("exactly one of path, url and odoo must be given")


@dataclass(frozen=True)
class ArchiveReceive(Document):
    """Check an archive and unpack it on the instance's volume. As Odoo's user; gives `ArchiveReceived`.

    Attributes:
        series: of the instance's Odoo; an archive that says another one is refused.
    """

    TASK: ClassVar[str] = "archive-receive"

    fence: Fence
    instance: str
    data_dir: str
    database: str
    source: ArchiveSource
    series: str

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, self.data_dir, self.data_dir, 1)
        if not self.instance:
            raise ValueError("instance must not be empty")


@dataclass(frozen=True)
class ArchiveReceived(Shape):
    """Result of `archive-receive`.

    Attributes:
        series: of Odoo, as the archive says it; empty where it says nothing.
        server_major: of the PostgreSQL that was dumped; 0 where it is not said.
        dump_bytes: of the dump, unpacked.
        files: attachments; `altered` of them are not what their names say.
        filestore: whether attachments came with it, be it none.
        skipped: entries that are of no use here.
        addons: modules of custom code in it; they are not taken in.
    """

    kind: Kind
    layout: Layout
    series: str
    server_major: int
    dump_bytes: int
    files: int
    bytes: int
    altered: int
    filestore: bool
    skipped: int
    addons: tuple[str, ...]


@dataclass(frozen=True)
class DatabaseCreate(Document):
    """Make the empty database beside the instance's own. Administrator; gives `DatabaseCreated`.

    Attributes:
        server_major: of the server that was dumped; an older one than that is refused. 0 where it is not known.
        dump_bytes: of the dump, to compare with the room.
        free_bytes: free space where the server keeps its data; None where nobody knows.
    """

    TASK: ClassVar[str] = "database-create"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    owner: str
    server_major: int = 0
    dump_bytes: int = 0
    free_bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse names that cannot work.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, None, "/tmp/none", 1)  # noqa: S108 - no path of this task
        if not self.instance or not self.owner:
            raise ValueError("instance and owner must not be empty")


@dataclass(frozen=True)
class DatabaseCreated(Shape):
    """Result of `database-create`: its name, and whether it was there already."""

    database: str
    kept: bool


@dataclass(frozen=True)
class DatabaseLoad(Document):
    """Load the received dump into that database, as its owner; gives `DatabaseLoaded`."""

    TASK: ClassVar[str] = "database-load"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    data_dir: str
    scratch: str

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, self.data_dir, self.scratch, 1)


@dataclass(frozen=True)
class DatabaseLoaded(Shape):
    """Result of `database-load`; `kept` where an earlier run loaded it to its end."""

    database: str
    kept: bool
    statements: int
    tables: int
    rows: int
    passed: int
    size_bytes: int
    duration_ms: int


@dataclass(frozen=True)
class FilestoreLoad(Document):
    """Put the received files beside the instance's own, compared with the loaded database; gives `FilestoreLoaded`."""

    TASK: ClassVar[str] = "filestore-load"

    fence: Fence
    instance: str
    data_dir: str
    database: str
    connection: Connection

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, self.data_dir, self.data_dir, 1)


@dataclass(frozen=True)
class FilestoreLoaded(Shape):
    """Result of `filestore-load`.

    Attributes:
        missing: files that the database names and that did not come with the archive; `named` are the first of them.
    """

    folder: str
    kept: bool
    files: int
    missing: int
    named: tuple[str, ...]
