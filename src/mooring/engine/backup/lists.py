# SPDX-License-Identifier: Apache-2.0
"""The list of files of a snapshot: lines in byte order, read and merged without holding them. Pure but for the reader.

A line is `NAME SP SIZE SP DEPTH SP ID`; in a difference each has `+` or `-` before it. `Entry` is (name, the rest).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mooring.domain.repository.manifest import SnapshotFilestore, StreamRef
from mooring.domain.work.backup_errors import SnapshotUnfit
from mooring.engine.repository.ports import StreamReader

Entry = tuple[bytes, bytes]
_GATHER_BYTES = 1 << 20


def entry_of(name: str, ref: StreamRef) -> Entry:
    """The entry of a file."""
    return name.encode(), b"%d %d %s" % (ref.size, ref.depth, ref.id.encode())


def ref_of(rest: bytes) -> StreamRef:
    """Where an entry's content is.

    Raises:
        SnapshotUnfit: the line is none.
    """
    try:
        size, depth, blob = rest.split(b" ")
        return StreamRef(int(size), int(depth), blob.decode("ascii"))
    except ValueError:
        raise SnapshotUnfit("The list of files has a line that is none.") from None


def size_of(rest: bytes) -> int:
    """The size of an entry's content."""
    return int(rest[: rest.index(b" ")])


def read_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends."""
    left = b""
    for piece in pieces:
        *lines, left = (left + piece).split(b"\n")
        yield from lines
    if left:
        raise SnapshotUnfit("The list of files ends within a line.")


def read_files(reader: StreamReader, filestore: SnapshotFilestore) -> Iterator[Entry]:
    """All files of a snapshot, by name."""
    for name, _base, now in read_both(reader, filestore):
        if now is not None:
            yield name, now


def read_both(reader: StreamReader, filestore: SnapshotFilestore) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """For each name in the base or the snapshot: what each says of it. Without a base the snapshot's list is one."""
    if filestore.base is None:
        for name, rest in read_entries(read_lines(reader.read(filestore.list))):
            yield name, rest, rest
        return
    base = read_entries(read_lines(reader.read(filestore.base)))
    yield from merge_changes(base, read_changes(read_lines(reader.read(filestore.list))))


def merge_changes(
    base: Iterator[Entry], changes: Iterator[tuple[bytes, bytes | None]]
) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """A list and the difference from it, by name: (name, in the base, now).

    Args:
        base: the list.
        changes: each changed name once, with None for one that is gone.
    """
    have, change = next(base, None), next(changes, None)
    while have is not None or change is not None:
        if change is None or (have is not None and have[0] < change[0]):
            assert have is not None  # noqa: S101 - the loop's condition
            yield have[0], have[1], have[1]
            have = next(base, None)
        elif have is None or change[0] < have[0]:
            yield change[0], None, change[1]
            change = next(changes, None)
        else:
            yield have[0], have[1], change[1]
            have, change = next(base, None), next(changes, None)


def read_changes(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Each changed name of a difference once: what it is now, None where it is gone."""
    waiting: tuple[bytes, bytes | None] | None = None
    for line in lines:
        name, gap, rest = line[1:].partition(b" ")
        if not gap or line[:1] not in b"+-":
            raise SnapshotUnfit("The list of files has a line that is none.")
        if waiting is not None and waiting[0] > name:
            raise SnapshotUnfit("The list of files is not in order.")
        if waiting is not None and waiting[0] != name:
            yield waiting
            waiting = None
        if line[:1] == b"+":
            waiting = (name, rest)
        elif waiting is None:
            waiting = (name, None)
    if waiting is not None:
        yield waiting


def render_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their ends, gathered into pieces."""
    gathered = bytearray()
    for line in lines:
        gathered += line
        gathered += b"\n"
        if len(gathered) >= _GATHER_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def read_entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of a whole list."""
    before = b""
    for line in lines:
        name, gap, rest = line.partition(b" ")
        if not gap or name <= before:
            raise SnapshotUnfit("The list of files has a line that is none, or is not in order.")
        before = name
        yield name, rest
