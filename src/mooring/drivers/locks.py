# SPDX-License-Identifier: Apache-2.0
"""Locks between processes that die with the process that holds them: `lock_store` by files.

Linux' open-file-description locks (fcntl(2), F_OFD_SETLK) on files that are never removed: unlike flock(2) they can be
tested without being taken, so that looking at a lock never makes somebody else's try fail. The content of a lock file
only says who holds it; that it is held, the kernel says. Used by control (one execution per instance), by the agent and by
the stores in `drivers`. It never waits, except in `exclusive`, which guards moments.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from mooring.domain.model.identity import Ref
from mooring.drivers.files import file_errors
from mooring.drivers.lock_store import AgentRunning, Holder, InstanceLocked

# struct flock of 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid, padded to eight bytes.
_FLOCK = struct.Struct("@hhqqi0q")
_BUSY = frozenset({errno.EAGAIN, errno.EACCES})


class ProcessLock:
    """A lock on one file; a context manager that releases, not one that acquires."""

    def __init__(self, path: Path) -> None:
        """Args: path: the lock file; its folder exists, the file need not."""
        self._path = path
        self._descriptor: int | None = None

    def try_acquire(self, *, command: str, now: datetime) -> Holder | None:
        """Take the lock if it is free.

        Args:
            command: what this process runs; shown to others, so never with a secret.
            now: aware; shown to others.

        Returns:
            None when it is ours now, else who holds it.

        Raises:
            NotWritable: the folder may not be written.
            NoSpaceLeft: no room to say who holds it.
        """
        if self._descriptor is not None:
            return Holder(os.getpid(), command, now)
        with file_errors(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if not _try_lock(descriptor):
                    holder = _read_holder(descriptor)
                    os.close(descriptor)
                    return holder
                text = json.dumps({"pid": os.getpid(), "command": command, "since": now.isoformat()})
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, text.encode(), 0)
            except OSError:
                os.close(descriptor)
                raise
        self._descriptor = descriptor
        return None

    def holder(self) -> Holder | None:
        """Who holds it now, None when it is free; does not take it."""
        with file_errors(self._path):
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            try:
                return _read_holder(descriptor) if _is_locked(descriptor) else None
            finally:
                os.close(descriptor)

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._descriptor is not None

    def release(self) -> None:
        """Give it back; safe to repeat."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            _give_back(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class InstanceLock(ProcessLock):
    """The right to execute on one instance or server: `<folder>/<kind>.<namespace>.<name>.lock`.

    Joined by dots, which no name may contain: with hyphens, `a-b/c` and `a/b-c` would share a lock.
    """

    def __init__(self, folder: Path, ref: Ref) -> None:
        """Args: folder: the `locks` folder of the state directory; ref: what is locked.

        Raises:
            ValueError: a part of the reference cannot be a part of a file name.
        """
        parts = (ref.kind, ref.namespace, ref.name)
        if any(not part or "/" in part or "." in part or "\0" in part for part in parts):
            raise ValueError(f"not a reference: {ref!r}")
        super().__init__(folder / f"{'.'.join(parts)}.lock")
        self.ref = ref

    def acquire(self, *, command: str, now: datetime) -> Self:
        """Take it, or say who has it; does not wait.

        Raises:
            InstanceLocked: somebody else, or another object of this process, holds it.
            NotWritable: the folder may not be written.
        """
        holder = self.try_acquire(command=command, now=now)
        if holder is not None:
            raise InstanceLocked(f"{self.ref} is held by {holder}.")
        return self


class AgentLock(ProcessLock):
    """Says that an agent runs on this state directory; others ask `holder()`."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: the `locks` folder of the state directory."""
        super().__init__(folder / "agent.lock")

    def acquire(self, *, command: str, now: datetime) -> Self:
        """Become the agent; does not wait.

        Raises:
            AgentRunning: there is one.
            NotWritable: the folder may not be written.
        """
        holder = self.try_acquire(command=command, now=now)
        if holder is not None:
            raise AgentRunning(f"An agent runs already: {holder}.")
        return self


class FileLocks:
    """See `Locks`: lock files in one folder."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: the `locks` folder of the state directory."""
        self._folder = folder

    def execution(self, ref: Ref) -> InstanceLock:
        """See `Locks.execution`."""
        return InstanceLock(self._folder, ref)

    def agent(self) -> AgentLock:
        """See `Locks.agent`."""
        return AgentLock(self._folder)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait for the lock file `path`, then hold it through the block; for moments only, as nobody sees who holds it.

    Excludes threads of one process as well as processes.

    Raises:
        NotWritable: the folder may not be written.
    """
    with file_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with file_errors(path):
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, _request(fcntl.F_WRLCK))
        yield
    finally:
        _give_back(descriptor)


def _request(kind: int) -> bytes:
    return _FLOCK.pack(kind, os.SEEK_SET, 0, 0, 0)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _request(fcntl.F_WRLCK))
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True


def _give_back(descriptor: int) -> None:
    try:
        # Closing alone is not enough: a child that is just being started shares the description until its exec is through.
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _request(fcntl.F_UNLCK))
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _request(fcntl.F_WRLCK))
    return int(_FLOCK.unpack(answer)[0]) != fcntl.F_UNLCK


def _read_holder(descriptor: int) -> Holder:
    # Between its lock and its words a holder may be read: then nothing, or the words of the one before, would stand there.
    try:
        said = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(int(said["pid"]), str(said["command"]), datetime.fromisoformat(said["since"]))
    except (ValueError, KeyError, TypeError):
        return Holder(0, "", None)
