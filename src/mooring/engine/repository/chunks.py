# SPDX-License-Identifier: Apache-2.0
"""Cuts content into blobs as it comes: by content (FastCDC 2020) or every 2 MiB. Memory does not grow with the content.

Where a cut falls depends only on the bytes since the last one, so that the size of the pieces that come in changes nothing.
Called by `session`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from pyfastcdc import FastCDC

from mooring.engine.repository.config import Config
from mooring.engine.repository.ports import Cut, Piece

FIXED = 2 * 1024 * 1024
_BUFFER = 1024 * 1024
LIST_MIN, LIST_AVERAGE, LIST_MAX = 128, 512, 2048


class Cutter(ABC):
    """What both ways of cutting do: pieces in by `feed`, blobs out; the rest by `end`."""

    @abstractmethod
    def feed(self, piece: Piece) -> Iterator[bytes]:
        """Take one piece; the blobs that are complete now."""

    @abstractmethod
    def end(self) -> Iterator[bytes]:
        """The blobs of what is left."""


class FixedCutter(Cutter):
    """Cuts every 2 MiB. A file that comes as one piece of bytes is not copied."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._only: bytes | None = None

    def feed(self, piece: Piece) -> Iterator[bytes]:
        """See `Cutter.feed`."""
        if self._only is None and not self._buffer and isinstance(piece, bytes) and len(piece) <= FIXED:
            self._only = piece or None
            return
        if self._only is not None:
            first, self._only = self._only, None
            yield from self._take(first)
        yield from self._take(piece)

    def _take(self, piece: Piece) -> Iterator[bytes]:
        view = memoryview(piece).cast("B")
        while len(self._buffer) + len(view) >= FIXED:
            room = FIXED - len(self._buffer)
            if not self._buffer:
                yield bytes(view[:room])
            else:
                self._buffer += view[:room]
                content = bytes(self._buffer)
                # Before it is given: who takes it may wait for long, in each of several threads.
                self._buffer = bytearray()
                yield content
            view = view[room:]
        self._buffer += view

    def end(self) -> Iterator[bytes]:
        """See `Cutter.end`."""
        if self._only is not None:
            yield self._only
        elif self._buffer:
            yield bytes(self._buffer)


class ContentCutter(Cutter):
    """Cuts by content."""

    def __init__(self, config: Config) -> None:
        """Args: config: of the repository; its chunking never changes."""
        self._cdc = FastCDC(config.chunk_average, min_size=config.chunk_min, max_size=config.chunk_max)
        self._buffer = bytearray()

    def feed(self, piece: Piece) -> Iterator[bytes]:
        """See `Cutter.feed`."""
        view = memoryview(piece).cast("B")
        while view:
            room = max(_BUFFER - len(self._buffer), 0)
            self._buffer += view[:room]
            view = view[room:]
            if len(self._buffer) >= _BUFFER:
                yield from self._cut(last=False)

    def end(self) -> Iterator[bytes]:
        """See `Cutter.end`."""
        if self._buffer:
            yield from self._cut(last=True)

    def _cut(self, *, last: bool) -> Iterator[bytes]:
        content = bytes(self._buffer)
        cut = [(chunk.offset, chunk.length) for chunk in self._cdc.cut_buf(content)]
        if not last:
            # The last one ends where the buffer does, and may go on.
            cut.pop()
        for offset, length in cut:
            yield content[offset : offset + length]
        done = sum(cut[-1]) if cut else 0
        del self._buffer[:done]


def make_cutter(cut: Cut, config: Config) -> Cutter:
    """A fresh cutter for one stream."""
    match cut:
        case Cut.CONTENT:
            return ContentCutter(config)
        case Cut.FIXED:
            return FixedCutter()


def ends_list(count: int, blob_id: bytes) -> bool:
    """Whether a list of `count` ids ends after this one, its last. Ids are as good as random, so that they decide."""
    if count < LIST_MIN:
        return False
    return count >= LIST_MAX or int.from_bytes(blob_id[:4], "little") % LIST_AVERAGE == 0
