# SPDX-License-Identifier: Apache-2.0
"""How backup and restore see a repository: content goes in as a stream of bytes and comes out again, checked."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from mooring.domain.repository.manifest import StreamRef

Piece = bytes | bytearray | memoryview


class Cut(enum.Enum):
    """How content is cut into blobs."""

    CONTENT = "content"
    """By content (FastCDC): for what may change in the middle, such as tables."""
    FIXED = "fixed"
    """Every 2 MiB: for what never changes, such as files of the filestore."""


class StreamWriter(Protocol):
    """Stores content. Safe to call from several threads at once; memory does not grow with the content."""

    def write(self, pieces: Iterable[Piece], *, cut: Cut) -> StreamRef:
        """Store the concatenation of `pieces`; it is durable only after `commit` of the whole snapshot."""
        ...


class StreamReader(Protocol):
    """Gives content back. Safe to call from several threads at once; memory does not grow with the content."""

    def read(self, ref: StreamRef) -> Iterator[bytes]:
        """The content in order; each piece's checksum was compared before it is given, the size at the end."""
        ...


Group = Callable[[], Iterator[tuple[int, bytes]]]
"""Reads a group when it is called: position and content of each member, as `StreamReader.read` gives it."""


class ManyReader(StreamReader, Protocol):
    """Gives many contents back with few requests."""

    def group(self, refs: Sequence[StreamRef], *, hashed: bool) -> tuple[list[Group], list[int]]:
        """Small contents in groups of a few megabytes, and the positions of the others; groups may be read side by side.

        Args:
            hashed: the caller compares every content with a hash of its own.
        """
        ...
