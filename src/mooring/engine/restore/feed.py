# SPDX-License-Identifier: Apache-2.0
"""Gives `pg_restore` a dump's folder that is not there: small files as files, large ones as pipes fed from the repository.

pg_restore opens each file once and reads it to its end. A pipe is opened for writing only when a reader is there, and fed by
a thread of its own. A feeder that fails keeps its pipe open until pg_restore is gone: a pipe that ends early looks like
a table that ends early.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from mooring.domain.repository.manifest import DumpEntry
from mooring.domain.work.backup_errors import RestoreIncomplete
from mooring.engine.repository.ports import StreamReader

_FILES_BYTES = 32 << 20
_FILE_BYTES = 1 << 20
_PIPE_BYTES = 1 << 20
_LOOK_S = 0.01
_FETCHERS = 4
# Large objects are read one after another in the order of their list: so many of them are waited for at a time.
_AHEAD = 16


@dataclass
class Feed:
    """A dump's folder. A context manager: leaving it ends all threads, so that pg_restore has to be gone by then.

    Attributes:
        folder: exists, empty but for the table of contents.
        entries: of the dump.
        reader: the repository.
        said: called with the bytes fed.
    """

    folder: Path
    entries: tuple[DumpEntry, ...]
    reader: StreamReader
    said: Callable[[int], None]
    fed_bytes: int = 0
    _waiting: list[DumpEntry] = field(default_factory=list)
    _queues: list[list[DumpEntry]] = field(default_factory=list)
    _faults: list[BaseException] = field(default_factory=list)
    _broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._poller = threading.Thread(target=self._poll, name="feed", daemon=True)

    def prepare(self) -> None:
        """Make the files and the pipes.

        Raises:
            MooringError: the repository cannot be read.
        """
        small, large = _split(self.entries)
        with ThreadPoolExecutor(_FETCHERS, "fetch") as pool:
            list(pool.map(self._write, small))
        for entry in large:
            os.mkfifo(self.folder / entry.file, 0o600)
        objects = {entry.file: entry for entry in large if entry.file.startswith("blob_")}
        self._waiting = [entry for entry in large if entry.file not in objects]
        for entry in small:
            if entry.file.startswith("blobs"):
                self._queues.append([objects[name] for name in _names(self.folder / entry.file) if name in objects])

    def check(self) -> None:
        """Nothing while all goes well.

        Raises:
            BaseException: what ended a feeder.
        """
        with self._lock:
            if self._faults:
                raise self._faults[0]

    def check_empty(self) -> None:
        """After pg_restore ended well: it has read everything.

        Raises:
            RestoreIncomplete: it has not.
            BaseException: what ended a feeder.
        """
        self._over.set()
        self._poller.join()
        for thread in self._threads:
            thread.join()
        self.check()
        if self._broken:
            raise RestoreIncomplete(f"pg_restore ended well and did not read all of {self._broken[0]}.")
        left = [*self._waiting, *(entry for queue in self._queues for entry in queue)]
        if left:
            raise RestoreIncomplete(
                f"pg_restore ended well and did not read {len(left)} files, such as {left[0].file}."
            )

    def __enter__(self) -> Self:
        self._poller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._poller.join()
        for thread in self._threads:
            thread.join()

    def _write(self, entry: DumpEntry) -> None:
        with (self.folder / entry.file).open("wb") as file:
            for piece in self.reader.read(entry.stream):
                file.write(piece)
        with self._lock:
            self.fed_bytes += entry.stream.size

    def _poll(self) -> None:
        while not self._over.wait(_LOOK_S):
            self._waiting = [entry for entry in self._waiting if not self._begin(entry)]
            for queue in self._queues:
                queue[:_AHEAD] = [entry for entry in queue[:_AHEAD] if not self._begin(entry)]

    def _begin(self, entry: DumpEntry) -> bool:
        """Feed the pipe if somebody reads it."""
        try:
            handle = os.open(self.folder / entry.file, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as fault:
            if fault.errno != errno.ENXIO:
                with self._lock:
                    self._faults.append(fault)
            return False
        os.set_blocking(handle, True)
        with contextlib.suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        thread = threading.Thread(target=self._feed, args=(entry, handle), name=f"feed {entry.file}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return True

    def _feed(self, entry: DumpEntry, handle: int) -> None:
        try:
            for piece in self.reader.read(entry.stream):
                view = memoryview(piece)
                while view:
                    written = os.write(handle, view)
                    view = view[written:]
                    with self._lock:
                        self.fed_bytes += written
                self.said(self.fed_bytes)
        except BrokenPipeError:
            # pg_restore went away; its own end says why, and where that is a good one this is the fault.
            with self._lock:
                self._broken.append(entry.file)
        except BaseException as fault:  # noqa: BLE001 - raised again by `check`
            with self._lock:
                self._faults.append(fault)
            self._over.wait()
        finally:
            os.close(handle)


def _split(entries: tuple[DumpEntry, ...]) -> tuple[list[DumpEntry], list[DumpEntry]]:
    """What becomes files, the smallest as far as they go together and all lists of large objects; and what pipes."""
    small: list[DumpEntry] = []
    large: list[DumpEntry] = []
    room = _FILES_BYTES
    for entry in sorted(entries, key=lambda one: one.stream.size):
        listing = entry.file.startswith("blobs")
        if listing or (entry.stream.size <= min(room, _FILE_BYTES)):
            small.append(entry)
            room -= 0 if listing else entry.stream.size
        else:
            large.append(entry)
    return small, large


def _names(listing: Path) -> Iterator[str]:
    """Files of large objects in the order in which they are read: lines `OID FILE`."""
    for line in listing.read_text(encoding="ascii").splitlines():
        yield line.partition(" ")[2]
