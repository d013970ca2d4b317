# SPDX-License-Identifier: Apache-2.0
"""What a scope holds: its generation and the table of its blobs, from the cache where that still holds, else from the store.

Called by sessions, readers, checks and prunes. One lock guards the table; loading is done by one thread.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

from mooring.domain.repository import names
from mooring.drivers.objects.errors import ObjectMissing
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.cache import Cache, CacheState
from mooring.engine.repository.envelope import INDEX, open_object, seal_object
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.generation import Generation, read_generation
from mooring.engine.repository.index import IndexedPack, check_entries, dump_index, load_index
from mooring.engine.repository.keys import Keys
from mooring.engine.repository.table import BlobTable

_RELISTS = 5


@dataclass(frozen=True)
class DamagedObject:
    """An object that is not what was written, and how that showed."""

    key: str
    reason: str


class Catalog:
    """One scope's generation and table. Hold `lock` while using `table` from several threads."""

    def __init__(self, store: ObjectStore, keys: Keys, scope: str, *, cache: Cache) -> None:
        """Loads nothing yet."""
        self.store = store
        self.keys = keys
        self.scope = scope
        self.cache = cache
        self.lock = threading.Lock()
        self.table = BlobTable()
        self.generation = Generation()
        self.indexes: dict[bytes, frozenset[bytes]] = {}
        """Each index with the packs that it names."""
        self.damaged: list[DamagedObject] = []
        self.requests_before = store.requests.total
        self.listed = False
        self._cacheable = True

    def load(self, *, fresh: bool = False) -> None:
        """Read the generation and the indexes.

        Args:
            fresh: list what there is, also where the generation is the one of the cache.

        Raises:
            ObjectDamaged: `generation` is not what was written. A damaged index is noted in `damaged`.
        """
        state = self.cache.state(self.scope)
        self.generation = read_generation(self.store, self.scope, known=state.generation if state else None)
        same = state is not None and state.generation.number == self.generation.number
        if not fresh and state is not None and same and self._load_cached(state):
            self._bury()
            return
        self._load_listed()

    def _load_cached(self, state: CacheState) -> bool:
        self._clear()
        for index_id in state.indexes:
            content = self.cache.index(self.scope, index_id)
            if content is None or not self._take(index_id, content):
                return False
        self.damaged = []
        return True

    def _load_listed(self) -> None:
        for _ in range(_RELISTS):
            self._clear()
            try:
                self._fetch_all()
            except ObjectMissing:
                # A prune replaced it since the list was made.
                continue
            break
        else:
            raise ObjectDamaged(
                f"The indexes of {self.scope} at {self.store.place} change faster than they can be read."
            )
        self.listed = True
        self._cacheable = True
        self._bury()
        self._remember()
        self.cache.drop(self.scope, indexes=frozenset(self.indexes))

    def _fetch_all(self) -> None:
        for info in self.store.list_below(names.indexes(self.scope)):
            index_id = names.last_id(info.key)
            if index_id is None:
                continue
            content = self.cache.index(self.scope, index_id)
            if content is None:
                sealed = self.store.get(info.key)
                try:
                    if hashlib.sha256(sealed).digest() != index_id:
                        raise ObjectDamaged(f"{info.key} is not what was written.")  # noqa: TRY301
                    content = open_object(INDEX, self.keys, sealed, info.key)
                except ObjectDamaged as error:
                    self.damaged.append(DamagedObject(info.key, error.brief))
                    continue
                self.cache.keep_index(self.scope, index_id, content)
            self._take(index_id, content)

    def _take(self, index_id: bytes, content: bytes) -> bool:
        key = names.index(self.scope, index_id)
        try:
            packs = list(load_index(content, key))
            for pack in packs:
                check_entries(pack.table)
        except ObjectDamaged as error:
            self.damaged.append(DamagedObject(key, error.brief))
            return False
        for pack in packs:
            self.table.add_pack(pack)
        self.indexes[index_id] = frozenset(pack.id for pack in packs)
        return True

    def _clear(self) -> None:
        self.table = BlobTable()
        self.indexes = {}
        self.damaged = []

    def _bury(self) -> None:
        """What a prune is about to delete counts as gone."""
        numbers = (self.table.number(pack_id) for pack_id in self.generation.deleting)
        self.table.dead = {number for number in numbers if number is not None}

    def read_index(self, index_id: bytes) -> list[IndexedPack]:
        """The packs of an index that was loaded, with their entries.

        Raises:
            ObjectMissing: it is gone.
            ObjectDamaged: it is not what was written.
        """
        key = names.index(self.scope, index_id)
        content = self.cache.index(self.scope, index_id)
        if content is None:
            content = open_object(INDEX, self.keys, self.store.get(key), key)
        return list(load_index(content, key))

    def add_index(self, packs: list[IndexedPack]) -> bytes:
        """Write an index for packs that are stored, and keep it; its id. The packs are in the table already."""
        content = dump_index(packs)
        sealed = seal_object(INDEX, self.keys, content)
        index_id = hashlib.sha256(sealed).digest()
        self.store.put(names.index(self.scope, index_id), sealed)
        self.indexes[index_id] = frozenset(pack.id for pack in packs)
        self.cache.keep_index(self.scope, index_id, content)
        self._remember()
        return index_id

    def _remember(self) -> None:
        if self._cacheable and not self.damaged:
            self.cache.keep_state(self.scope, CacheState(self.generation, frozenset(self.indexes)))

    def advance(self, generation: Generation) -> None:
        """Take over a newer generation, without loading anything: what it names counts as gone.

        The cache keeps standing for the older one, so that the next load lists.
        """
        self.generation = generation
        self._cacheable = False
        self._bury()
