# SPDX-License-Identifier: Apache-2.0
"""Reads the files that a comparison found new, each once, stores them, and writes the snapshot's list of files.

A file that is not what its name says is kept under its true content and listed as missing. Several are read side by side;
the list keeps its order.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import RawIOBase

from mooring.domain.repository.manifest import ExternalFiles, MissingFile, SnapshotFilestore
from mooring.domain.work.backup_errors import FilesChanging
from mooring.engine.backup.compare import IN_PLACE, LINKED, SPOOL, Comparison, Gathered, Store
from mooring.engine.backup.dump import DumpAgain
from mooring.engine.backup.lists import (
    entry_of,
    merge_changes,
    read_changes,
    read_entries,
    read_lines,
    render_lines,
)
from mooring.engine.backup.take import Counted
from mooring.engine.repository.ports import Cut

CHANGES = "files.changes"
_SHA1 = re.compile(r"[0-9a-f]{40}")
_PIECE_BYTES = 1 << 20
_WINDOW = 256
_REBASE = 0.2
_SAY_EVERY = 500
_BROKEN = {errno.EIO, errno.ELOOP}


@dataclass
class FilesBackup:
    """The rest of a filestore's backup.

    Attributes:
        store: the repository.
        compared: after its `gather`.
        threads: files that are read side by side.
        said: called with files read, and files to read.
    """

    store: Store
    compared: Comparison
    threads: int
    said: Callable[[int, int], None]

    def keep(self, found: Gathered, external: tuple[ExternalFiles, ...]) -> SnapshotFilestore:
        """Read and store what is new, then the list.

        Raises:
            DumpAgain: a file went away that could not be linked aside.
            OSError: the volume cannot be read.
        """
        missing = [MissingFile(name, "lost" if had else "missing") for name, had in found.missing]
        count, size_bytes, done = found.count, found.size_bytes, 0
        with (self.compared.work / CHANGES).open("wb") as changes:
            for line in self._read_fresh():
                if isinstance(line, MissingFile):
                    missing.append(line)
                    continue
                changes.write(line.text + b"\n")
                if line.fresh:
                    done += 1
                    count += 1
                    size_bytes += line.size
                    if done % _SAY_EVERY == 0:
                        self.said(done, found.fresh)
        base = self.compared.base
        if base is not None and found.lines <= _REBASE * max(count, 1) and self.store.keep(base):
            listed = self.store.write(Counted(self.compared.work / CHANGES).pieces(), cut=Cut.CONTENT)
        else:
            base = None
            listed = self.store.write(render_lines(self._whole()), cut=Cut.CONTENT)
        missing.sort(key=lambda one: one.name.encode())
        return SnapshotFilestore(count, size_bytes, listed, tuple(missing), external, base)

    def _read_fresh(self) -> Iterator[_Line | MissingFile]:
        """The spool's lines in order, with those in it that have to be read read, some side by side."""
        waiting: deque[_Line | Future[_Line | MissingFile]] = deque()

        def first() -> _Line | MissingFile:
            head = waiting.popleft()
            return head.result() if isinstance(head, Future) else head

        with ThreadPoolExecutor(self.threads, "files") as pool, (self.compared.work / SPOOL).open("rb") as spool:
            try:
                for raw in spool:
                    text = raw[:-1]
                    if text[:1] in (LINKED, IN_PLACE):
                        name, _, size = text[1:].decode().partition(" ")
                        waiting.append(pool.submit(self._read, name, int(size), aside=text[:1] == LINKED))
                    else:
                        waiting.append(_Line(text))
                    if len(waiting) >= _WINDOW:
                        yield first()
                while waiting:
                    yield first()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, name: str, size: int, *, aside: bool) -> _Line | MissingFile:
        self.compared.check()
        path = (self.compared.aside if aside else self.compared.root) / name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            fault = FilesChanging(f"The file {name} went away while it was to be backed up.")
            raise DumpAgain(fault) from None
        except OSError as fault:
            if fault.errno not in _BROKEN:
                raise
            return MissingFile(name, "missing")
        digest = hashlib.sha1(usedforsecurity=False)
        with os.fdopen(handle, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return MissingFile(name, "missing")
            try:
                stream = self.store.write(_pieces(file, digest.update), cut=Cut.FIXED)
            except _Unreadable:
                return MissingFile(name, "missing")
        if aside:
            path.unlink()
        base = name.rpartition("/")[2]
        if digest.hexdigest() == base if _SHA1.fullmatch(base) else size in (-1, stream.size):
            entry = entry_of(name, stream)
            return _Line(b"+%s %s" % entry, fresh=True, size=stream.size)
        return MissingFile(name, "truncated" if stream.size < size else "altered", stream)

    def _whole(self) -> Iterator[bytes]:
        """The lines of the whole list: the base with the changes."""
        base = self.compared.base
        with (self.compared.work / CHANGES).open("rb") as changes:
            have = read_entries(read_lines(self.store.read(base))) if base else iter(())
            for name, _, now in merge_changes(have, read_changes(line[:-1] for line in changes)):
                if now is not None:
                    yield b"%s %s" % (name, now)


@dataclass(frozen=True)
class _Line:
    text: bytes
    fresh: bool = False
    size: int = 0


class _Unreadable(Exception):
    """The disk cannot read this file."""


def _pieces(file: RawIOBase, update: Callable[[bytes], None]) -> Iterator[bytes]:
    while True:
        try:
            piece = file.read(_PIECE_BYTES)
        except OSError as fault:
            if fault.errno != errno.EIO:
                raise
            raise _Unreadable from None
        if not piece:
            return
        update(piece)
        yield piece
