# SPDX-License-Identifier: Apache-2.0
"""The task `filestore-copy`: the files that a copied database names, beside the instance's own.

They are gathered in our own folder of the volume and get the name of the copied database's filestore when they are on
disk: what has the name is whole. What the instance has already is linked within its volume; what it lacks is copied from
the source, never linked: a change of owner, or a write in place, would reach the source. The source's volume is only read.

A file that was copied, and is what its name says, gets the time of its source. Where size and time of both are still the same,
it is that very copy, untouched since, and is not read again: the second refresh costs a link for each file.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mooring.domain.work.live_copy import FilesCopied, FilestoreCopy
from mooring.domain.work.live_copy_errors import SourceFilesUnreadable, SourceUnfit
from mooring.domain.work.names import beside
from mooring.engine.backup.exported import is_nameable, stream_names
from mooring.engine.building_folder import BuildingFolder, is_sound, sha1_of_name
from mooring.engine.filestore import is_folder
from mooring.engine.report import Reporter
from mooring.engine.server import open_session
from mooring.engine.tree import clone_content, remove_tree, rename, sync_all
from mooring.engine.volume import Volume, locked_volume

# Files that one thread takes at once, and lots that wait: little memory, and few words between threads.
_LOT = 32
_WINDOW = 16
_SAY_EVERY = 500
_SHOWN = 20
_AGAIN_S = 1.0


def ensure_copied(document: FilestoreCopy, report: Reporter) -> FilesCopied:
    """The task. Safe to repeat: a whole one of the same operation is kept, an incomplete one gone on with.

    Raises:
        SourceFilesUnreadable: the source's files cannot be read, or are not there at all; nothing was replaced.
        SourceUnfit: the database names a file that leads elsewhere.
        MooringError: see `locked_volume`; PostgreSQL cannot be used.
    """
    begun = time.monotonic()
    volume = Volume(Path(document.data_dir), document.database)
    with locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK):
        name = beside(document.instance, role="building", operation=document.fence.operation)
        target = volume.current.parent / name
        home = volume.copy("building", document.fence.operation)
        home = home.with_name(f"{home.name}.building")
        source = None if document.source_filestore is None else Path(document.source_filestore)
        gathering = Gathering(volume, source, home, document.jobs, report)
        kept = is_folder(target)
        if not kept:
            home.mkdir(mode=0o700, exist_ok=True)
            with open_session(document.connection, task=document.TASK, database=name) as session, session.transaction():
                gathering.have_all(stream_names(session))
            sync_all(home)
            volume.current.parent.mkdir(mode=0o755, exist_ok=True)
            rename(home / "filestore", target)
        remove_tree(home)
        return FilesCopied(
            folder=str(target.relative_to(volume.data)),
            kept=kept,
            files=gathering.linked + gathering.copied,
            linked=gathering.linked,
            copied=gathering.copied,
            copied_bytes=gathering.copied_bytes,
            reflinked=gathering.reflinked,
            absent=len(gathering.missing),
            missing=tuple(sorted(gathering.missing)[:_SHOWN]),
            damaged=tuple(sorted(gathering.damaged)[:_SHOWN]),
            duration_ms=int((time.monotonic() - begun) * 1000),
        )


@dataclass
class Gathering:
    """Gathers the files that a database names.

    Attributes:
        volume: with its lock.
        source: the source's filestore; None copies nothing.
        home: our folder: `filestore/` is what will be whole, `new/` what is being written.
        jobs: files that are worked on side by side.
    """

    volume: Volume
    source: Path | None
    home: Path
    jobs: int
    report: Reporter
    linked: int = 0
    copied: int = 0
    copied_bytes: int = 0
    reflinked: int = 0
    missing: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._folder = BuildingFolder(self.volume, self.home)

    def have_all(self, names: Iterable[tuple[str, int | None]]) -> None:
        """Have every file of the list that is anywhere.

        Raises:
            SourceFilesUnreadable: the source cannot be read.
            SourceUnfit: the list holds a name that leads elsewhere.
            OSError: the volume refuses something.
        """
        self._folder.begin()
        done = 0
        for more in self._each(names):
            if (done + more) // _SAY_EVERY > done // _SAY_EVERY:
                self.report.progress("files", done + more)
            done += more
        self.report.progress("files", done)
        if self.source is None or not self.missing:
            return
        if not is_folder(self.source):
            raise SourceFilesUnreadable(f"The source has no filestore at {self.source}, and its database names files.")
        # A write of this moment may have been half way between its two names.
        time.sleep(_AGAIN_S)
        again, self.missing = sorted(self.missing), set()
        for _ in self._each((name, None) for name in again):
            pass

    def _each(self, names: Iterable[tuple[str, int | None]]) -> Iterator[int]:
        """Have the files, some at a time: how many more were looked at, again and again."""
        waiting: deque[Future[int]] = deque()
        left = iter(names)
        with ThreadPoolExecutor(self.jobs, "files") as pool:
            try:
                while lot := list(islice(left, _LOT)):
                    for name, _ in lot:
                        if not is_nameable(name):
                            raise SourceUnfit(f"The database names a file {name!r}, which leads elsewhere.")
                    waiting.append(pool.submit(self._have_lot, lot))
                    if len(waiting) >= _WINDOW:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _have_lot(self, lot: list[tuple[str, int | None]]) -> int:
        linked = 0
        for name, size in lot:
            if self._is_untouched_copy(name, size) and self._folder.link_fresh(name):
                linked += 1
            else:
                self._have(name, size)
        self._count("linked", linked)
        return len(lot)

    def _is_untouched_copy(self, name: str, size: int | None) -> bool:
        """Whether the instance's file has size and time of the source's: only `_copy` gives it that time."""
        if self.source is None or sha1_of_name(name) is None:
            return False
        try:
            own, theirs = os.lstat(f"{self._folder.current}/{name}"), os.lstat(f"{self.source}/{name}")
        except OSError:
            return False  # it is read then, which says what is wrong
        return (
            stat.S_ISREG(own.st_mode)
            and stat.S_ISREG(theirs.st_mode)
            and own.st_mtime_ns == theirs.st_mtime_ns
            and own.st_size == theirs.st_size
            and (not size or own.st_size == size)
        )

    def _have(self, name: str, size: int | None) -> None:
        folder, digest = self._folder, sha1_of_name(name)
        target, own = folder.whole / name, folder.current / name
        if digest is not None and is_sound(target, size, digest):
            # By an earlier run.
            self._count("linked" if own.is_file() and own.samefile(target) else "copied")
            return
        folder.clear(name)
        if digest is not None and is_sound(own, size, digest):
            self._link(name)
        elif self.source is not None:
            self._copy(self.source / name, target, name, digest)
        elif own.is_file() and not own.is_symlink():
            self._link(name)
        else:
            self._miss(name)

    def _link(self, name: str) -> None:
        self._folder.link(name)
        self._count("linked")

    def _copy(self, source: Path, target: Path, name: str, digest: str | None) -> None:
        aside = self._folder.aside(name)
        with _reading(source):
            try:
                # From before the copy: a file that is written meanwhile has a later time.
                before = source.lstat()
                shared = clone_content(source, aside)
            except (FileNotFoundError, NotADirectoryError):
                self._miss(name)
                return
        if digest is not None and not is_sound(aside, None, digest):
            with self._lock:
                self.damaged.add(name)
        elif digest is not None:
            os.utime(aside, ns=(before.st_atime_ns, before.st_mtime_ns))
        size = aside.stat().st_size
        if self._folder.owner:
            os.chown(aside, *self._folder.owner)
        aside.rename(target)
        with self._lock:
            self.copied += 1
            self.copied_bytes += size
            self.reflinked += shared

    def _count(self, what: str, more: int = 1) -> None:
        with self._lock:
            setattr(self, what, getattr(self, what) + more)

    def _miss(self, name: str) -> None:
        with self._lock:
            self.missing.add(name)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """A refusal by the source is said as such, and not as one of the instance's own volume."""
    try:
        yield
    except OSError as fault:
        if fault.errno in (errno.EACCES, errno.EPERM, errno.ELOOP) and fault.filename in (str(source), source):
            raise SourceFilesUnreadable(f"{os.strerror(fault.errno)}: {source}.") from None
        raise
