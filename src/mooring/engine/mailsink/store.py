# SPDX-License-Identifier: Apache-2.0
"""Where caught mail is kept: one file a message, numbered, bounded in number and bytes; the oldest go first.

A message is there whole or not at all: it is written beside, and renamed when it is on the disk. One process writes; others
may read at any time. Called by the sink and by its reader.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_NAME = re.compile(r"(?P<number>[0-9]{9,})\.eml")
_PART = ".incoming-"


@dataclass(frozen=True)
class Kept:
    """A message that is there.

    Attributes:
        size: in bytes.
        at: when it came, seconds since 1970.
    """

    number: int
    path: Path
    size: int
    at: float


def list_kept(folder: Path) -> list[Kept]:
    """All messages, oldest first; one that goes meanwhile is left out."""
    found: list[Kept] = []
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        with contextlib.suppress(FileNotFoundError):
            known = path.stat()
            found.append(Kept(int(match["number"]), path, known.st_size, known.st_mtime))
    return sorted(found, key=lambda one: one.number)


class Store:
    """The folder of one sink; at most one in a process, and one process a folder.

    Args:
        folder: exists.
        total_bytes: of all messages.
        messages: how many there may be.

    Raises:
        OSError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path, *, total_bytes: int, messages: int) -> None:
        self._folder, self._total_bytes, self._messages = folder, total_bytes, messages
        for left in folder.glob(f"{_PART}*"):
            left.unlink()  # of a life that ended in the middle of a message
        self._last = max((one.number for one in list_kept(folder)), default=0)
        self._parts = 0
        self._keeping = threading.Lock()

    @contextlib.contextmanager
    def incoming(self) -> Iterator[BinaryIO]:
        """A file for a message that is coming in; it goes unless `keep` was called with it."""
        self._parts += 1
        path = self._folder / f"{_PART}{self._parts}"
        with path.open("xb") as file:
            try:
                yield file
            finally:
                path.unlink(missing_ok=True)

    def keep(self, file: BinaryIO) -> Kept:
        """Make what came in a message; the oldest make room for it. Safe from several threads.

        Raises:
            OSError: the disk is full, or broken; nothing is kept then.
        """
        file.flush()
        os.fsync(file.fileno())
        known = os.fstat(file.fileno())
        with self._keeping:
            self._make_room(known.st_size)
            number = self._last + 1
            path = self._folder / f"{number:09}.eml"
            Path(file.name).rename(path)
            self._last = number
        place = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(place)
        finally:
            os.close(place)
        return Kept(number, path, known.st_size, known.st_mtime)

    def _make_room(self, size: int) -> None:
        kept = list_kept(self._folder)
        total = sum(one.size for one in kept)
        while kept and (total + size > self._total_bytes or len(kept) >= self._messages):
            oldest = kept.pop(0)
            oldest.path.unlink(missing_ok=True)
            total -= oldest.size
