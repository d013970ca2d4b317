# SPDX-License-Identifier: Apache-2.0
"""Documents and results of the tasks that copy a running instance's data beside another's: database first, then files. Pure.

The source is only read. What was built is swapped in by `database-swap` and `filestore-swap`, as after a restore.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.repository.manifest import ModuleVersion
from mooring.domain.work.backup import check_source
from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, Fence, check_database_name

FilesMethod = Literal["copy", "skip"]


@dataclass(frozen=True)
class LiveSource(Shape):
    """The instance that is copied.

    Attributes:
        instance: its id, which its database has to carry.
        database: its current database.
        connection: its owner's.
    """

    instance: str
    database: str
    connection: Connection

    def __post_init__(self) -> None:
        """Refuse names that cannot work.

        Raises:
            ValueError: says which.
        """
        check_database_name(self.database)
        if not self.instance:
            raise ValueError("instance must not be empty")


@dataclass(frozen=True)
class DatabaseCopy(Document):
    """Copy a running database beside the instance's own. Administrator; gives `DatabaseCopyResult`.

    A whole one of the same operation is kept, an incomplete one is made again.

    Attributes:
        connection: an administrator's of the server that the copy goes to.
        database: the instance's own, which is not touched.
        owner: role that everything in the copy will belong to, and as which it is restored.
        owner_password_file: its password.
        scratch: folder for temporary files, this task's own: what is in it is removed.
        scratch_bytes: how much of it may be used; None is what is free. Where the dump does not fit it is streamed.
        jobs: tables that are dumped and restored side by side.
        free_bytes: free space where the server keeps its data; None where nobody knows.
        series: the copy's release; a source of another series is refused. None takes any.
    """

    TASK: ClassVar[str] = "database-copy"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    owner: str
    owner_password_file: str | None
    source: LiveSource
    scratch: str
    scratch_bytes: int | None = None
    jobs: int = 2
    free_bytes: int | None = None
    series: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work, and a copy of an instance into itself.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, None, self.scratch, self.jobs)
        if not self.instance or not self.owner:
            raise ValueError("instance and owner must not be empty")
        if self.instance == self.source.instance:
            raise ValueError("an instance is not copied into itself")


@dataclass(frozen=True)
class DatabaseCopyResult(Shape):
    """Result of `database-copy`.

    Attributes:
        database: name of the copy; its comment says `building`.
        kept: a whole one of this operation was there already.
        origin: id of the instance that was copied.
        series: of Odoo, such as `14.0`.
        modules: that are installed, with their versions.
        rows: of all tables, compared with the source's.
        locale: what it was made with, `COLLATE` or `COLLATE/CTYPE`.
        method: `folder` where the dump was kept for a while and restored side by side, `stream` through a pipe, `none`
            where the copy was kept.
        attempts: how often the source was read.
    """

    database: str
    kept: bool
    origin: str
    series: str
    modules: tuple[ModuleVersion, ...]
    tables: int
    rows: int
    extensions: tuple[str, ...]
    locale: str
    size_bytes: int
    method: Literal["folder", "stream", "none"]
    attempts: int
    duration_ms: int


@dataclass(frozen=True)
class FilestoreCopy(Document):
    """Have the files that a copied database names, beside the instance's own. As Odoo's user; gives `FilesCopied`.

    Files that the instance has already are linked within its own volume. What it lacks is copied from the source, whose
    volume is only read: never a hard link, since a change of owner or a write would reach the source.
    A whole one of the same operation is kept, an incomplete one is gone on with.

    Attributes:
        data_dir: of the instance.
        database: the instance's own; names its current filestore.
        connection: the owner's, to read the names from the copied database.
        source_filestore: folder of the source's filestore; None with method `skip`.
        method: `skip` copies nothing: the instance goes on with the files that it has.
        jobs: files that are worked on side by side.
    """

    TASK: ClassVar[str] = "filestore-copy"

    fence: Fence
    instance: str
    data_dir: str
    database: str
    connection: Connection
    source_filestore: str | None
    method: FilesMethod = "copy"
    jobs: int = 4

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, self.data_dir, self.data_dir, self.jobs)
        if not self.instance:
            raise ValueError("instance must not be empty")
        if (self.method == "skip") != (self.source_filestore is None):
            raise ValueError("sourceFilestore belongs to method copy, which needs it")
        path = self.source_filestore
        if path is not None and (not path.startswith("/") or ".." in path.split("/")):
            raise ValueError(f"sourceFilestore {path!r} is not an absolute path")


@dataclass(frozen=True)
class FilesCopied(Shape):
    """Result of `filestore-copy`.

    Attributes:
        folder: of the new filestore, relative to the volume.
        kept: a whole one of this operation was there already; then nothing is counted.
        files: in it: `linked` were the instance's already, `copied` came from the source.
        copied_bytes: the size of those that came.
        reflinked: of them, those whose content the file system shares.
        missing: files that the database names and that are not there: `absent` of them, and the first of their names.
        damaged: names of files whose content is not what their name says, in the source too; they are copied as they are.
    """

    folder: str
    kept: bool
    files: int
    linked: int
    copied: int
    copied_bytes: int
    reflinked: int
    absent: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    duration_ms: int
