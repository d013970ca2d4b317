# SPDX-License-Identifier: Apache-2.0
"""The task `filestore-copy`: the files that a copied database names, beside the instance's own.

They are gathered in our own folder of the volume and get the name of the copied database's filestore when they are on
disk: what has the name is whole. What the instance has already is linked within its volume; what it lacks is copied from
the source, never linked: a change of owner, or a write in place, would reach the source. The source's volume is only read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mooring.domain.work.live_copy import FilesCopied, FilestoreCopy
from mooring.domain.work.live_copy_errors import SourceFilesUnreadable, SourceUnfit
from mooring.domain.work.names import beside
from mooring.engine.backup.exported import is_nameable, stream_names
from mooring.engine.filestore import is_folder
from mooring.engine.report import Reporter
from mooring.engine.server import open_session
from mooring.engine.tree import clone_content, copy_file, remove_tree, rename, sync_all
from mooring.engine.volume import Volume, locked_volume

_SHA1 = re.compile(r"[0-9a-f]{40}")
_PIECE_BYTES = 1 << 20
_WINDOW = 256
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
    _owner: tuple[int, int] | None = None
    _folders: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        if os.geteuid() == 0:
            # Odoo's user, whoever that is here, has the folder that its data is in.
            info = self.volume.data.stat()
            self._owner = (info.st_uid, info.st_gid)

    def have_all(self, names: Iterable[tuple[str, int | None]]) -> None:
        """Have every file of the list that is anywhere.

        Raises:
            SourceFilesUnreadable: the source cannot be read.
            SourceUnfit: the list holds a name that leads elsewhere.
            OSError: the volume refuses something.
        """
        for part in ("filestore", "new"):
            self._make_folder(self.home / part)
        done = 0
        for _ in self._each(names):
            done += 1
            if done % _SAY_EVERY == 0:
                self.report.progress("files", done)
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

    def _each(self, names: Iterable[tuple[str, int | None]]) -> Iterator[None]:
        waiting: deque[Future[None]] = deque()
        with ThreadPoolExecutor(self.jobs, "files") as pool:
            try:
                for name, size in names:
                    if not is_nameable(name):
                        raise SourceUnfit(f"The database names a file {name!r}, which leads elsewhere.")
                    waiting.append(pool.submit(self._have, name, size))
                    if len(waiting) >= _WINDOW:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _have(self, name: str, size: int | None) -> None:
        target, own = self.home / "filestore" / name, self.volume.current / name
        wanted = name.rpartition("/")[2]
        digest = wanted if _SHA1.fullmatch(wanted) else None
        if is_sound(target, size, digest):
            # By an earlier run.
            self._count("linked" if own.is_file() and own.samefile(target) else "copied")
            return
        self._make_folder(target.parent)
        target.unlink(missing_ok=True)
        if digest is not None and is_sound(own, size, digest):
            self._link(own, target)
            return
        if self.source is None:
            if own.is_file() and not own.is_symlink():
                self._link(own, target)
            else:
                self._miss(name)
            return
        self._copy(self.source / name, target, name, digest)

    def _link(self, own: Path, target: Path) -> None:
        """Within the instance's own volume, where nothing changes a file that is written."""
        if not copy_file(own, target) and self._owner:
            os.chown(target, *self._owner)
        self._count("linked")

    def _copy(self, source: Path, target: Path, name: str, digest: str | None) -> None:
        aside = self.home / "new" / name.replace("/", "_")
        aside.unlink(missing_ok=True)
        with _reading(source):
            try:
                shared = clone_content(source, aside)
            except (FileNotFoundError, NotADirectoryError):
                self._miss(name)
                return
        if digest is not None and not is_sound(aside, None, digest):
            with self._lock:
                self.damaged.add(name)
        size = aside.stat().st_size
        if self._owner:
            os.chown(aside, *self._owner)
        aside.rename(target)
        with self._lock:
            self.copied += 1
            self.copied_bytes += size
            self.reflinked += shared

    def _count(self, what: str) -> None:
        with self._lock:
            setattr(self, what, getattr(self, what) + 1)

    def _miss(self, name: str) -> None:
        with self._lock:
            self.missing.add(name)

    def _make_folder(self, folder: Path) -> None:
        with self._lock:
            missing: list[Path] = []
            while folder not in self._folders and not is_folder(folder):
                missing.append(folder)
                folder = folder.parent
            for path in reversed(missing):
                path.mkdir(mode=0o755)
                if self._owner:
                    os.chown(path, *self._owner)
            self._folders.update(missing)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """A refusal by the source is said as such, and not as one of the instance's own volume."""
    try:
        yield
    except OSError as fault:
        if fault.errno in (errno.EACCES, errno.EPERM, errno.ELOOP) and fault.filename in (str(source), source):
            raise SourceFilesUnreadable(f"{os.strerror(fault.errno)}: {source}.") from None
        raise


def is_sound(path: Path, size: int | None, digest: str | None) -> bool:
    """Whether a regular file is there that has this size and the content that its name says."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with os.fdopen(handle, "rb", buffering=0) as file:
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode) or digest is None:
            return False
        # Odoo leaves the size out of rows of very old versions, and a name is stronger than a row.
        if size and info.st_size != size:
            return False
        found = hashlib.sha1(usedforsecurity=False)
        while piece := file.read(_PIECE_BYTES):
            found.update(piece)
    return found.hexdigest() == digest
