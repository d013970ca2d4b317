# SPDX-License-Identifier: Apache-2.0
"""The manifest of a snapshot, and the references to content in it: shapes only. Fixed by the repository's format, version 1.

Times are texts `YYYY-MM-DDThh:mm:ssZ` in UTC; sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mooring.domain.work.codec import Shape

FORMAT = 1


@dataclass(frozen=True)
class StreamRef(Shape):
    """Where content is: a blob (`depth` 0), or lists of blob ids, `depth` levels of them.

    Attributes:
        size: bytes of the content.
        depth: levels of lists above the content's blobs.
        id: of the only blob, or of the top list; lower-case hex.
    """

    size: int
    depth: int
    id: str


@dataclass(frozen=True)
class SnapshotInstance(Shape):
    """Whose snapshot it is; `id` is the instance id that is kept on the data itself."""

    id: str
    namespace: str
    name: str
    environment: Literal["Production", "Staging"]


@dataclass(frozen=True)
class SnapshotRelease(Shape):
    """The code that ran: an image with its digest (or image id), or a commit."""

    version: str
    image: str | None = None
    digest: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class ModuleVersion(Shape):
    """An installed module, with the version that the database holds."""

    name: str
    version: str


@dataclass(frozen=True)
class DumpEntry(Shape):
    """One file of the dump's folder; `rows` of the table it holds, where it holds one."""

    file: str
    stream: StreamRef
    rows: int | None = None


@dataclass(frozen=True)
class RowCount(Shape):
    """Rows of a table in the dump's snapshot; `table` is schema and name, quoted as PostgreSQL writes them."""

    table: str
    rows: int


@dataclass(frozen=True)
class SnapshotDatabase(Shape):
    """The dump: a folder of `pg_dump -Fd` (`toc` is toc.dat), or one stream of `pg_dump -Fc` (`toc` is that stream)."""

    name: str
    layout: Literal["directory", "custom"]
    server_major: int
    server_version: str
    encoding: str
    collation: str
    size_bytes: int
    toc: StreamRef
    entries: tuple[DumpEntry, ...]
    rows: tuple[RowCount, ...]
    extensions: tuple[str, ...]
    roles: tuple[str, ...]
    large_objects: int


@dataclass(frozen=True)
class MissingFile(Shape):
    """A file that the database names and that was not there, or not what its name says; `stream` is its true content."""

    name: str
    reason: Literal["missing", "truncated", "altered", "lost"]
    stream: StreamRef | None = None


@dataclass(frozen=True)
class ExternalFiles(Shape):
    """Attachments kept outside the filestore, which the snapshot does not hold."""

    scheme: str
    count: int


@dataclass(frozen=True)
class SnapshotFilestore(Shape):
    """The files: lines `name SP size SP depth SP id`, sorted by name; with `base`, lines with `+` or `-` before them."""

    count: int
    size_bytes: int
    list: StreamRef
    missing: tuple[MissingFile, ...]
    external: tuple[ExternalFiles, ...]
    base: StreamRef | None = None


@dataclass(frozen=True)
class NamedStream(Shape):
    """A file, or the tar stream of a folder of add-ons."""

    name: str
    stream: StreamRef


@dataclass(frozen=True)
class SnapshotSizes(Shape):
    """What the backup moved: `content` of everything in the snapshot, `added` blobs before and `stored` after compression."""

    content: int
    added: int
    stored: int
    blobs: int
    new_blobs: int
    requests: int


@dataclass(frozen=True)
class SnapshotManifest(Shape):
    """One snapshot, whole: what is in it and where it came from."""

    format: int
    id: str
    time: str
    tool: str
    instance: SnapshotInstance
    release: SnapshotRelease
    series: str
    state: Literal["Complete", "Incomplete"]
    tags: tuple[str, ...]
    modules: tuple[ModuleVersion, ...]
    addons: tuple[NamedStream, ...]
    files: tuple[NamedStream, ...]
    sizes: SnapshotSizes
    duration_ms: int
    database: SnapshotDatabase | None = None
    filestore: SnapshotFilestore | None = None
