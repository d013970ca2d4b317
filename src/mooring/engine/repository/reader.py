# SPDX-License-Identifier: Apache-2.0
"""Reading content back: few requests, bounded memory, every blob compared with its id before it is given.

What a stream needs next is known from its lists, and is fetched ahead in spans of neighbouring blobs. Blobs that are asked for
one by one are read ahead as long as they come in the order of their pack: `by_location` gives that order. Called by restores
(`ports.StreamReader`), checks, prunes, and by sessions that must copy what a prune takes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

from mooring.domain.repository import names
from mooring.domain.repository.manifest import StreamRef
from mooring.drivers.objects.errors import ObjectMissing
from mooring.engine.repository.catalog import Catalog
from mooring.engine.repository.envelope import PACK, Opener, header_of
from mooring.engine.repository.errors import BlobMissing, ObjectDamaged
from mooring.engine.repository.pack import Blob, open_blob
from mooring.engine.repository.table import PackRef, Place
from mooring.errors import MooringError

_SPAN = 4 * 1024 * 1024
_GAP = 128 * 1024
_MEMORY = 32 * 1024 * 1024
_AHEAD_FIRST = 1024 * 1024
_NEAR = 4 * 1024 * 1024
_GROUP = 8 * 1024 * 1024
_GROUP_BLOBS = 1024
_THREADS = 4
_ID = 32


@dataclass(frozen=True, slots=True)
class Found:
    """A blob and the pack that has it."""

    pack: PackRef
    blob: Blob

    @property
    def end(self) -> int:
        """Where its stored bytes end in the pack."""
        return self.blob.offset + self.blob.stored


@dataclass(slots=True, eq=False)
class _Span:
    pack: bytes
    start: int
    end: int
    content: Future[bytes]


class PackReader:
    """Reads one scope. Safe from several threads."""

    def __init__(self, catalog: Catalog, *, memory: int = _MEMORY, refresh: bool = True) -> None:
        """Touches nothing yet.

        Args:
            catalog: of the scope, loaded.
            memory: bytes of packs that are kept for the next blobs.
            refresh: list the indexes once more where a blob is not found; not while somebody else uses the table.
        """
        self._catalog = catalog
        self._memory = memory
        self._may_refresh = refresh
        self._blob_id = catalog.keys.blob_id(catalog.scope)
        self._lock = threading.RLock()
        self._spans: OrderedDict[int, _Span] = OrderedDict()
        self._by_pack: dict[bytes, list[_Span]] = {}
        self._held = 0
        self._last: dict[bytes, tuple[int, int]] = {}
        self._openers: OrderedDict[bytes, Opener] = OrderedDict()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pack-read")

    def close(self) -> None:
        """Stop the threads that fetch ahead."""
        self._pool.shutdown(cancel_futures=True)

    def read(self, ref: StreamRef) -> Iterator[bytes]:
        """See `ports.StreamReader.read`.

        Raises:
            ObjectDamaged: a blob is not what was written, or the stream has another size.
            BlobMissing: the repository does not have a blob.
        """
        size = 0
        for content in self._contents(bytes.fromhex(ref.id), ref.depth):
            size += len(content)
            yield content
        if size != ref.size:
            raise ObjectDamaged(f"Stream {ref.id} has {size} bytes, and {ref.size} are named.")

    def read_all(self, ref: StreamRef, *, limit: int) -> bytes:
        """A stream as one piece.

        Raises:
            ObjectDamaged: see `read`; also when it is larger than `limit` bytes.
        """
        if ref.size > limit:
            raise ObjectDamaged(f"Stream {ref.id} has {ref.size} bytes; at most {limit} make sense here.")
        return b"".join(self.read(ref))

    def by_location(self, refs: Iterable[StreamRef]) -> list[StreamRef]:
        """The same in the order in which they are read with the fewest requests."""

        def where(ref: StreamRef) -> tuple[int, int]:
            with self._catalog.lock:
                place = self._catalog.table.find(bytes.fromhex(ref.id))
            return (place.pack, place.blob.offset) if place else (-1, 0)

        return sorted(refs, key=where)

    def walk(self, ref: StreamRef, visit: Callable[[bytes, int], bool]) -> None:
        """Call `visit(blob id, depth)` for every blob of a stream, lists before what they name; content is not read.

        Args:
            ref: the stream.
            visit: False leaves out what the list names.

        Raises:
            ObjectDamaged: a list is not what was written.
            BlobMissing: the repository does not have a list.
        """
        self._walk([bytes.fromhex(ref.id)], ref.depth, visit)

    def open_place(self, place: Place) -> bytes:
        """One blob's content, from this very pack."""
        return self._open(Found(self._catalog.table.packs[place.pack], place.blob))

    def _walk(self, ids: Iterable[bytes], depth: int, visit: Callable[[bytes, int], bool]) -> None:
        if depth == 0:
            for blob_id in ids:
                visit(blob_id, 0)
            return
        wanted = (blob_id for blob_id in ids if visit(blob_id, depth))
        for content in self._in_order(wanted):
            self._walk(_split(content), depth - 1, visit)

    def _contents(self, top: bytes, depth: int) -> Iterator[bytes]:
        level: Iterator[bytes] = iter((top,))
        for _ in range(depth):
            level = chain.from_iterable(map(_split, self._in_order(level)))
        return self._in_order(level)

    def _in_order(self, ids: Iterator[bytes] | Iterable[bytes]) -> Iterator[bytes]:
        """The contents of blobs one after another; the next group is fetched while one is given."""
        source = iter(ids)
        group = self._next_group(source)
        while group:
            following = self._next_group(source)
            for found in group:
                yield self._open(found)
            group = following

    def _next_group(self, source: Iterator[bytes]) -> list[Found]:
        group: list[Found] = []
        size = 0
        for blob_id in islice(source, _GROUP_BLOBS):
            found = self.find(blob_id)
            group.append(found)
            size += found.blob.stored
            if size >= _GROUP:
                break
        if len(group) > 1:
            self._fetch_ahead(group)
        return group

    def _fetch_ahead(self, group: list[Found]) -> None:
        by_pack: dict[bytes, list[Found]] = {}
        for found in group:
            by_pack.setdefault(found.pack.id, []).append(found)
        for members in by_pack.values():
            members.sort(key=lambda item: item.blob.offset)
            start, end = members[0].blob.offset, members[0].end
            for found in members[1:]:
                if found.blob.offset - end <= _GAP and found.end - start <= _SPAN:
                    end = max(end, found.end)
                    continue
                self._span(found.pack, start, end)
                start, end = found.blob.offset, found.end
            self._span(members[0].pack, start, end)

    def find(self, blob_id: bytes) -> Found:
        """Where a blob is.

        Raises:
            BlobMissing: the repository does not have it.
        """
        found = self._look(blob_id)
        if found is None and self._refresh():
            found = self._look(blob_id)
        if found is None:
            raise BlobMissing(
                f"No index of {self._catalog.scope} at {self._catalog.store.place} names blob {blob_id.hex()}."
            )
        return found

    def _look(self, blob_id: bytes) -> Found | None:
        with self._catalog.lock:
            place = self._catalog.table.find(blob_id)
            return Found(self._catalog.table.packs[place.pack], place.blob) if place else None

    def _refresh(self) -> bool:
        if not self._may_refresh:
            return False
        with self._catalog.lock:
            self._may_refresh = False
            self._catalog.load(fresh=True)
        return True

    def _open(self, found: Found) -> bytes:
        try:
            piece = self._stored(found)
        except ObjectMissing:
            # A prune may have copied the blob elsewhere since the indexes were read.
            if not self._refresh():
                raise
            found = self.find(found.blob.id)
            piece = self._stored(found)
        return self.open_piece(piece, found)

    def open_piece(self, piece: memoryview, found: Found, *, hashed: bool = False) -> bytes:
        """The content of a blob whose stored bytes are at hand.

        Args:
            hashed: the caller compares the content with a hash of its own, so that a seal needs no second one.

        Raises:
            ObjectDamaged: it is not what was written.
        """
        name = names.pack(self._catalog.scope, found.pack.id)
        if len(piece) != found.blob.stored:
            raise ObjectDamaged(f"{name} is cut off.")
        blob_id = None if hashed and self._catalog.keys.encrypted else self._blob_id
        return open_blob(piece, found.blob, opener=self.opener(found.pack), blob_id=blob_id, name=name)

    def read_span(self, pack: PackRef, start: int, end: int) -> bytes | None:
        """A part of a pack, fetched now and not kept; None where the pack is gone, as after a prune."""
        try:
            return self._catalog.store.get(names.pack(self._catalog.scope, pack.id), start=start, length=end - start)
        except ObjectMissing:
            return None

    def opener(self, pack: PackRef) -> Opener:
        """What opens the blobs of a pack; its header is not read."""
        with self._lock:
            opener = self._openers.get(pack.id)
        if opener is None:
            keys = self._catalog.keys
            opener = Opener(PACK, keys, header_of(PACK, keys, pack.salt), names.pack(self._catalog.scope, pack.id))
            with self._lock:
                self._openers[pack.id] = opener
                while len(self._openers) > 256:
                    self._openers.popitem(last=False)
        return opener

    def _stored(self, found: Found) -> memoryview:
        with self._lock:
            span = self._covering(found.pack.id, found.blob.offset, found.end)
            if span is not None and found.end * 2 > span.start + span.end:
                self._prefetch(found.pack, span)
        if span is None:
            span = self._read_on(found)
        try:
            content = span.content.result()
        except (MooringError, CancelledError):
            # It was fetched ahead, or by another thread: what went wrong then may be over.
            self._forget(span)
            span = self._read_on(found)
            try:
                content = span.content.result()
            except MooringError:
                self._forget(span)
                raise
        begin = found.blob.offset - span.start
        return memoryview(content)[begin : begin + found.blob.stored]

    def _read_on(self, found: Found) -> _Span:
        """Fetch a blob, and more each time that a pack is read on near where it was read to last."""
        with self._lock:
            span = self._covering(found.pack.id, found.blob.offset, found.end)
            if span is not None:
                return span
            start, end = found.blob.offset, found.end
            until, step = self._last.get(found.pack.id, (-1, 0))
            if 0 <= until <= start <= until + _NEAR:
                # What is between is wanted by another thread, or soon.
                start, step = until, min(_SPAN, max(_AHEAD_FIRST, step * 4))
                end = min(max(end, start + step), max(found.pack.size, end))
            else:
                step = 0
            self._last[found.pack.id] = (end, step)
            return self._submit(found.pack, start, end)

    def _prefetch(self, pack: PackRef, span: _Span) -> None:
        """The second half of the last span of a pack that is read on is being used: fetch the next one meanwhile."""
        until, step = self._last.get(pack.id, (-1, 0))
        if step and span.end == until and until < pack.size:
            step = min(_SPAN, step * 4)
            end = min(until + step, pack.size)
            self._last[pack.id] = (end, step)
            self._submit(pack, until, end)

    def _covering(self, pack_id: bytes, start: int, end: int) -> _Span | None:
        for span in reversed(self._by_pack.get(pack_id, ())):
            if span.start <= start and end <= span.end:
                self._spans.move_to_end(id(span))
                return span
        return None

    def _span(self, pack: PackRef, start: int, end: int) -> None:
        """Fetch a span, unless it is there or on its way."""
        with self._lock:
            if self._covering(pack.id, start, end) is None:
                self._submit(pack, start, end)

    def _submit(self, pack: PackRef, start: int, end: int) -> _Span:
        key = names.pack(self._catalog.scope, pack.id)
        span = _Span(
            pack.id, start, end, self._pool.submit(self._catalog.store.get, key, start=start, length=end - start)
        )
        self._spans[id(span)] = span
        self._by_pack.setdefault(pack.id, []).append(span)
        self._held += end - start
        while self._held > self._memory and len(self._spans) > 1:
            self._drop(next(iter(self._spans.values())))
        return span

    def _drop(self, span: _Span) -> None:
        if self._spans.pop(id(span), None) is not None:
            self._held -= span.end - span.start
            others = self._by_pack[span.pack]
            others.remove(span)
            if not others:
                del self._by_pack[span.pack]

    def _forget(self, span: _Span) -> None:
        with self._lock:
            self._drop(span)


def _split(content: bytes) -> Iterator[bytes]:
    if len(content) % _ID:
        raise ObjectDamaged("A list of blobs ends in the middle of an id.")
    return (content[at : at + _ID] for at in range(0, len(content), _ID))
