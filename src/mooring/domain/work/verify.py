# SPDX-License-Identifier: Apache-2.0
"""Document and result of the task that verifies one snapshot where it lies, without restoring it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.restore import SnapshotChoice


@dataclass(frozen=True)
class SnapshotVerify(Document):
    """Verify a snapshot and everything that it needs; gives `SnapshotVerifyResult`.

    Attributes:
        read_percent: share of its content that is read and compared; 0 looks at what is there and how large it is.
    """

    TASK: ClassVar[str] = "snapshot-verify"

    repository: RepositorySettings
    source: SnapshotChoice
    read_percent: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no share.

        Raises:
            ValueError: it is not between 0 and 100.
        """
        if not 0 <= self.read_percent <= 100:
            raise ValueError(f"readPercent {self.read_percent} is not between 0 and 100")


@dataclass(frozen=True)
class SnapshotVerifyResult(Shape):
    """Result of `snapshot-verify`: the snapshot is whole. Sizes in bytes.

    Attributes:
        snapshot: its id.
        time: when it was taken, `YYYY-MM-DDThh:mm:ssZ`.
        state: `Incomplete` where files were missing before it was taken: it is whole, and lacks them.
        server_major: of the PostgreSQL that its database is of; None without a database.
        packs: that were read.
        read_bytes: of those.
    """

    snapshot: str
    time: str
    state: Literal["Complete", "Incomplete"]
    files: int
    database_bytes: int
    server_major: int | None
    packs: int
    read_bytes: int
    duration_ms: int
