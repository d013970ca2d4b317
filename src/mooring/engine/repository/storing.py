# SPDX-License-Identifier: Apache-2.0
"""Puts new blobs into a scope: into packs, the packs into the store, an index for them, and all of it into the catalog's table.

Called by sessions and by prunes; who decides what is new is theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from mooring.domain.repository import names
from mooring.engine.repository.catalog import Catalog
from mooring.engine.repository.index import IndexedPack
from mooring.engine.repository.pack import FinishedPack
from mooring.engine.repository.pipeline import NewBlob, Pipeline
from mooring.engine.repository.reader import PackReader
from mooring.engine.repository.table import Place

# An index is written as soon as so much waits for one: a killed backup of a large filestore then repeats at most this.
INDEX_PACKS = 64
INDEX_BYTES = 200_000 * 48


class BlobStorer:
    """New blobs on their way. `close` must be called; what was not flushed by then is dropped."""

    def __init__(self, catalog: Catalog, *, workers: int | None = None) -> None:
        """Args: catalog: of the scope; workers: threads that compress, None takes what fits the machine."""
        self._catalog = catalog
        self._waiting: list[IndexedPack] = []
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._pipeline = Pipeline(catalog.keys, send=self._store, workers=workers)
        self._closed = False

    @property
    def stored_bytes(self) -> int:
        """Bytes after compression, complete after `flush`."""
        return self._pipeline.stored_bytes

    def add(self, blob: NewBlob) -> None:
        """Store a blob, which the table has as pending already.

        Raises:
            MooringError: what the store answered to an earlier pack.
        """
        self._pipeline.add(blob)

    def copy(self, reader: PackReader, places: Iterable[Place]) -> tuple[int, int]:
        """Store what is at these places once more, unless a pack that is not dead has it; blobs and bytes of content."""
        blobs = content = 0
        for place in places:
            blob = place.blob
            with self._catalog.lock:
                if self._catalog.table.find_pack(blob.id, use=True) is not None:
                    continue
            piece = reader.open_place(place)
            with self._catalog.lock:
                self._catalog.table.add_pending(blob.id, blob.length, blob.kind)
            self.add(NewBlob(blob.id, piece, blob.kind))
            blobs += 1
            content += blob.length
        return blobs, content

    def flush(self) -> None:
        """Wait until everything is in the store and in an index.

        Raises:
            MooringError: what the store answered.
        """
        self._pipeline.flush()
        with self._lock:
            self._write_index()

    def close(self) -> None:
        """Stop the threads. Safe to repeat."""
        if not self._closed:
            self._closed = True
            self._pipeline.close()

    def _store(self, pack: FinishedPack) -> None:
        self._catalog.store.put(names.pack(self._catalog.scope, pack.id), pack.content)
        indexed = IndexedPack(pack.id, pack.salt, len(pack.content), pack.table)
        with self._catalog.lock:
            self._catalog.table.place_pack(indexed)
        with self._lock:
            self._waiting.append(indexed)
            self._waiting_bytes += len(pack.table)
            if len(self._waiting) >= INDEX_PACKS or self._waiting_bytes >= INDEX_BYTES:
                self._write_index()

    def _write_index(self) -> None:
        if self._waiting:
            self._catalog.add_index(self._waiting)
            self._waiting = []
            self._waiting_bytes = 0
