# SPDX-License-Identifier: Apache-2.0
"""Takes a dump's files up as `pg_dump` finishes them, so that the folder never holds much more than the tables in work.

A table's file is whole when it ends with COPY's end mark, which no row can look like, and nobody has it open; a large
object's when nobody had it open at two looks. Each is stored, then removed. Where files come faster than they can be
stored, the dump's workers are stopped for a while.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mooring.domain.repository.manifest import DumpEntry
from mooring.domain.work.backup_errors import DumpFailed
from mooring.drivers.postgres_programs import Program, open_files
from mooring.engine.repository.ports import Cut, StreamWriter

_END = b"\\.\n\n\n"
_PIECE_BYTES = 1 << 20


@dataclass
class Taker:
    """The files of one dump.

    Attributes:
        folder: where pg_dump writes.
        writer: where they go.
        threads: files that are stored side by side.
        most_bytes: what may lie in the folder before the workers are stopped.
        peak_bytes: the most that was seen there.
        stuck_bytes: what lies there while nothing of it can be taken up.
        entries: what was stored, in no order.
    """

    folder: Path
    writer: StreamWriter
    threads: int
    most_bytes: int
    peak_bytes: int = 0
    stuck_bytes: int = 0
    entries: list[DumpEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._queue: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._taken: set[str] = set()
        self._closed: set[str] = set()
        self._left = 0
        self._lock = threading.Lock()
        self._faults: list[BaseException] = []
        self._stopped = False
        self._workers = [
            threading.Thread(target=self._work, name=f"take {number}", daemon=True) for number in range(self.threads)
        ]
        for worker in self._workers:
            worker.start()

    def look(self, program: Program) -> None:
        """Take up what is finished, and keep the folder small.

        Raises:
            BaseException: what kept a file from being stored.
        """
        self._raise_faults()
        members = program.pids()
        busy = open_files(members)
        used = 0
        for entry in os.scandir(self.folder):
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            used += info.st_blocks * 512
            if entry.name not in self._taken and entry.path not in busy and self._is_whole(entry.name, info.st_size):
                self._take(entry.name)
        self.peak_bytes = max(self.peak_bytes, used)
        self.stuck_bytes = 0 if self._left else used
        full = used > self.most_bytes
        if full and self._left and not self._stopped:
            self._stopped = True
            program.signal(signal.SIGSTOP)
        elif self._stopped and (not full or not self._left):
            self._stopped = False
            program.signal(signal.SIGCONT)

    def finish(self, *, toc: str) -> None:
        """Take up all that is left but `toc`, after pg_dump ended well.

        Raises:
            DumpFailed: a table's file is not whole.
            BaseException: what kept a file from being stored.
        """
        for name in sorted(path.name for path in self.folder.iterdir()):
            if name in self._taken or name == toc:
                continue
            if _is_table(name) and not self._ends_well(name):
                raise DumpFailed(f"pg_dump ended well and left {name} without its end.")
            self._take(name)
        self.close()
        self._raise_faults()

    def close(self) -> None:
        """End the threads, when what was taken up is stored or failed. Safe to repeat."""
        for _ in self._workers:
            self._queue.put(None)
        for worker in self._workers:
            worker.join()
        self._workers = []

    def abandon(self) -> None:
        """The same without storing what is not begun."""
        with self._lock:
            self._faults.append(DumpFailed("The dump was given up."))
        self.close()

    def _is_whole(self, name: str, size: int) -> bool:
        if _is_table(name):
            return size >= len(_END) and self._ends_well(name)
        if name.startswith("blob_"):
            before = name in self._closed
            self._closed.add(name)
            return before
        return False

    def _ends_well(self, name: str) -> bool:
        with (self.folder / name).open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - len(_END), 0))
            return file.read() == _END

    def _take(self, name: str) -> None:
        self._taken.add(name)
        with self._lock:
            self._left += 1
        self._queue.put(self.folder / name)

    def _work(self) -> None:
        while (path := self._queue.get()) is not None:
            try:
                if not self._faults:
                    self._store(path)
            except BaseException as fault:  # noqa: BLE001 - raised again by `look` or `finish`
                with self._lock:
                    self._faults.append(fault)
            finally:
                with self._lock:
                    self._left -= 1

    def _store(self, path: Path) -> None:
        counted = Counted(path)
        stream = self.writer.write(counted.pieces(), cut=Cut.CONTENT)
        if path.stat().st_size != stream.size:
            raise DumpFailed(f"{path.name} changed while it was stored.")
        path.unlink()
        rows = counted.newlines - _END.count(b"\n") if _is_table(path.name) else None
        with self._lock:
            self.entries.append(DumpEntry(path.name, stream, rows))

    def _raise_faults(self) -> None:
        with self._lock:
            if self._faults:
                raise self._faults[0]


@dataclass
class Counted:
    """A file's content, and the line ends in what was read of it: COPY writes each row as one line."""

    path: Path
    newlines: int = 0

    def pieces(self) -> Iterator[bytes]:
        """The content in order."""
        with self.path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE_BYTES):
                self.newlines += piece.count(b"\n")
                yield piece


def _is_table(name: str) -> bool:
    return name.endswith(".dat") and name[:-4].isdigit()
