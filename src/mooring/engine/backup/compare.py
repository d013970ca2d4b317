# SPDX-License-Identifier: Apache-2.0
"""Finds which files of the filestore a snapshot has to read: compares sorted names, and links aside at once what is new.

Files never change after Odoo wrote them, so that one which the last snapshot holds is only looked at. New ones are hard-linked
into our own folder of the volume before anything else: Odoo's garbage collection may then remove them. Names come sorted
from the database and from the last list, so that memory does not grow with their number; the outcome is a file of lines:
`-` and `+` as in a difference list, `?` for a file that is linked aside and `!` for one that has to be read where it is,
these with the size that it should have, or -1.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from mooring.domain.repository.manifest import SnapshotFilestore, StreamRef
from mooring.domain.work.backup_errors import FilesChanging
from mooring.engine.backup.exported import is_nameable
from mooring.engine.backup.lists import read_both, ref_of, size_of
from mooring.engine.repository.ports import StreamReader, StreamWriter

SPOOL = "files.spool"
LINKED, IN_PLACE = b"?", b"!"
_LOOK_EVERY = 1000
_SHOWN = 20
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
        unreadable: the first files and folders that this user may not read.
        unreadable_count: all of them.
    """

    count: int = 0
    size_bytes: int = 0
    fresh: int = 0
    lines: int = 0
    missing: list[tuple[str, bool]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unreadable_count: int = 0
    _refused: str = ""

    def newly(self, known: Iterable[str]) -> list[str]:
        """Missing names that were not known to be."""
        before = set(known)
        return [name for name, _ in self.missing if name not in before]

    def refuse(self, path: str) -> None:
        """This one may not be read; a folder is named once, since its files come one after another."""
        if path == self._refused:
            return
        self._refused = path
        self.unreadable_count += 1
        if len(self.unreadable) < _SHOWN:
            self.unreadable.append(path)


@dataclass
class Comparison:
    """One comparison of a filestore with the last snapshot.

    Attributes:
        store: the repository; None where there is no last snapshot.
        before: the last snapshot's filestore.
        root: Odoo's filestore of the database.
        aside: our folder on the same mount; exists, empty.
        work: folder for temporary files.
        stop: set by whoever wants it to end.
    """

    store: Store | None
    before: SnapshotFilestore | None
    root: Path
    aside: Path
    work: Path
    stop: threading.Event
    _folders: set[str] = field(default_factory=set)

    @property
    def base(self) -> StreamRef | None:
        """The list that differences are from."""
        return None if self.before is None else self.before.base or self.before.list

    def gather(self, names: Iterable[tuple[str, int | None]]) -> Gathered:
        """Compare names with the last list, and link aside what is new. What may not be read is listed, and left.

        Args:
            names: sorted in byte order, each with the size that it should have.

        Raises:
            OSError: the volume cannot be read.
        """
        found = Gathered()
        known = read_both(self.store, self.before) if self.store and self.before else iter(())
        with (self.work / SPOOL).open("wb") as spool:
            last = next(known, None)
            for number, (name, size) in enumerate(names):
                if number % _LOOK_EVERY == 0:
                    self.check()
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
                try:
                    self._look(name, size, base, now, spool, found)
                except _Refused:
                    found.refuse(str(self._refused(name)))
            while last is not None:
                _leave(last[0], last[1], spool, found)
                last = next(known, None)
        return found

    def fresh(self) -> Iterator[tuple[str, Path]]:
        """After `gather`: names that were not known, and where each can be read."""
        with (self.work / SPOOL).open("rb") as spool:
            for raw in spool:
                if raw[:1] in (LINKED, IN_PLACE):
                    name = raw[1:].decode().partition(" ")[0]
                    yield name, (self.aside if raw[:1] == LINKED else self.root) / name

    def _look(
        self, name: str, size: int | None, base: bytes | None, now: bytes | None, spool: BinaryIO, found: Gathered
    ) -> None:
        raw = name.encode()
        if now is not None:
            there = self._size(name)
            if there is None:
                found.missing.append((name, True))
                _leave(raw, base, spool, found)
                return
            if there == size_of(now) and self.store and self.store.keep(ref_of(now)):
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
            if self._size(name) is None:
                return None
            self._check_read(name)
            return IN_PLACE
        self._check_read(name)
        return LINKED

    def _size(self, name: str) -> int | None:
        try:
            return _stat(self.root / name)
        except PermissionError:
            raise _Refused from None

    def _check_read(self, name: str) -> None:
        # A link is no file of the store, and is found missing when it is opened.
        if not os.access(self.root / name, os.R_OK) and self._size(name) is not None:
            raise _Refused

    def _refused(self, name: str) -> Path:
        """The file that may not be read, or the first folder on the way to it that lets nobody through."""
        path = self.root / name
        way = [folder for folder in reversed(path.parents) if folder.is_relative_to(self.root)]
        return next((folder for folder in way if not os.access(folder, os.X_OK)), path)

    def check(self) -> None:
        """Nothing while it is wanted.

        Raises:
            FilesChanging: the backup was given up.
        """
        if self.stop.is_set():
            raise FilesChanging("The backup was given up.")


class _Refused(Exception):
    """This user may not read the file, or not get to it."""


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
