# SPDX-License-Identifier: Apache-2.0
"""Add-ons and settings as streams: a folder as a tar that is the same whenever its content is, odoo.conf without secrets."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from mooring.domain.odoo.options import looks_secret
from mooring.domain.work.errors import FilestoreFailed

_LEFT_OUT = {"__pycache__", ".git", ".hg", ".svn"}
_PIECE_BYTES = 1 << 20
_CONF_LIMIT_BYTES = 1 << 20


def pack_folder(folder: Path) -> Iterator[bytes]:
    """The folder as a tar stream (PAX): sorted, owned by nobody, without what version control and Python keep beside code.

    Times of files are kept in whole seconds. Links are packed as links.

    Raises:
        FilestoreFailed: a file changed its size while it was read.
        OSError: the folder cannot be read.
    """
    for path, name in _walk(folder, ""):
        info = path.lstat()
        entry = tarfile.TarInfo(name)
        entry.mtime = int(info.st_mtime)
        entry.mode = stat.S_IMODE(info.st_mode)
        if stat.S_ISLNK(info.st_mode):
            entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
        elif stat.S_ISDIR(info.st_mode):
            entry.type = tarfile.DIRTYPE
        elif stat.S_ISREG(info.st_mode):
            entry.size = info.st_size
        else:
            continue
        yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if entry.isreg():
            yield from _content(path, entry.size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def render_conf(text: str) -> str:
    """odoo.conf without the values of options whose names say that they are secrets, and their continuation lines."""
    kept: list[str] = []
    hiding = False
    for line in text.splitlines():
        if line[:1].isspace() and line.strip():
            if not hiding:
                kept.append(line)
            continue
        key = line.partition("=")[0].partition(":")[0].strip().lstrip("#; ")
        hiding = bool(key) and not line.startswith("[") and looks_secret(key)
        kept.append(f"; {key} was left out of the backup" if hiding else line)
    return "\n".join(kept) + "\n"


def read_conf(path: Path) -> bytes:
    """odoo.conf for the snapshot.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(_CONF_LIMIT_BYTES).decode(errors="replace")
    return render_conf(text).encode()


def _walk(folder: Path, below: str) -> Iterator[tuple[Path, str]]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in found:
        if entry.name in _LEFT_OUT or entry.name.endswith((".pyc", ".pyo")):
            continue
        yield Path(entry.path), f"{below}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{below}{entry.name}/")


def _content(path: Path, size: int) -> Iterator[bytes]:
    left = size
    with path.open("rb", buffering=0) as file:
        while left and (piece := file.read(min(left, _PIECE_BYTES))):
            left -= len(piece)
            yield piece
    if left:
        raise FilestoreFailed(f"{path} became smaller while it was read.")
    yield bytes(-size % tarfile.BLOCKSIZE)
