# SPDX-License-Identifier: Apache-2.0
"""Tar archives as the engine's upload and download calls want them.

They end with the two empty blocks that end every archive, without tarfile's padding behind: Podman's reader closes its pipe
there, and what is written behind it breaks the upload where the machine is busy ("write |1: broken pipe").
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mooring.drivers.errors import NoSuchObject
from mooring.drivers.folders import folder_files

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One member: a file with its bytes, or a folder when `data` is None. `name` is relative to the upload's folder."""

    name: str
    data: bytes | None
    uid: int
    gid: int
    mode: int


def render_archive(entries: Iterable[Entry]) -> bytes:
    """The archive of `entries`; equal for equal entries (time stamps are zero)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.name)
            member.uid, member.gid, member.mode = entry.uid, entry.gid, entry.mode
            if entry.data is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(entry.data)
                archive.addfile(member, io.BytesIO(entry.data))
    return buffer.getvalue()[: archive.offset]


def pack_folder(source: Path, name: str, *, uid: int, gid: int) -> IO[bytes]:
    """The archive of a folder of this machine, under `name`; an open file, on disk where it is large.

    It holds exactly what `folder_digest` counts. Everybody may read what is in it, whatever the rights were here, and nobody
    but its owner may write.

    Raises:
        OSError: something in it cannot be read.
    """
    packed = tempfile.SpooledTemporaryFile(max_size=8 << 20)  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=packed, mode="w") as archive:

        def put(member: tarfile.TarInfo, mode: int, data: IO[bytes] | None = None) -> None:
            member.uid, member.gid, member.mode = uid, gid, mode
            archive.addfile(member, data)

        root = tarfile.TarInfo(name)
        root.type = tarfile.DIRTYPE
        put(root, 0o755)
        seen: set[str] = set()
        for path in folder_files(source):
            inner = path.relative_to(source)
            for parent in reversed(inner.parents[:-1]):
                if str(parent) not in seen:
                    seen.add(str(parent))
                    folder = tarfile.TarInfo(f"{name}/{parent}")
                    folder.type = tarfile.DIRTYPE
                    put(folder, 0o755)
            # Made by hand: tarfile's own reader would turn a second hard link to one file into a link.
            member = tarfile.TarInfo(f"{name}/{inner}")
            with path.open("rb") as stream:
                member.size = path.stat().st_size
                put(member, 0o755 if path.stat().st_mode & 0o100 else 0o644, stream)
    packed.truncate(archive.offset)
    packed.seek(0)
    return packed


def read_archive(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of every regular file in an archive."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            handle = archive.extractfile(member) if member.isfile() else None
            if handle is not None:
                yield member.name, handle.read()


def member_count(chunks: Iterable[bytes], *, stop: int) -> int:
    """How many members the archive that comes in `chunks` has; stops reading at `stop` of them."""
    count = 0
    with tarfile.open(fileobj=_Chunks(chunks), mode="r|") as archive:
        for _ in archive:
            count += 1
            if count >= stop:
                break
    return count


def first_file(chunks: Iterable[bytes], path: str) -> Iterator[bytes]:
    """The content of the one regular file that the archive of `path` holds, in pieces.

    Raises:
        NoSuchObject: it is a folder or something else.
    """
    with tarfile.open(fileobj=_Chunks(chunks), mode="r|", bufsize=_PIECE_BYTES) as archive:
        member = archive.next()
        handle = archive.extractfile(member) if member is not None and member.isfile() else None
        if handle is None:
            raise NoSuchObject(f"{path} is no file")
        while piece := handle.read(_PIECE_BYTES):
            yield piece


class _Chunks(io.RawIOBase):
    """A readable file over an iterator of bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        while size < 0 or len(self._rest) < size:
            try:
                self._rest += next(self._chunks)
            except StopIteration:
                break
        if size < 0:
            size = len(self._rest)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
