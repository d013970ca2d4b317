# SPDX-License-Identifier: Apache-2.0
"""A filestore that is being gathered beside an instance's own: its folders, its owner, and what of the instance is linked.

Every task that builds one (from a repository, from a running instance) lays its files by this; where they come from is theirs.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
from pathlib import Path

from mooring.engine.filestore import is_folder
from mooring.engine.tree import copy_file
from mooring.engine.volume import Volume

_SHA1 = re.compile(r"[0-9a-f]{40}")
_PIECE_BYTES = 1 << 20


class BuildingFolder:
    """Our folder in an instance's volume. Safe from several threads.

    Attributes:
        current: the instance's filestore.
        whole: folder of what will be the filestore.
        new: folder of what is being written.
        owner: user and group that everything gets; None where this process cannot give files away.
    """

    def __init__(self, volume: Volume, home: Path) -> None:
        """Touches nothing yet. Args: volume: with its lock; home: our folder in it, which exists."""
        self.current = volume.current
        self.whole, self.new = home / "filestore", home / "new"
        # Odoo's user, whoever that is here, has the folder that its data is in.
        info = volume.data.stat() if os.geteuid() == 0 else None
        self.owner = None if info is None else (info.st_uid, info.st_gid)
        self._lock = threading.Lock()
        self._folders: set[Path] = set()
        self._inner: set[str] = set()

    def begin(self) -> None:
        """Have both folders."""
        self.ensure_folder(self.whole)
        self.ensure_folder(self.new)

    def aside(self, name: str) -> Path:
        """Where the file of that name is written before it has its place; nothing is there now."""
        path = self.new / name.replace("/", "_")
        path.unlink(missing_ok=True)
        return path

    def clear(self, name: str) -> Path:
        """The place of the file of that name: its folder is there, and it is free."""
        target = self.whole / name
        self.ensure_folder(target.parent)
        target.unlink(missing_ok=True)
        return target

    def place(self, name: str) -> str:
        """Where the file of that name belongs; its folder is there. As text: of many thousand files, paths take long."""
        inner = name.rpartition("/")[0]
        if inner not in self._inner:
            self.ensure_folder(self.whole / inner)
            self._inner.add(inner)
        return f"{self.whole}/{name}"

    def link(self, name: str) -> None:
        """The instance's own file: linked within its volume, where nothing changes a file that is written."""
        self.place(name)
        if not copy_file(self.current / name, self.whole / name) and self.owner:
            os.chown(self.whole / name, *self.owner)

    def link_fresh(self, name: str) -> bool:
        """The same where nothing has that name yet; False where something has, and nothing was done."""
        try:
            if not copy_file(f"{self.current}/{name}", self.place(name)) and self.owner:
                os.chown(self.whole / name, *self.owner)
        except FileExistsError:
            return False
        return True

    def ensure_folder(self, folder: Path) -> None:
        """Make a folder and those above it, each its owner's."""
        with self._lock:
            missing: list[Path] = []
            while folder not in self._folders and not is_folder(folder):
                missing.append(folder)
                folder = folder.parent
            for path in reversed(missing):
                path.mkdir(mode=0o755)
                if self.owner:
                    os.chown(path, *self.owner)
            self._folders.update(missing)


def sha1_of_name(name: str) -> str | None:
    """The SHA-1 that a file's content has to have by its name; None where the name says none."""
    digest = name.rpartition("/")[2]
    return digest if _SHA1.fullmatch(digest) else None


def is_sound(path: Path, size: int | None, digest: str) -> bool:
    """Whether a regular file is there that has this content, and this size where it is known.

    Args:
        size: in bytes; None or 0 is not known: Odoo leaves it out of rows of very old versions.
        digest: SHA-1 in hexadecimal.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with os.fdopen(handle, "rb", buffering=0) as file:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode) or (size and info.st_size != size):
            return False
        found = hashlib.sha1(usedforsecurity=False)
        while piece := file.read(_PIECE_BYTES):
            found.update(piece)
    return found.hexdigest() == digest
