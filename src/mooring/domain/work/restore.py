# SPDX-License-Identifier: Apache-2.0
"""Documents and results of the tasks that bring a snapshot back: built aside, checked, and later swapped in.

Between building and swapping the caller has what was built under names of its own (`beside(role="building")`, for the
database and for the folder under `filestore/`), to neutralize it and to try it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.repository.manifest import MissingFile, ModuleVersion
from mooring.domain.work.backup import check_source
from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, Fence, check_database_name
from mooring.domain.work.repository import RepositorySettings

Take = Literal["building", "previous"]
BackAs = Literal["building", "previous", "safety"]


@dataclass(frozen=True)
class SnapshotChoice(Shape):
    """A snapshot: its instance's id or name, its namespace where blobs are shared in one, and its own id or `latest`."""

    instance: str
    namespace: str
    snapshot: str


@dataclass(frozen=True)
class DatabaseRestore(Document):
    """Restore a snapshot's database beside the instance's own. Administrator; gives `DatabaseRestoreResult`.

    A whole one of the same operation is kept, an incomplete one is made again.

    Attributes:
        connection: an administrator's: it makes the database and its extensions.
        owner: role that everything in it will belong to, and as which it is restored.
        owner_password_file: its password.
        database: the instance's own, which is not touched; it gives the settings of the new one.
        scratch: folder for the dump's small files and pipes, this task's own: what is in it is removed.
        free_bytes: free space where the server keeps its data; None where nobody knows.
        series: of the Odoo that will run on it; a snapshot of another one is refused. None asks for none.
        refuse_own: a snapshot of this very instance is refused: nobody said whether it goes on as the real data.
        release: digest of the release that will run on it; None where nobody knows.
    """

    TASK: ClassVar[str] = "database-restore"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    owner: str
    owner_password_file: str | None
    repository: RepositorySettings
    source: SnapshotChoice
    scratch: str
    jobs: int = 2
    free_bytes: int | None = None
    series: str | None = None
    refuse_own: bool = False
    release: str | None = None

    def __post_init__(self) -> None:
        """Refuse names that cannot work.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, None, self.scratch, self.jobs)
        if not self.instance or not self.owner:
            raise ValueError("instance and owner must not be empty")


@dataclass(frozen=True)
class FilestoreRestore(Document):
    """Restore a snapshot's filestore beside the instance's own. As Odoo's user; gives `FilestoreRestoreResult`.

    A whole one of the same operation is kept, an incomplete one is gone on with.

    Attributes:
        connection: the owner's: the files are compared with what the restored database names; None does not.
        database: the instance's own; names the current filestore, whose files are linked where they fit.
        jobs: files that are fetched side by side.
    """

    TASK: ClassVar[str] = "filestore-restore"

    fence: Fence
    instance: str
    data_dir: str
    database: str
    repository: RepositorySettings
    source: SnapshotChoice
    connection: Connection | None = None
    jobs: int = 4

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere.

        Raises:
            ValueError: says which.
        """
        check_source(self.database, self.data_dir, self.data_dir, self.jobs)
        if not self.instance:
            raise ValueError("instance must not be empty")


@dataclass(frozen=True, kw_only=True)
class _Swap(Document):
    """What the exchange of a database and that of a filestore have in common.

    Attributes:
        take: `building` is what this fence's operation built; `previous` is what an earlier operation replaced.
        replaced_by: with `previous`, that operation.
        back_as: with `previous`, takes back what `replaced_by` did: what is current gets the role that it had before, and
            where that operation replaced nothing, nothing is done. None keeps what is current as `previous`.
        back_of: with `back_as`, the operation that it had it from.
    """

    fence: Fence
    instance: str
    database: str
    take: Take = "building"
    replaced_by: str | None = None
    back_as: BackAs | None = None
    back_of: str | None = None

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere, the server's own databases, and a mixture that names nothing.

        Raises:
            ValueError: says which.
        """
        check_database_name(self.database)
        if (self.take == "previous") != (self.replaced_by is not None):
            raise ValueError("replacedBy belongs to take previous, and take previous needs it")
        if self.replaced_by == self.fence.operation:
            raise ValueError("replacedBy must be an earlier operation")
        if (self.back_as is None) != (self.back_of is None):
            raise ValueError("backAs and backOf belong together")
        if self.back_as is not None and self.replaced_by is None:
            raise ValueError("backAs belongs to take previous")


@dataclass(frozen=True, kw_only=True)
class DatabaseSwap(_Swap):
    """Make the restored database current, or a previous one again. Administrator; gives `DatabaseSwapResult`."""

    TASK: ClassVar[str] = "database-swap"

    connection: Connection


@dataclass(frozen=True, kw_only=True)
class FilestoreSwap(_Swap):
    """Make the restored filestore current, or a previous one again. As Odoo's user; gives `FilestoreSwapResult`."""

    TASK: ClassVar[str] = "filestore-swap"

    data_dir: str

    def __post_init__(self) -> None:
        """As `_Swap`, and refuse a folder that leads elsewhere.

        Raises:
            ValueError: says which.
        """
        super().__post_init__()
        check_source(self.database, self.data_dir, self.data_dir, 1)


@dataclass(frozen=True)
class DatabaseRestoreResult(Shape):
    """Result of `database-restore`.

    Attributes:
        database: name of the restored one; its comment says `building`.
        kept: a whole one of this operation was there already; then only its name and the snapshot are said.
        snapshot: its id.
        origin: id of the instance that the snapshot is of.
        rows: of all tables, compared with the snapshot's.
        extensions: those in it.
        locale: what it was made with, `COLLATE` or `COLLATE/CTYPE`.
        select: `named` where the snapshot is of the release that will run on it; `changed` where it is of another one, whose
            modules have to be compared.
        analyzed: tables that got the planner's statistics; the other `unanalyzed` ones are left to autovacuum.
    """

    database: str
    kept: bool
    snapshot: str
    origin: str
    series: str
    modules: tuple[ModuleVersion, ...]
    tables: int
    rows: int
    extensions: tuple[str, ...]
    locale: str
    size_bytes: int
    duration_ms: int
    analyzed: int = 0
    unanalyzed: int = 0
    analyze_ms: int = 0
    select: Literal["changed", "named"] = "named"


@dataclass(frozen=True)
class FilestoreRestoreResult(Shape):
    """Result of `filestore-restore`.

    Attributes:
        folder: of the restored filestore, relative to the volume.
        kept: a whole one of this operation was there already.
        files: in it; `linked` of them were there already, `fetched` came from the repository.
        missing: what the snapshot lists as missing, and so is not there, or not what its name says.
    """

    folder: str
    kept: bool
    snapshot: str
    files: int
    linked: int
    fetched: int
    bytes: int
    missing: tuple[MissingFile, ...]
    duration_ms: int


@dataclass(frozen=True)
class DatabaseSwapResult(Shape):
    """Result of `database-swap`; `swapped` is False where an earlier run did it; `previous` is what was current."""

    database: str
    swapped: bool
    previous: str | None


@dataclass(frozen=True)
class FilestoreSwapResult(Shape):
    """Result of `filestore-swap`; `swapped` is False where an earlier run did it; `previous` is what was current."""

    swapped: bool
    previous: str | None
