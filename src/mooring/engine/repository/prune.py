# SPDX-License-Identifier: Apache-2.0
"""Deletes what no snapshot needs any more, in two runs: one names packs, one after the grace deletes them.

The rules are in docs/reference/repository-format.md ("How it is pruned"), with the reason why no backup needs a lock. A run may
be killed between any two requests. Called by `mooring repository prune` and by the agent after retention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mooring.domain.repository import names
from mooring.domain.repository.manifest import StreamRef
from mooring.domain.repository.pruning import MIN_GRACE, PackUse, PackVerdict, decide_packs
from mooring.drivers.objects.errors import ObjectChanged, ObjectExists, ObjectMissing
from mooring.drivers.objects.store import ObjectInfo, Refusal
from mooring.engine.repository.catalog import Catalog
from mooring.engine.repository.contents import walk_snapshot
from mooring.engine.repository.errors import BlobMissing, ObjectDamaged, PruneRefused
from mooring.engine.repository.generation import raise_generation, read_generation
from mooring.engine.repository.index import IndexedPack
from mooring.engine.repository.marks import Mark, read_marks, write_mark
from mooring.engine.repository.reader import PackReader
from mooring.engine.repository.repository import Repository
from mooring.engine.repository.storing import INDEX_BYTES, INDEX_PACKS, BlobStorer
from mooring.engine.repository.table import Place

_MANY_INDEXES = 32
_SMALL_INDEX = 16
_LOOKS = 3


@dataclass
class PruneReport:
    """What a prune of one scope did, or would do.

    Attributes:
        scope: where.
        named: packs that it named for deletion, with reasons.
        deleted: packs that it deleted.
        deleted_bytes: of those.
        copied_blobs: blobs in use that it moved to new packs.
        copied_bytes: content of those.
        waiting: packs that were named and whose grace is not over.
        due: when the first of those may go, by the store's clock.
        refused: what could not be deleted, and why; it stays and is tried again.
        requests: sent.
    """

    scope: str
    named: tuple[PackVerdict, ...] = ()
    deleted: int = 0
    deleted_bytes: int = 0
    copied_blobs: int = 0
    copied_bytes: int = 0
    waiting: int = 0
    due: datetime | None = None
    refused: list[Refusal] = field(default_factory=list)
    requests: int = 0


def prune_scope(
    repository: Repository,
    scope: str,
    *,
    grace: timedelta = MIN_GRACE,
    sole_pruner: bool = False,
    dry_run: bool = False,
) -> PruneReport:
    """Prune one scope. Safe to repeat, and beside backups.

    Args:
        repository: open.
        scope: of which to prune.
        grace: what is named is deleted so much later at the earliest; a day at least.
        sole_pruner: whether nobody else prunes, where the store cannot refuse a write.
        dry_run: only look; the store's `clock` is written.

    Raises:
        PruneRefused: something cannot be read, content in use is missing, or somebody else prunes at the same time.
    """
    if grace < MIN_GRACE:
        raise PruneRefused(f"The grace of a prune is a day at least, not {grace}.", resolution="Give a longer grace.")
    if not repository.config.conditional_writes and not sole_pruner:
        raise PruneRefused(
            f"{repository.store.place} cannot refuse a write, so that only one host may prune.",
            resolution="Set `pruneHost` to the name of one machine (`hostname` says it), and prune there.",
        )
    run = _Prune(repository, scope, grace=grace)
    before = repository.store.requests.total
    try:
        run.look(dry_run=dry_run)
        if not dry_run:
            run.delete_due()
        run.name(dry_run=dry_run)
    except (ObjectChanged, ObjectExists, ObjectMissing) as error:
        raise PruneRefused(f"Somebody else prunes {scope} at {repository.store.place} at the same time.") from error
    finally:
        run.close()
    run.report.requests = repository.store.requests.total - before
    return run.report


class _Newer(Exception):
    """A manifest names content that no index named when the indexes were read."""


class _Prune:
    """One run over one scope."""

    def __init__(self, repository: Repository, scope: str, *, grace: timedelta) -> None:
        self._repository = repository
        self._store = repository.store
        self._grace = grace
        self._scope = scope
        self.report = PruneReport(scope)
        self._catalog = Catalog(repository.store, repository.keys, scope, cache=repository.cache)
        self._reader = PackReader(self._catalog, refresh=False)
        self._storer: BlobStorer | None = None
        self._packs: dict[bytes, ObjectInfo] = {}
        self._marks: list[Mark] = []
        self._absent: frozenset[bytes] = frozenset()
        self._looked = False
        self._now: datetime | None = None

    def close(self) -> None:
        """Stop the threads."""
        self._reader.close()
        if self._storer is not None:
            self._storer.close()

    def look(self, *, dry_run: bool) -> None:
        """Read everything that says what is there and what is in use."""
        try:
            self._marks = read_marks(self._store, self._repository.keys, self._scope)
        except ObjectDamaged as error:
            raise PruneRefused("A mark cannot be read.", details=error.brief) from error
        self._now = self._store.now()
        if self._due_marks() and not dry_run:
            # Whoever else is about to delete learns of it, before they or we have read what is there.
            old = read_generation(self._store, self._scope)
            raise_generation(self._store, self._scope, old=old, deleting=old.deleting)
        for _ in range(_LOOKS - 1):
            try:
                self._look_once()
            except _Newer:
                # A backup has ended since the indexes were read.
                continue
            return
        self._look_once(last=True)

    def _look_once(self, *, last: bool = False) -> None:
        number = self._catalog.generation.number if self._looked else None
        self._catalog.load(fresh=True)
        self._looked = True
        if number not in (None, self._catalog.generation.number):
            raise PruneRefused(f"Somebody else prunes {self._scope} at {self._store.place} at the same time.")
        if self._catalog.damaged:
            named = ", ".join(item.key for item in self._catalog.damaged)
            raise PruneRefused(
                f"What is in use is not known: {named} cannot be read.",
                resolution="Run `mooring repository check --repair`, which makes damaged indexes again.",
            )
        self._packs = {}
        for info in self._store.list_below(names.packs(self._scope)):
            pack_id = names.last_id(info.key)
            if pack_id is not None:
                self._packs[pack_id] = info
        table = self._catalog.table
        absent = {number for number, pack in enumerate(table.packs) if pack.id not in self._packs}
        self._absent = frozenset(table.packs[number].id for number in absent)
        table.dead |= absent
        try:
            self._mark_used(absent)
        except PruneRefused as error:
            if last or not isinstance(error.__cause__, BlobMissing):
                raise
            raise _Newer from error

    def _mark_used(self, absent: set[int]) -> None:
        snapshots, damaged = self._repository.snapshots(scope=self._scope)
        if damaged:
            raise PruneRefused(
                f"What is in use is not known: {', '.join(item.key for item in damaged)} cannot be read."
            )
        table = self._catalog.table
        done: set[StreamRef] = set()
        lists: set[bytes] = set()

        def visit(blob_id: bytes, depth: int) -> bool:
            if not table.mark(blob_id):
                raise BlobMissing(f"No index names blob {blob_id.hex()}.")
            if depth and blob_id in lists:
                return False
            if depth:
                lists.add(blob_id)
            return True

        for snapshot in snapshots:
            try:
                walk_snapshot(self._reader, snapshot.manifest, visit, done=done)
            except (BlobMissing, ObjectMissing, ObjectDamaged) as error:
                raise PruneRefused(
                    f"Snapshot {snapshot.id[:8]} lacks content: what is in use is not known.",
                    details=error.brief,
                    resolution="Run `mooring repository check`; forget the snapshots that it names, then prune again.",
                ) from error
        for place, used in table.entries():
            if used and place.pack in absent and self._nowhere(place.blob.id, absent):
                pack = names.pack(self._scope, table.packs[place.pack].id)
                raise PruneRefused(
                    f"{pack} is not there, and snapshots need blob {place.blob.id.hex()} of it.",
                    resolution="Run `mooring repository check`; forget the snapshots that it names, then prune again.",
                )

    def _nowhere(self, blob_id: bytes, absent: set[int]) -> bool:
        return all(number in absent for number in self._catalog.table.packs_of(blob_id))

    def delete_due(self) -> None:
        """Delete what was named a grace ago."""
        table = self._catalog.table
        due_marks = self._due_marks()
        due = frozenset[bytes]().union(*(mark.packs for mark in due_marks)) & self._catalog.generation.deleting
        if not due_marks:
            return
        self._copy([place for place, used in table.entries() if used and place.pack in table.dead])
        now = read_generation(self._store, self._scope, known=self._catalog.generation)
        if now.number != self._catalog.generation.number:
            raise PruneRefused(f"Somebody else prunes {self._scope} at {self._store.place} at the same time.")
        deletable = self._replace_indexes(due)
        there = {pack_id: info for pack_id, info in self._packs.items() if pack_id in deletable}
        refused = self._store.delete(info.key for info in there.values())
        self.report.refused += refused
        stayed = {names.last_id(refusal.key) for refusal in refused}
        for pack_id, info in there.items():
            if pack_id not in stayed:
                del self._packs[pack_id]
                self.report.deleted += 1
                self.report.deleted_bytes += info.size
        gone = [mark for mark in due_marks if not any(pack in self._packs for pack in mark.packs)]
        self.report.refused += self._store.delete(mark.key for mark in gone)
        self._marks = [mark for mark in self._marks if mark not in gone]

    def _replace_indexes(self, due: frozenset[bytes]) -> frozenset[bytes]:
        """Write indexes without the packs that are due, delete the old ones; the packs that no index names any more."""
        catalog = self._catalog
        small = [index_id for index_id, packs in catalog.indexes.items() if len(packs) < _SMALL_INDEX]
        merged = set(small) if len(small) > _MANY_INDEXES else set()
        # What an index names that is not there goes with it: an earlier run was killed before it could delete the index.
        lost = self._absent
        old = [index_id for index_id, packs in catalog.indexes.items() if packs & (due | lost) or index_id in merged]
        kept = [
            pack
            for index_id in old
            for pack in catalog.read_index(index_id)
            if pack.id not in due and pack.id not in lost
        ]
        for group in _groups(list({pack.id: pack for pack in kept}.values())):
            catalog.add_index(group)
        refused = self._store.delete(names.index(self._scope, index_id) for index_id in old)
        self.report.refused += refused
        stayed = {names.last_id(refusal.key) for refusal in refused}
        held: set[bytes] = set()
        for index_id in old:
            if index_id in stayed:
                held |= catalog.indexes[index_id]
            else:
                del catalog.indexes[index_id]
        return due - held

    def name(self, *, dry_run: bool) -> None:
        """Name what is to be deleted by a later run."""
        catalog, table = self._catalog, self._catalog.table
        verdicts = decide_packs(self._uses(), grace=self._grace)
        self.report.named = verdicts
        new = frozenset(verdict.pack.id for verdict in verdicts)
        named = {pack_id for packs in catalog.indexes.values() for pack_id in packs}
        old = frozenset(pack for pack in catalog.generation.deleting if pack in self._packs or pack in named)
        marked = frozenset[bytes]().union(*(mark.packs for mark in self._marks))
        self.report.waiting = len(old)
        self.report.due = min((mark.written + self._grace for mark in self._marks), default=None)
        if dry_run:
            return
        if new:
            going = {table.number(verdict.pack.id) for verdict in verdicts if verdict.copy}
            table.dead |= {number for number in going if number is not None}
            self._copy([place for place, used in table.entries() if used and place.pack in going])
            raise_generation(self._store, self._scope, old=catalog.generation, deleting=old | new)
        unmarked = (new | old) - marked
        if unmarked:
            write_mark(self._store, self._repository.keys, self._scope, unmarked)

    def _uses(self) -> list[PackUse]:
        table = self._catalog.table
        counts = [[0, 0, 0] for _ in table.packs]
        for place, used in table.entries():
            count = counts[place.pack]
            count[0] += 1
            if used:
                count[1] += 1
                count[2] += place.blob.stored
        uses = []
        for pack_id, info in self._packs.items():
            number = table.number(pack_id)
            if pack_id in self._catalog.generation.deleting or (number is not None and number in table.dead):
                continue
            blobs, used_blobs, used_bytes = counts[number] if number is not None else (0, 0, 0)
            uses.append(
                PackUse(
                    id=pack_id,
                    size=info.size,
                    blobs=blobs,
                    used_blobs=used_blobs,
                    used_bytes=used_bytes,
                    indexed=number is not None,
                    age=self._clock() - info.modified,
                )
            )
        return uses

    def _copy(self, places: Sequence[Place]) -> None:
        if not places:
            return
        if self._storer is None:
            self._storer = BlobStorer(self._catalog)
        blobs, content = self._storer.copy(self._reader, places)
        self._storer.flush()
        self.report.copied_blobs += blobs
        self.report.copied_bytes += content

    def _due_marks(self) -> list[Mark]:
        return [mark for mark in self._marks if self._clock() - mark.written >= self._grace]

    def _clock(self) -> datetime:
        if self._now is None:
            raise ValueError("look first")
        return self._now


def _groups(packs: list[IndexedPack]) -> list[list[IndexedPack]]:
    groups: list[list[IndexedPack]] = []
    size = 0
    for pack in packs:
        if not groups or len(groups[-1]) >= INDEX_PACKS or size + len(pack.table) > INDEX_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(pack)
        size += len(pack.table)
    return groups
