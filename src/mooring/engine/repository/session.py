# SPDX-License-Identifier: Apache-2.0
"""Writing one snapshot: content in as streams, packs and indexes out, the manifest last, by the format's five steps.

A session is a `StreamWriter`. It takes no lock in the repository: what a prune names for deletion while it runs is copied in
time, or the session fails with `ReuseLost` and is done again. Called by backups, through `repository.Repository`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from mooring.domain.repository import names
from mooring.domain.repository.manifest import SnapshotManifest, SnapshotSizes, StreamRef
from mooring.drivers.objects.errors import ObjectMissing
from mooring.engine.repository.catalog import Catalog
from mooring.engine.repository.chunks import ends_list, make_cutter
from mooring.engine.repository.config import Config
from mooring.engine.repository.contents import walk_snapshot
from mooring.engine.repository.errors import BlobMissing, ReuseLost
from mooring.engine.repository.generation import Generation, read_generation
from mooring.engine.repository.pack import DATA, LIST
from mooring.engine.repository.pipeline import NewBlob
from mooring.engine.repository.ports import Cut, Piece
from mooring.engine.repository.reader import PackReader
from mooring.engine.repository.snapshots import Snapshot, delete_manifest, write_manifest
from mooring.engine.repository.storing import BlobStorer


@dataclass
class WriteCounts:
    """What a session has moved so far: bytes of content in new blobs, bytes of it after compression, blobs."""

    content: int = 0
    added: int = 0
    blobs: int = 0
    new_blobs: int = 0
    stored: int = 0


class WriteSession:
    """One backup's writing. A context manager; leaving it without `commit` leaves no snapshot."""

    def __init__(self, catalog: Catalog, config: Config, *, workers: int | None = None) -> None:
        """Args: catalog: of the scope, loaded; config: of the repository; workers: threads that compress."""
        self._catalog = catalog
        self._config = config
        self._base = catalog.generation
        self._blob_id = catalog.keys.blob_id(catalog.scope)
        self._source: Snapshot | None = None
        self._counts = WriteCounts()
        self._lock = threading.Lock()
        self._storer = BlobStorer(catalog, workers=workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads. Safe to repeat."""
        self._storer.close()

    @property
    def counts(self) -> WriteCounts:
        """So far; `stored` is complete after `flush`."""
        with self._lock:
            done = WriteCounts(**vars(self._counts))
        done.stored = self._storer.stored_bytes
        return done

    @property
    def sizes(self) -> SnapshotSizes:
        """The same, as a manifest says it."""
        done = self.counts
        return SnapshotSizes(
            content=done.content,
            added=done.added,
            stored=done.stored,
            blobs=done.blobs,
            new_blobs=done.new_blobs,
            requests=self._catalog.store.requests.total - self._catalog.requests_before,
        )

    def write(self, pieces: Iterable[Piece], *, cut: Cut) -> StreamRef:
        """See `ports.StreamWriter.write`.

        Raises:
            MooringError: what the store answered to an earlier pack.
        """
        cutter = make_cutter(cut, self._config)
        lists = _Lists(self._put)
        size = 0
        for piece in pieces:
            for chunk in cutter.feed(piece):
                size += len(chunk)
                lists.add(self._put(chunk, DATA))
        for chunk in cutter.end():
            size += len(chunk)
            lists.add(self._put(chunk, DATA))
        if lists.empty:
            lists.add(self._put(b"", DATA))
        top, depth = lists.end()
        return StreamRef(size=size, depth=depth, id=top.hex())

    def take_over(self, source: Snapshot) -> None:
        """Content that this snapshot names may be named again without a look.

        As long as its manifest is there, no prune takes that content; that it still is, is seen after the new one is written.
        """
        self._source = source

    def keep(self, ref: StreamRef) -> bool:
        """Use content of an earlier snapshot again without reading it: of one whose manifest is still there.

        Returns:
            Whether the repository has it; where not, `write` it.
        """
        blob_id = bytes.fromhex(ref.id)
        with self._catalog.lock:
            if self._catalog.table.find_pack(blob_id, use=True) is None:
                return False
        with self._lock:
            self._counts.content += ref.size
            self._counts.blobs += 1
        return True

    def flush(self) -> None:
        """Wait until everything written so far is in the store and in an index."""
        self._storer.flush()

    def commit(self, render: Callable[[SnapshotSizes], SnapshotManifest]) -> Snapshot:
        """Make the snapshot: steps 3 to 5 of the format.

        Args:
            render: makes the manifest from what was moved; called once, when all content is in the store.

        Raises:
            ReuseLost: a prune took what this session had counted on; no snapshot is left, begin a new session.
            ObjectExists: there is a snapshot with this id.
        """
        self.flush()
        manifest = render(self.sizes)
        while (now := self._read_generation()).number != self._base.number:
            self._look_again(now, manifest)
        snapshot = write_manifest(self._catalog, manifest)
        while (now := self._read_generation()).number != self._base.number or self._source_gone():
            try:
                self._look_again(now, manifest)
            except ReuseLost:
                delete_manifest(self._catalog, snapshot)
                raise
        return snapshot

    def _source_gone(self) -> bool:
        """Whether the snapshot that content was taken over from went meanwhile; asked until it has been looked again."""
        if self._source is None:
            return False
        try:
            self._catalog.store.head(self._source.name.key)
        except ObjectMissing:
            self._source = None
            return True
        return False

    def _put(self, content: bytes, kind: int) -> bytes:
        blob_id = self._blob_id(content)
        with self._catalog.lock:
            pack = self._catalog.table.find_pack(blob_id, use=True)
            if pack is None:
                self._catalog.table.add_pending(blob_id, len(content), kind)
        with self._lock:
            if kind == DATA:
                self._counts.content += len(content)
            self._counts.blobs += 1
            if pack is None:
                self._counts.new_blobs += 1
                self._counts.added += len(content)
        if pack is None:
            self._storer.add(NewBlob(blob_id, content, kind))
        return blob_id

    def _read_generation(self) -> Generation:
        return read_generation(self._catalog.store, self._catalog.scope, known=self._base)

    def _look_again(self, now: Generation, manifest: SnapshotManifest) -> None:
        """A prune has begun since `_base`: copy what it is about to take from us, or find that it is too late.

        Everything that the manifest needs is looked at, also what a caller took over from an earlier snapshot's lists.
        """
        catalog, table = self._catalog, self._catalog.table
        there = {names.last_id(info.key) for info in catalog.store.list_below(names.packs(catalog.scope))}
        with catalog.lock:
            catalog.advance(now)
            table.dead |= {number for number, pack in enumerate(table.packs) if pack.id not in there}
        self._base = now
        reader = PackReader(catalog, refresh=False)
        try:
            walk_snapshot(reader, manifest, self._mark)
            with catalog.lock:
                buried = [place for place, used in table.entries() if used and place.pack in table.dead]
            self._storer.copy(reader, buried)
        except (ObjectMissing, BlobMissing) as error:
            raise ReuseLost(
                f"A prune at {catalog.store.place} deleted content that this backup had counted on.", details=str(error)
            ) from error
        finally:
            reader.close()
        self.flush()

    def _mark(self, blob_id: bytes, _: int) -> bool:
        with self._catalog.lock:
            if not self._catalog.table.mark(blob_id):
                raise BlobMissing(f"No index names blob {blob_id.hex()}.")
        return True


class _Lists:
    """The lists above a stream's blobs, level by level; where a list is cut, the ids in it decide."""

    def __init__(self, put: Callable[[bytes, int], bytes]) -> None:
        self._put = put
        self._ids = bytearray()
        self._count = 0
        self._above: _Lists | None = None

    @property
    def empty(self) -> bool:
        return self._count == 0

    def add(self, blob_id: bytes) -> None:
        """One more blob of this level."""
        self._ids += blob_id
        self._count += 1
        if ends_list(len(self._ids) // len(blob_id), blob_id):
            self._cut()

    def end(self) -> tuple[bytes, int]:
        """The only blob that is left, and how many levels of lists it is above the content."""
        if self._above is None and self._count == 1:
            return bytes(self._ids), 0
        if self._ids:
            self._cut()
        if self._above is None:
            raise ValueError("a stream without blobs")
        top, depth = self._above.end()
        return top, depth + 1

    def _cut(self) -> None:
        if self._above is None:
            self._above = _Lists(self._put)
        self._above.add(self._put(bytes(self._ids), LIST))
        self._ids.clear()
