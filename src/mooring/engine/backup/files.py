# SPDX-License-Identifier: Apache-2.0
"""Backs the filestore up: finds what is new by comparing names, links it aside at once, and reads it once.

Files never change after Odoo wrote them, so that one which the last snapshot holds is only looked at. New ones are hard-linked
into our own folder of the volume before anything else: Odoo's garbage collection may then remove them. Names come sorted
from the database and from the last list, so that memory does not grow with their number; what is between lies in a file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, Protocol

from mooring.domain.repository.manifest import ExternalFiles, MissingFile, SnapshotFilestore, StreamRef
from mooring.domain.work.backup_errors import FilesChanging
from mooring.engine.backup.dump import DumpAgain
from mooring.engine.backup.exported import is_nameable
from mooring.engine.backup.lists import (
    entry_of,
    merge_changes,
    read_both,
    read_changes,
    read_entries,
    read_lines,
    ref_of,
    render_lines,
    size_of,
)
from mooring.engine.backup.take import Counted
from mooring.engine.repository.ports import Cut, StreamReader, StreamWriter

SPOOL, CHANGES = "files.spool", "files.changes"
_SHA1 = re.compile(r"[0-9a-f]{40}")
_LINKED, _IN_PLACE = b"?", b"!"
_PIECE_BYTES = 1 << 20
_WINDOW = 256
_REBASE = 0.2
_SAY_EVERY = 500
_LOOK_EVERY = 1000
_BROKEN = {errno.EIO, errno.ELOOP}
# As in `mooring.engine.tree`: what says that there is no hard link here, and not that the file is gone.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}


class Store(StreamWriter, StreamReader, Protocol):
    """Takes streams and gives them back; see `BackupStore`."""

    def keep(self, ref: StreamRef) -> bool:
        """Use content again; False where it is there no more."""
        ...


@dataclass
class Gathered:
    """What the comparison found; the spool has one line for each difference from the base list.

    Attributes:
        count: files that need not be read.
        size_bytes: of those.
        fresh: files that have to be read.
        lines: in the spool.
        missing: names without a file, with whether the last snapshot had it.
    """

    count: int = 0
    size_bytes: int = 0
    fresh: int = 0
    lines: int = 0
    missing: list[tuple[str, bool]] = field(default_factory=list)

    def newly(self, known: Iterable[str]) -> list[str]:
        """Missing names that were not known to be."""
        before = set(known)
        return [name for name, _ in self.missing if name not in before]


@dataclass
class FilesBackup:
    """One backup of a filestore.

    Attributes:
        store: the repository.
        before: the last snapshot's filestore.
        root: Odoo's filestore of the database.
        aside: our folder on the same mount; exists, empty.
        work: folder for temporary files.
        threads: files that are read side by side.
        stop: set by whoever wants it to end.
        said: called with files read, and files to read.
    """

    store: Store
    before: SnapshotFilestore | None
    root: Path
    aside: Path
    work: Path
    threads: int
    stop: threading.Event
    said: Callable[[int, int], None]
    _folders: set[str] = field(default_factory=set)

    def gather(self, names: Iterable[tuple[str, int | None]]) -> Gathered:
        """Compare names with the last list, and link aside what is new.

        Args:
            names: sorted in byte order, each with the size that it should have.

        Raises:
            OSError: the volume cannot be read.
        """
        found = Gathered()
        known = read_both(self.store, self.before) if self.before else iter(())
        with (self.work / SPOOL).open("wb") as spool:
            last = next(known, None)
            for number, (name, size) in enumerate(names):
                if number % _LOOK_EVERY == 0:
                    self._check()
                if not is_nameable(name):
                    found.missing.append((name, False))
                    continue
                raw = name.encode()
                while last is not None and last[0] < raw:
                    _leave(last[0], last[1], spool, found)
                    last = next(known, None)
                base = now = None
                if last is not None and last[0] == raw:
                    _, base, now = last
                    last = next(known, None)
                self._look(name, size, base, now, spool, found)
            while last is not None:
                _leave(last[0], last[1], spool, found)
                last = next(known, None)
        return found

    def keep(self, found: Gathered, external: tuple[ExternalFiles, ...]) -> SnapshotFilestore:
        """Read and store what is new, then the list.

        Raises:
            DumpAgain: a file went away that could not be linked aside.
            OSError: the volume cannot be read.
        """
        missing = [MissingFile(name, "lost" if had else "missing") for name, had in found.missing]
        count, size_bytes, done = found.count, found.size_bytes, 0
        with (self.work / CHANGES).open("wb") as changes:
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
        base = self._base()
        if base is not None and found.lines <= _REBASE * max(count, 1) and self.store.keep(base):
            listed = self.store.write(Counted(self.work / CHANGES).pieces(), cut=Cut.CONTENT)
        else:
            base = None
            listed = self.store.write(render_lines(self._whole()), cut=Cut.CONTENT)
        missing.sort(key=lambda one: one.name.encode())
        return SnapshotFilestore(count, size_bytes, listed, tuple(missing), external, base)

    def _look(
        self, name: str, size: int | None, base: bytes | None, now: bytes | None, spool: BinaryIO, found: Gathered
    ) -> None:
        raw = name.encode()
        if now is not None:
            there = _stat(self.root / name)
            if there is None:
                found.missing.append((name, True))
                _leave(raw, base, spool, found)
                return
            if there == size_of(now) and self.store.keep(ref_of(now)):
                found.count += 1
                found.size_bytes += there
                if base != now:
                    _leave(raw, base, spool, found)
                    _note(b"+%s %s" % (raw, now), spool, found)
                return
        how = self._link(name)
        _leave(raw, base, spool, found)
        if how is None:
            found.missing.append((name, now is not None))
            return
        found.fresh += 1
        _note(b"%s%s %d" % (how, raw, -1 if size is None else size), spool, found)

    def _link(self, name: str) -> bytes | None:
        """Link the file aside: LINKED; IN_PLACE where there are no links; None where there is no file."""
        folder = name.rpartition("/")[0]
        if folder not in self._folders:
            (self.aside / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folders.add(folder)
        try:
            os.link(self.root / name, self.aside / name, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            if fault.errno not in _NO_LINK:
                raise
            return _IN_PLACE if _stat(self.root / name) is not None else None
        return _LINKED

    def _read_fresh(self) -> Iterator[_Line | MissingFile]:
        """The spool's lines in order, with those in it that have to be read read, some side by side."""
        waiting: deque[_Line | Future[_Line | MissingFile]] = deque()

        def first() -> _Line | MissingFile:
            head = waiting.popleft()
            return head.result() if isinstance(head, Future) else head

        with ThreadPoolExecutor(self.threads, "files") as pool, (self.work / SPOOL).open("rb") as spool:
            try:
                for raw in spool:
                    text = raw[:-1]
                    if text[:1] in (_LINKED, _IN_PLACE):
                        name, _, size = text[1:].decode().partition(" ")
                        waiting.append(pool.submit(self._read, name, int(size), aside=text[:1] == _LINKED))
                    else:
                        waiting.append(_Line(text))
                    if len(waiting) >= _WINDOW:
                        yield first()
                while waiting:
                    yield first()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, name: str, size: int, *, aside: bool) -> _Line | MissingFile:
        self._check()
        path = (self.aside if aside else self.root) / name
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
        base = self._base()
        with (self.work / CHANGES).open("rb") as changes:
            have = read_entries(read_lines(self.store.read(base))) if base else iter(())
            for name, _, now in merge_changes(have, read_changes(line[:-1] for line in changes)):
                if now is not None:
                    yield b"%s %s" % (name, now)

    def _base(self) -> StreamRef | None:
        return None if self.before is None else self.before.base or self.before.list

    def _check(self) -> None:
        if self.stop.is_set():
            raise FilesChanging("The backup was given up.")


@dataclass(frozen=True)
class _Line:
    text: bytes
    fresh: bool = False
    size: int = 0


class _Unreadable(Exception):
    """The disk cannot read this file."""


def _leave(name: bytes, base: bytes | None, spool: BinaryIO, found: Gathered) -> None:
    """What the base says of the name holds no more."""
    if base is not None:
        _note(b"-%s %s" % (name, base), spool, found)


def _note(line: bytes, spool: BinaryIO, found: Gathered) -> None:
    spool.write(line + b"\n")
    found.lines += 1


def _stat(path: Path) -> int | None:
    """The size of a regular file, None where there is none."""
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return info.st_size if stat.S_ISREG(info.st_mode) else None


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
