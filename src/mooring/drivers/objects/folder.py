# SPDX-License-Identifier: Apache-2.0
"""An object store in a folder: each object a file that appears whole or not at all, and is on the disk when `put` returns.

For a disk that is mounted, or a share. Conditional writes are honoured between processes of one machine (hard links and a
lock); on a share that knows no locks only one host may prune. The clock is the file system's. Opened by `settings.open_store`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from mooring.drivers.files import file_errors, fsync_dir, is_temporary
from mooring.drivers.objects.errors import ObjectChanged, ObjectExists, ObjectMissing, StoreFailed, StoreForbidden
from mooring.drivers.objects.retry import Bandwidth
from mooring.drivers.objects.store import CLOCK_KEY, MAX_OBJECT, Content, Fetched, ObjectInfo, Refusal, Requests

_LOCK = ".lock"
_GROUPS = stat.S_ISGID | stat.S_IWGRP


class FolderObjects:
    """Objects as files below one folder. Safe from several threads and processes.

    What is made is its owner's alone; below a folder with the set-group-id bit that its group may write, it is the group's too.
    """

    def __init__(self, root: Path, *, bandwidth: Bandwidth | None = None) -> None:
        """Touches nothing yet; the first `put` makes the folder, with mode 0700.

        Args:
            root: absolute.
            bandwidth: what limits the bytes, as for a store far away.
        """
        self._root = root
        self._bandwidth = bandwidth
        self._requests = Requests()
        self._lock = threading.Lock()
        self._made: set[Path] = set()

    @property
    def place(self) -> str:
        """See `ObjectStore.place`."""
        return str(self._root)

    @property
    def requests(self) -> Requests:
        """See `ObjectStore.requests`: files opened count as requests."""
        return self._requests

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """See `ObjectStore.get`."""
        self._requests.add(gets=1)
        content, _ = self._read(key, start, length)
        if length is not None and len(content) != length:
            raise StoreFailed(f"{key} at {self.place} ends before the {length} bytes from {start} that were asked for.")
        self._moved(len(content), inwards=True)
        return content

    def get_if_changed(self, key: str, *, etag: str | None) -> Fetched | None:
        """See `ObjectStore.get_if_changed`."""
        self._requests.add(gets=1)
        if etag is not None and self._stat(key).etag == etag:
            return None
        content, tag = self._read(key, 0, None)
        self._moved(len(content), inwards=True)
        return Fetched(content, tag)

    def put(self, key: str, content: Content, *, create: bool = False, match: str | None = None) -> str | None:
        """See `ObjectStore.put`."""
        self._moved(len(content), inwards=False)
        self._requests.add(puts=1)
        path = self._path(key)
        with self._refusals(key, "write"):
            self._folder(path.parent)
            temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
            try:
                _write(temporary, content, mode=self._mode())
                if create:
                    try:
                        path.hardlink_to(temporary)
                    except FileExistsError:
                        raise ObjectExists(f"{key} at {self.place} is there already.") from None
                elif match is not None:
                    with self._exclusive():
                        if _etag(path) != match:
                            raise ObjectChanged(f"{key} at {self.place} was written by somebody else.")
                        temporary.replace(path)
                else:
                    temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            fsync_dir(path.parent)
            return _etag(path)

    def head(self, key: str) -> ObjectInfo:
        """See `ObjectStore.head`."""
        self._requests.add(heads=1)
        return self._stat(key)

    def list_below(self, prefix: str, *, start_after: str | None = None) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list_below`."""
        self._requests.add(lists=1)
        with self._refusals(prefix, "list"):
            keys = sorted(self._keys(self._root / prefix if prefix else self._root, prefix))
        for key in keys:
            if start_after is None or key > start_after:
                # Somebody may have deleted it since.
                with contextlib.suppress(ObjectMissing):
                    yield self._stat(key)

    def delete(self, keys: Iterable[str]) -> list[Refusal]:
        """See `ObjectStore.delete`."""
        refused: list[Refusal] = []
        folders: set[Path] = set()
        for key in keys:
            self._requests.add(deletes=1)
            path = self._path(key)
            try:
                path.unlink()
                folders.add(path.parent)
            except FileNotFoundError:
                continue
            except OSError as error:
                forbidden = StoreForbidden(f"{key} at {self.place} may not be deleted.", details=str(error))
                refused.append(Refusal(key, forbidden))
        for folder in folders:
            with contextlib.suppress(OSError):
                fsync_dir(folder)
        return refused

    def now(self) -> datetime:
        """See `ObjectStore.now`."""
        self.put(CLOCK_KEY, os.urandom(16))
        return self.head(CLOCK_KEY).modified

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") or part.startswith(".") for part in parts):
            raise StoreFailed(f"{key!r} cannot be the name of an object.")
        return self._root.joinpath(*parts)

    def _folder(self, path: Path) -> None:
        if path in self._made:
            return
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            _make(folder, shared=self._shared())
            fsync_dir(folder.parent)
            self._made.add(folder)

    def _shared(self) -> bool:
        try:
            return self._root.stat().st_mode & _GROUPS == _GROUPS
        except FileNotFoundError:
            return False

    def _mode(self) -> int:
        return 0o660 if self._shared() else 0o600

    def _keys(self, folder: Path, prefix: str) -> Iterator[str]:
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._keys(Path(entry.path), f"{prefix}{entry.name}/")
            elif not is_temporary(entry.name):
                yield prefix + entry.name

    def _read(self, key: str, start: int, length: int | None) -> tuple[bytes, str]:
        path = self._path(key)
        with self._refusals(key, "read"), path.open("rb") as file:
            status = os.fstat(file.fileno())
            wanted = status.st_size - start if length is None else length
            if wanted > MAX_OBJECT:
                raise StoreFailed(
                    f"{key} at {self.place} has {status.st_size} bytes: no object of a repository is so large."
                )
            file.seek(start)
            return file.read(max(0, wanted)), _tag(status)

    def _stat(self, key: str) -> ObjectInfo:
        with self._refusals(key, "read"):
            status = self._path(key).stat()
        return ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC), _tag(status))

    def _moved(self, count: int, *, inwards: bool) -> None:
        if self._bandwidth is not None:
            self._bandwidth.take(count)
        self._requests.add(bytes_in=count if inwards else 0, bytes_out=0 if inwards else count)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._lock, _open_lock(self._root / _LOCK, mode=self._mode()) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _refusals(self, key: str, action: str) -> Iterator[None]:
        try:
            with file_errors(self._root / key):
                try:
                    yield
                except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
                    if action == "read":
                        raise ObjectMissing(f"There is no {key} at {self.place}.") from error
                    raise
        except PermissionError as error:
            raise StoreForbidden(f"This user may not {action} {key} at {self.place}.", details=str(error)) from error


def _make(folder: Path, *, shared: bool) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    if shared:
        # The set-group-id bit came with the folder above; the group's bits are not the umask's to take.
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o070)


def _open_lock(path: Path, *, mode: int) -> IO[bytes]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    if os.fstat(descriptor).st_uid == os.geteuid():  # only its owner can
        os.fchmod(descriptor, mode)
    return os.fdopen(descriptor, "r+b")


def _write(path: Path, content: Content, *, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _etag(path: Path) -> str | None:
    try:
        return _tag(path.stat())
    except FileNotFoundError:
        return None


def _tag(status: os.stat_result) -> str:
    return f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'
