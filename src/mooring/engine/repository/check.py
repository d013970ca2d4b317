# SPDX-License-Identifier: Apache-2.0
"""Looks whether snapshots can be restored: objects that are there, whole, of the right size; and every byte of packs if asked.

It names each damaged object and blob, and the snapshots and files that this hurts. It changes nothing. Called by
`mooring repository check` and `mooring verify`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from mooring.domain.repository import names
from mooring.domain.repository.manifest import StreamRef
from mooring.drivers.objects.errors import ObjectMissing
from mooring.engine.repository.catalog import Catalog, DamagedObject
from mooring.engine.repository.checksum import load_json
from mooring.engine.repository.contents import all_streams, walk_snapshot
from mooring.engine.repository.envelope import HEADER, PACK, Opener
from mooring.engine.repository.errors import BlobMissing, FormatUnknown, ObjectDamaged
from mooring.engine.repository.marks import read_marks
from mooring.engine.repository.pack import Blob, has_id, open_blob, read_table
from mooring.engine.repository.reader import PackReader
from mooring.engine.repository.repository import Repository
from mooring.engine.repository.snapshots import Snapshot
from mooring.engine.repository.table import PackRef

_READERS = 2
_FILES_NAMED = 1000


@dataclass(frozen=True)
class HurtSnapshot:
    """A snapshot that cannot be restored whole: the parts that are hurt, the first thousand of them."""

    snapshot: str
    instance: str
    time: str
    parts: tuple[str, ...]
    more: int = 0


@dataclass
class CheckReport:
    """What a check of one scope found.

    Attributes:
        scope: which.
        snapshots: manifests that were read.
        packs: that are there.
        packs_read: of those, how many were read whole.
        bytes_read: of those.
        blobs: entries of the indexes.
        damaged: objects that are missing or not what was written, and how that shows.
        damaged_blobs: pack and blob, both in hex, of content that is not what was written.
        hurt: snapshots that need any of that.
        unnamed: packs that no index names: of backups that were killed or are running.
    """

    scope: str
    snapshots: int = 0
    packs: int = 0
    packs_read: int = 0
    bytes_read: int = 0
    blobs: int = 0
    damaged: list[DamagedObject] = field(default_factory=list)
    damaged_blobs: list[tuple[str, str]] = field(default_factory=list)
    hurt: list[HurtSnapshot] = field(default_factory=list)
    unnamed: int = 0

    @property
    def good(self) -> bool:
        """Whether everything can be restored, and nothing is damaged."""
        return not self.damaged and not self.damaged_blobs and not self.hurt


def check_repository(repository: Repository, *, read_share: float = 0, seed: int | None = None) -> list[CheckReport]:
    """Check the repository's own objects and every scope; the first report is of those objects, its scope is empty.

    Args:
        repository: open: `config` is whole, and so is the key that the passphrase opened.
        read_share: see `check_scope`.
        seed: see `check_scope`.
    """
    own = check_own_objects(repository)
    found = [info.key for info in repository.store.list_below(names.SNAPSHOTS)]
    scopes = {*repository.scopes(), *(name.scope for name in map(names.parse_snapshot, found) if name)}
    return [own, *(check_scope(repository, scope, read_share=read_share, seed=seed) for scope in sorted(scopes))]


def check_own_objects(repository: Repository) -> CheckReport:
    """Check the repository's keys and the names of its manifests; a damaged `config` lets nobody open it."""
    own = CheckReport("")
    for info in repository.store.list_below(names.KEYS):
        try:
            load_json(repository.store.get(info.key), info.key)
        except ObjectDamaged as error:
            own.damaged.append(DamagedObject(info.key, error.brief))
    found = [info.key for info in repository.store.list_below(names.SNAPSHOTS)]
    own.damaged += [DamagedObject(key, "is no manifest's name") for key in found if names.parse_snapshot(key) is None]
    return own


def check_scope(
    repository: Repository, scope: str, *, read_share: float = 0, seed: int | None = None, only: str | None = None
) -> CheckReport:
    """Check one scope.

    Args:
        repository: open.
        scope: which.
        read_share: 0 looks at what is there; 1 reads every pack; a part of 1 reads so many of them, chosen at random.
        seed: for that choice; None is another one each time.
        only: id of the one snapshot that matters: what only others need is not read, and whether they are whole not asked.
    """
    check = _Check(repository, scope, only)
    try:
        check.look()
        if read_share > 0:
            check.read(read_share, random.Random(seed))  # noqa: S311
        check.hurt()
    finally:
        check.close()
    return check.report


class _Check:
    def __init__(self, repository: Repository, scope: str, only: str | None) -> None:
        self._repository = repository
        self._only = only
        self._store = repository.store
        self._scope = scope
        self.report = CheckReport(scope)
        self._catalog = Catalog(repository.store, repository.keys, scope, cache=repository.cache)
        self._reader = PackReader(self._catalog, refresh=False)
        self._sizes: dict[bytes, int] = {}
        self._bad_packs: set[int] = set()
        self._bad_blobs: set[bytes] = set()
        self._snapshots: list[Snapshot] = []
        self._entries: Counter[int] = Counter()

    def close(self) -> None:
        self._reader.close()

    def look(self) -> None:
        """Everything but the content of packs. Indexes and manifests are read from the store, not from the cache."""
        self._repository.cache.forget(self._scope)
        try:
            self._catalog.load(fresh=True)
        except ObjectDamaged as error:
            self._note(names.generation(self._scope), error.brief)
        self.report.damaged += self._catalog.damaged
        try:
            read_marks(self._store, self._repository.keys, self._scope)
        except ObjectDamaged as error:
            self._note(names.marks(self._scope), error.brief)
        table = self._catalog.table
        self.report.blobs = len(table)
        for info in self._store.list_below(names.packs(self._scope)):
            pack_id = names.last_id(info.key)
            if pack_id is None or info.key != names.pack(self._scope, pack_id):
                self._note(info.key, "is no object of a repository")
                continue
            self._sizes[pack_id] = info.size
        self.report.packs = len(self._sizes)
        self.report.unnamed = sum(1 for pack_id in self._sizes if table.number(pack_id) is None)
        for number, pack in enumerate(table.packs):
            size = self._sizes.get(pack.id)
            if size is None:
                self._bad_packs.add(number)
                if pack.id not in self._catalog.generation.deleting:
                    self._note(names.pack(self._scope, pack.id), "is not there, and an index names it")
            elif size != pack.size:
                self._bad_packs.add(number)
                self._note(names.pack(self._scope, pack.id), f"has {size} bytes instead of {pack.size}")
        self._snapshots, damaged = self._repository.snapshots(scope=self._scope)
        self.report.damaged += damaged
        if self._only is not None:
            self._snapshots = [one for one in self._snapshots if one.id == self._only]
        self.report.snapshots = len(self._snapshots)

    def read(self, share: float, source: random.Random) -> None:
        """Packs whole: their checksum, their table, and where something is wrong each blob."""
        table = self._catalog.table
        self._entries = Counter(place.pack for place, _ in table.entries())
        needed = self._needed()
        wanted = [
            pack_id
            for pack_id in self._sizes
            if (number := table.number(pack_id)) not in self._bad_packs and (needed is None or number in needed)
        ]
        wanted.sort()
        if share < 1:
            wanted = source.sample(wanted, min(len(wanted), max(1, round(share * len(wanted)))))
        with ThreadPoolExecutor(_READERS, thread_name_prefix="check") as pool:
            for begin in range(0, len(wanted), _READERS):
                for _ in pool.map(self._read_pack, wanted[begin : begin + _READERS]):
                    pass

    def _needed(self) -> set[int] | None:
        """The packs that have anything of the one snapshot; None for all, also where its lists cannot be read."""
        if self._only is None:
            return None
        needed: set[int] = set()

        def visit(blob_id: bytes, _: int) -> bool:
            needed.update(self._catalog.table.packs_of(blob_id))
            return True

        try:
            for snapshot in self._snapshots:
                walk_snapshot(self._reader, snapshot.manifest, visit)
        except (ObjectDamaged, BlobMissing, ObjectMissing):
            return None  # `hurt` names what is wrong with them
        return needed

    def _read_pack(self, pack_id: bytes) -> None:
        key = names.pack(self._scope, pack_id)
        try:
            content = self._store.get(key)
        except ObjectMissing:
            # A prune may delete it meanwhile: whether anybody needs it is seen by what it holds.
            number = self._catalog.table.number(pack_id)
            if number is not None:
                self._bad_packs.add(number)
            return
        with self._catalog.lock:
            self.report.packs_read += 1
            self.report.bytes_read += len(content)
        encrypted = self._repository.keys.encrypted
        whole = has_id(content, pack_id, encrypted=encrypted) and self._table_agrees(pack_id, content, key)
        if whole and not encrypted:
            return
        if self._find_damage(pack_id, content, key) or not whole:
            self._note(key, "is not what was written")

    def _table_agrees(self, pack_id: bytes, content: bytes, key: str) -> bool:
        """The pack is what was written; does the index say the same of it?"""
        number = self._catalog.table.number(pack_id)
        if number is None:
            return True
        try:
            own = {blob.id: blob for blob in read_table(content, self._repository.keys, key)}
        except (ObjectDamaged, FormatUnknown):
            return False
        table = self._catalog.table
        return len(own) == self._entries[number] and all(
            table.entry_in(blob.id, number) == blob for blob in own.values()
        )

    def _indexed(self, number: int) -> dict[bytes, Blob]:
        return {place.blob.id: place.blob for place, _ in self._catalog.table.entries() if place.pack == number}

    def _find_damage(self, pack_id: bytes, content: bytes, key: str) -> bool:
        """Open every blob; whether one is not what was written."""
        keys = self._repository.keys
        number = self._catalog.table.number(pack_id)
        blobs: Iterable[Blob]
        if number is not None:
            blobs = self._blobs_of(number, content, key)
        else:
            try:
                blobs = read_table(content, keys, key)
            except (ObjectDamaged, FormatUnknown):
                return True
        found = False
        try:
            opener = Opener(PACK, keys, content[:HEADER], key)
        except (ObjectDamaged, FormatUnknown):
            # The index knows the salt: the blobs may still be whole.
            opener = self._reader.opener(PackRef(pack_id, self._salt(number), len(content)))
        blob_id = keys.blob_id(self._scope)
        for blob in blobs:
            try:
                piece = memoryview(content)[blob.offset : blob.offset + blob.stored]
                open_blob(piece, blob, opener=opener, blob_id=blob_id, name=key)
            except ObjectDamaged:
                found = True
                with self._catalog.lock:
                    self._bad_blobs.add(blob.id)
                    self.report.damaged_blobs.append((pack_id.hex(), blob.id.hex()))
        return found

    def _blobs_of(self, number: int, content: bytes, key: str) -> Iterable[Blob]:
        """What the pack's own table says where that is what the index says too; else the index, which is slow to search."""
        try:
            own = read_table(content, self._repository.keys, key)
        except (ObjectDamaged, FormatUnknown):
            own = []
        table = self._catalog.table
        if len(own) == self._entries[number] and all(table.entry_in(blob.id, number) == blob for blob in own):
            return own
        return sorted(self._indexed(number).values(), key=lambda blob: blob.offset)

    def _salt(self, number: int | None) -> bytes:
        return bytes(32) if number is None else self._catalog.table.packs[number].salt

    def hurt(self) -> None:
        """Walk through all snapshots: what is damaged or missing, and whom does it hurt?"""
        good: set[StreamRef] = set()
        for snapshot in self._snapshots:
            parts: list[str] = []
            more = 0
            for part in self._hurt_parts(snapshot, good):
                if len(parts) < _FILES_NAMED:
                    parts.append(part)
                else:
                    more += 1
            if parts:
                manifest = snapshot.manifest
                hurt = HurtSnapshot(snapshot.id, manifest.instance.name, manifest.time, tuple(parts), more)
                self.report.hurt.append(hurt)

    def _hurt_parts(self, snapshot: Snapshot, good: set[StreamRef]) -> Iterator[str]:
        streams = all_streams(self._reader, snapshot.manifest)
        while True:
            try:
                part, ref = next(streams)
            except StopIteration:
                return
            except (ObjectDamaged, BlobMissing, ObjectMissing) as error:
                yield f"list of files: {error.brief}"
                return
            if ref in good and ref.depth:
                continue
            if self._is_whole(ref):
                if ref.depth:
                    good.add(ref)
            else:
                yield part

    def _is_whole(self, ref: StreamRef) -> bool:
        whole = True

        def visit(blob_id: bytes, _: int) -> bool:
            nonlocal whole
            numbers = self._catalog.table.packs_of(blob_id)
            if blob_id in self._bad_blobs or all(number in self._bad_packs for number in numbers):
                whole = False
            return whole

        try:
            self._reader.walk(ref, visit)
        except (ObjectDamaged, BlobMissing, ObjectMissing) as error:
            if not any(item.reason == error.brief for item in self.report.damaged):
                self._note(f"stream {ref.id}", error.brief)
            return False
        return whole

    def _note(self, key: str, reason: str) -> None:
        with self._catalog.lock:
            self.report.damaged.append(DamagedObject(key, reason))
