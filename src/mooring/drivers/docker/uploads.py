# SPDX-License-Identifier: Apache-2.0
"""A file or folder of this machine as a tar that is made while it is sent: nothing of it lies anywhere else.

Links are never followed. Everything in it belongs to whom the receiver says, and may be read by nobody else.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from mooring.drivers.errors import UploadRefused

_PIECE_BYTES = 1 << 20


def stream_upload(source: str, path: str, *, uid: int, gid: int) -> Iterator[bytes]:
    """The pieces of an archive that has `source` as `path`.

    Args:
        source: absolute path here; a link of a person's own to it is followed.
        path: absolute path there.

    Raises:
        UploadRefused: it cannot be read, changed while it was read, or holds what is neither file nor folder.
    """
    name = path.strip("/")
    try:
        for one, entry in _walk(Path(source).resolve(strict=True), name):
            yield from _member(one, entry, uid, gid)
    except OSError as fault:
        raise UploadRefused(f"{os.strerror(fault.errno or 0)}: {fault.filename or source}.") from None
    yield bytes(2 * tarfile.BLOCKSIZE)


def _walk(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield path, name
    if not stat.S_ISDIR(path.lstat().st_mode):
        return
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            yield from _walk(Path(entry.path), f"{name}/{entry.name}")


def _member(path: Path, name: str, uid: int, gid: int) -> Iterator[bytes]:
    member = tarfile.TarInfo(name)
    member.uid, member.gid = uid, gid
    kind = stat.S_IFMT(path.lstat().st_mode)
    if kind == stat.S_IFDIR:
        member.type, member.mode = tarfile.DIRTYPE, 0o700
        yield _head(member)
        return
    if kind != stat.S_IFREG:
        raise UploadRefused(f"{path} is neither a file nor a folder.")
    # What is opened may be another file by now: asked once more, of what is read.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb", buffering=0) as file:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            raise UploadRefused(f"{path} is no file any more.")
        member.mode, member.size = 0o600, info.st_size
        yield _head(member)
        left = info.st_size
        while left:
            piece = file.read(min(_PIECE_BYTES, left))
            if not piece:
                raise UploadRefused(f"{path} became shorter while it was read.")
            left -= len(piece)
            yield piece
        yield bytes(-info.st_size % tarfile.BLOCKSIZE)


def _head(member: tarfile.TarInfo) -> bytes:
    """PAX, since files of more than 8 GiB and long names have no room in the older form."""
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
