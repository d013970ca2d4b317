# SPDX-License-Identifier: Apache-2.0
"""Documents and results of the tasks that back an instance up: into a repository, or as one archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.repository.manifest import SnapshotInstance, SnapshotRelease, SnapshotSizes
from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, Fence, check_database_name
from mooring.domain.work.repository import RepositorySettings

MOST_JOBS = 16


@dataclass(frozen=True)
class NamedFolder(Shape):
    """A folder of add-ons: the name that it has in the snapshot, and where it is for the task."""

    name: str
    path: str


@dataclass(frozen=True)
class Backup(Document):
    """Back an instance up into a repository, while it runs. As Odoo's user, with the owner's connection; `BackupResult`.

    Attributes:
        database: read in any case, also without `with_database`: it says which files belong to the instance.
        data_dir: Odoo's, on one mount with our folder in it; None where `with_filestore` is false.
        addons: folders of custom code.
        odoo_conf_file: goes into the snapshot without its secrets.
        instance_manifest: text of the instance's manifest; it names secrets, and holds none.
        jobs: tables that are dumped side by side.
        scratch: folder for temporary files, this task's own: what is in it is removed.
        scratch_bytes: how much of it may be used; None is what the file system has.
    """

    TASK: ClassVar[str] = "backup"

    connection: Connection
    fence: Fence
    instance: SnapshotInstance
    release: SnapshotRelease
    series: str
    database: str
    repository: RepositorySettings
    scratch: str
    data_dir: str | None = None
    addons: tuple[NamedFolder, ...] = ()
    odoo_conf_file: str | None = None
    instance_manifest: str | None = None
    tags: tuple[str, ...] = ()
    with_database: bool = True
    with_filestore: bool = True
    jobs: int = 2
    scratch_bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse names and mixtures that cannot work.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, self.data_dir if self.with_filestore else None, self.scratch, self.jobs)
        if not self.with_database and not self.with_filestore:
            raise ValueError("one of withDatabase and withFilestore must be true")
        if self.with_filestore and self.data_dir is None:
            raise ValueError("dataDir is needed for the filestore")
        if not self.instance.id:
            raise ValueError("instance.id must not be empty")


@dataclass(frozen=True)
class ArchiveStore(Shape):
    """One object of a store: `url` of its folder and the rest of its name.

    Attributes:
        credentials_dir: folder with `accessKeyId` and `secretAccessKey`; None: requests are not signed.
    """

    url: str
    key: str
    endpoint: str | None = None
    credentials_dir: str | None = None


@dataclass(frozen=True)
class BackupArchive(Document):
    """Write an instance as one archive, while it runs. As Odoo's user, with the owner's connection; `ArchiveResult`.

    Attributes:
        format: `zip` as Odoo's database manager makes and restores it; `dump` is `pg_dump -Fc` of the database alone.
        output: path of the archive; it gets its name when it is whole. A pipe or `/dev/fd/N` is written to as it is.
        store: instead: an object, which is there when it is whole.
    """

    TASK: ClassVar[str] = "backup-archive"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    output: str | None
    scratch: str
    format: Literal["zip", "dump"] = "zip"
    data_dir: str | None = None
    with_filestore: bool = True
    store: ArchiveStore | None = None

    def __post_init__(self) -> None:
        """Refuse names and mixtures that cannot work.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, self.data_dir, self.scratch, 1)
        if (self.output is None) == (self.store is None):
            raise ValueError("one of output and store must be given")
        if self.output is not None and not self.output.startswith("/"):
            raise ValueError(f"output {self.output!r} is not an absolute path")
        if self.format == "zip" and self.with_filestore and self.data_dir is None:
            raise ValueError("dataDir is needed for the filestore")


@dataclass(frozen=True)
class BackupResult(Shape):
    """Result of `backup`.

    Attributes:
        snapshot: id of the manifest.
        state: `Incomplete` where files were missing or not what their names say.
        layout: how the dump was made; None without the database.
        attempts: dumps that were begun, the last of them to its end.
        missing: files that are listed as missing.
        lost: those of them that the last snapshot still had.
        external: attachments outside the filestore, which the snapshot does not hold.
    """

    snapshot: str
    time: str
    state: Literal["Complete", "Incomplete"]
    sizes: SnapshotSizes
    duration_ms: int
    layout: Literal["directory", "custom"] | None
    attempts: int
    files: int
    missing: int
    lost: int
    external: int


@dataclass(frozen=True)
class ArchiveResult(Shape):
    """Result of `backup-archive`: bytes written, and how many files are in it or were not there."""

    size_bytes: int
    files: int
    missing: int
    duration_ms: int


def check_source(database: str, data_dir: str | None, scratch: str, jobs: int) -> None:
    """Refuse what leads elsewhere.

    Raises:
        ValueError: says which.
    """
    check_database_name(database)
    if "/" in database or database in (".", ".."):
        raise ValueError(f"database {database!r} cannot name a folder")
    for name, path in (("dataDir", data_dir), ("scratch", scratch)):
        if path is not None and (not path.startswith("/") or ".." in path.split("/") or path == "/"):
            raise ValueError(f"{name} {path!r} is not an absolute path")
    if not 1 <= jobs <= MOST_JOBS:
        raise ValueError(f"jobs {jobs} is not between 1 and {MOST_JOBS}")
