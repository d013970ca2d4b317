# SPDX-License-Identifier: Apache-2.0
"""Documents and results of the tasks that look after a repository, on no instance's side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.repository import RepositorySettings


@dataclass(frozen=True)
class RepositoryInit(Document):
    """Make the repository where there is none; gives `RepositoryFacts`. One that is there stays as it is."""

    TASK: ClassVar[str] = "repository-init"

    repository: RepositorySettings


@dataclass(frozen=True)
class RepositoryFacts(Shape):
    """Result of `repository-init`.

    Attributes:
        created: it was made now.
        conditional_writes: the store refuses to overwrite when told to; without that one host alone prunes.
        passphrases: how many open it; 0 without encryption.
    """

    id: str
    created: bool
    format: int
    encrypted: bool
    conditional_writes: bool
    passphrases: int


@dataclass(frozen=True)
class SnapshotList(Document):
    """List snapshots, the newest first; gives `SnapshotRows`.

    Attributes:
        instance: id or name; None is all.
        limit: at most so many.
    """

    TASK: ClassVar[str] = "snapshot-list"

    repository: RepositorySettings
    instance: str | None = None
    limit: int = 500


@dataclass(frozen=True)
class SnapshotRow(Shape):
    """One snapshot, as lists show it; sizes in bytes."""

    id: str
    time: str
    namespace: str
    name: str
    instance: str
    series: str
    image: str | None
    state: Literal["Complete", "Incomplete"]
    tags: tuple[str, ...]
    content: int
    stored: int
    files: int
    database: bool
    filestore: bool


@dataclass(frozen=True)
class SnapshotRows(Shape):
    """Result of `snapshot-list`; `more` were left out, `damaged` manifests cannot be read."""

    snapshots: tuple[SnapshotRow, ...]
    more: int
    damaged: tuple[str, ...]


@dataclass(frozen=True)
class SnapshotRead(Document):
    """Read what a snapshot keeps of its instance's manifest; gives `SnapshotText`.

    Attributes:
        instance: id or name.
        snapshot: first digits of its id, or `latest`.
    """

    TASK: ClassVar[str] = "snapshot-read"

    repository: RepositorySettings
    instance: str
    snapshot: str = "latest"


@dataclass(frozen=True)
class SnapshotText(Shape):
    """Result of `snapshot-read`: the snapshot, and the instance's manifest as it was then (JSON); None where it has none."""

    snapshot: SnapshotRow
    manifest: str | None


@dataclass(frozen=True)
class RepositoryCheck(Document):
    """Check the repository; gives `CheckResult`.

    Attributes:
        read_percent: share of the content that is read and compared; 0 compares names and tables only.
        repair: first make damaged indexes again from the packs, and remove them.
    """

    TASK: ClassVar[str] = "repository-check"

    repository: RepositorySettings
    read_percent: int = 0
    repair: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no share.

        Raises:
            ValueError: it is not between 0 and 100.
        """
        if not 0 <= self.read_percent <= 100:
            raise ValueError(f"readPercent {self.read_percent} is not between 0 and 100")


@dataclass(frozen=True)
class Fault(Shape):
    """Something wrong: the object, what is wrong with it, and whom it hurts (snapshots and files, at most 20)."""

    object: str
    reason: str
    hurts: tuple[str, ...]


@dataclass(frozen=True)
class Repaired(Shape):
    """What a repair did.

    Attributes:
        packs: that an index names again.
        removed: damaged indexes that are gone.
        unreadable: packs that no index names and that are damaged themselves, with how that shows; at most 20.
        refused: damaged indexes that the store keeps, with why; at most 20.
    """

    packs: int
    removed: int
    unreadable: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class CheckResult(Shape):
    """Result of `repository-check`; `more_faults` were left out of `faults`; `repaired` is None where nobody asked."""

    snapshots: int
    packs: int
    blobs: int
    read_bytes: int
    faults: tuple[Fault, ...]
    more_faults: int
    repaired: Repaired | None = None


@dataclass(frozen=True)
class KeepRule(Shape):
    """Which snapshots stay: counts by period, and all that are younger than `within_s` seconds."""

    last: int = 0
    hourly: int = 0
    daily: int = 7
    weekly: int = 4
    monthly: int = 3
    yearly: int = 0
    within_s: int | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True)
class InstanceRule(Shape):
    """The rule of one instance, by its id."""

    instance: str
    rule: KeepRule


@dataclass(frozen=True)
class RepositoryPrune(Document):
    """Delete snapshots that no rule keeps, mark what nothing needs, delete what was marked a grace ago; `PruneResult`.

    Attributes:
        rule: for instances without one of their own.
        instances: rules of their own.
        only: id of the one instance whose snapshots may go; None is all.
        dry_run: say what would be done, and do nothing.
    """

    TASK: ClassVar[str] = "repository-prune"

    repository: RepositorySettings
    rule: KeepRule = KeepRule()
    instances: tuple[InstanceRule, ...] = ()
    only: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class KeptSnapshot(Shape):
    """A snapshot with the reasons for which it stays; without any, it goes."""

    snapshot: SnapshotRow
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PruneResult(Shape):
    """Result of `repository-prune`; sizes in bytes.

    Attributes:
        snapshots: all, with why they stay.
        marked: bytes that nothing needs, and that go after the grace.
        deleted: bytes that went now.
        refused: objects that the store keeps (locked, or no right to delete), with why; at most 20.
    """

    snapshots: tuple[KeptSnapshot, ...]
    marked: int
    deleted: int
    refused: tuple[str, ...]


@dataclass(frozen=True)
class RepositoryStats(Document):
    """Add up what the repository holds; gives `StatsResult`."""

    TASK: ClassVar[str] = "repository-stats"

    repository: RepositorySettings


@dataclass(frozen=True)
class StatsResult(Shape):
    """Result of `repository-stats`; sizes in bytes; `content` counts a blob once for each snapshot that has it."""

    snapshots: int
    instances: int
    packs: int
    blobs: int
    stored: int
    unique: int
    content: int


@dataclass(frozen=True)
class RepositoryPassphrase(Document):
    """List, add or remove passphrases; gives `PassphraseRows`.

    Attributes:
        new_file: the new one, for `add`.
        label: of the new one, for people.
        key: id of the one to remove; the last one is never removed.
    """

    TASK: ClassVar[str] = "repository-passphrase"

    repository: RepositorySettings
    action: Literal["list", "add", "remove"] = "list"
    new_file: str | None = None
    label: str = ""
    key: str | None = None


@dataclass(frozen=True)
class PassphraseRow(Shape):
    """One passphrase: its key's id, label, when it was added, and whether it is the one in use."""

    id: str
    label: str
    created: str
    current: bool


@dataclass(frozen=True)
class PassphraseRows(Shape):
    """Result of `repository-passphrase`: those that are there afterwards."""

    passphrases: tuple[PassphraseRow, ...]
