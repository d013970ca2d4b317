# SPDX-License-Identifier: Apache-2.0
"""Document and result of the task that takes a part out of a snapshot, without any restore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.repository_work import SnapshotRow

Kind = Literal["list", "path", "attachment", "table"]


@dataclass(frozen=True)
class SnapshotPart(Document):
    """Write a part of a snapshot to a file of the task's own; gives `SnapshotPartResult`.

    Attributes:
        instance: id or name; None where the snapshot's id is enough.
        snapshot: first digits of its id, or `latest`.
        kind: `list`: lines `SIZE NAME` of all that is in it; `path`: a tar of what the pattern names; `attachment`: the content
            of the attachment with that id; `table`: the rows of a table as CSV, the first of them its columns.
        what: the pattern, the id, or `TABLE` or `SCHEMA.TABLE`; empty for `list`.
        output: path of that file.
        scratch: folder for temporary files, this task's own: what is in it is removed.
    """

    TASK: ClassVar[str] = "snapshot-part"

    repository: RepositorySettings
    kind: Kind
    output: str
    scratch: str
    instance: str | None = None
    snapshot: str = "latest"
    what: str = ""

    def __post_init__(self) -> None:
        """Refuse what names nothing.

        Raises:
            ValueError: says which.
        """
        if (self.kind == "list") == bool(self.what):
            raise ValueError("what belongs to every kind but list")
        if not self.output.startswith("/") or not self.scratch.startswith("/"):
            raise ValueError("output and scratch must be absolute paths")


@dataclass(frozen=True)
class SnapshotPartResult(Shape):
    """Result of `snapshot-part`.

    Attributes:
        name: of the attachment, as a person gave it; else empty.
        count: files, or rows.
        size_bytes: of what was written.
    """

    snapshot: SnapshotRow
    name: str
    count: int
    size_bytes: int
