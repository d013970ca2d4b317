# SPDX-License-Identifier: Apache-2.0
"""Runs `pg_dump` on an exported snapshot and stores what it writes: a folder of files, or one stream where room is short.

The folder's tables are cut by content each for itself, so that a changed row sends one chunk. Nothing is compressed by
pg_dump: the repository does that, and compressed tables would have nothing in common with yesterday's.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from mooring.domain.repository.manifest import DumpEntry, StreamRef
from mooring.domain.work.backup_errors import DumpBlocked, DumpFailed, ScratchTooSmall
from mooring.drivers.postgres_programs import Client, Program
from mooring.engine.backup.exported import Table
from mooring.engine.backup.take import Counted, Taker
from mooring.engine.backup.toc import TocItem, parse_toc
from mooring.engine.backup.watch import LockWatch
from mooring.engine.repository.ports import Cut, StreamWriter
from mooring.errors import MooringError

TOC = "toc.dat"
Taken = TypeVar("Taken")
# COPY's text against the table on disk: rows lose their headers and gain digits; long values are stored compressed.
_TEXT, _WIDE = 1.5, 4.0
_SPARE_BYTES = 64 << 20
_LOOK_S = 0.1
_PIECE_BYTES = 1 << 20
_HEAD_BYTES = 16 << 20
_LOCK_WAIT = "30s"
# pg_dump's words for what another moment may change; its messages come in English (LC_ALL=C), the server's may not.
_AGAIN = (
    "could not obtain lock on relation",
    "canceling statement due to lock timeout",
    "could not open relation with OID",
)


class DumpAgain(Exception):
    """This attempt came to nothing for a reason that another one may not meet."""

    def __init__(self, reason: MooringError) -> None:
        super().__init__(reason.brief)
        self.reason = reason


class ScratchOverflow(Exception):
    """What is in work at once does not fit: one stream is the way."""


@dataclass(frozen=True)
class Dumped:
    """A dump in the repository; `items` are its table of contents."""

    layout: Literal["directory", "custom"]
    toc: StreamRef
    entries: tuple[DumpEntry, ...]
    items: tuple[TocItem, ...]
    peak_bytes: int


@dataclass(frozen=True)
class Dump:
    """What to dump, and with what.

    Attributes:
        client: whose pg_dump.
        conninfo: where; its application name is the one that `watch` looks for.
        snapshot: the exported one.
        folder: for temporary files; exists, empty.
        room_bytes: how much of it may be used.
        stop: set by whoever wants it to end.
    """

    client: Client
    conninfo: str
    snapshot: str
    jobs: int
    folder: Path
    room_bytes: int
    watch: LockWatch
    stop: threading.Event

    def run_folder(self, tables: dict[int, Table], writer: StreamWriter) -> Dumped:
        """Dump into a folder whose files are taken up as they are finished.

        Raises:
            DumpFailed: pg_dump ended with an error.
            DumpAgain: another attempt may succeed.
            ScratchTooSmall: the file system is full.
            ScratchOverflow: the tables in work do not fit.
        """
        target = self.folder / "dump"
        most = min(self.room_bytes, estimate_scratch(tables, self.jobs) + _SPARE_BYTES)
        argv = self._argv("directory", "--compress=0", f"--jobs={self.jobs}", f"--file={target}", "--no-sync")
        target.mkdir(mode=0o700)
        taker = Taker(target, writer, self.jobs, most)
        with Program(argv) as program:
            try:
                while program.poll() is None:
                    taker.look(program)
                    self._check()
                    _check_room(taker, self.room_bytes)
                    self.stop.wait(_LOOK_S)
                check_end(program)
                taker.finish(toc=TOC)
            except BaseException:  # an interrupt, too, leaves no pg_dump behind; it goes on
                program.end()
                taker.abandon()
                raise
        items = read_items(self.client, folder=str(target))
        _check_whole(items, taker.entries)
        toc = writer.write(Counted(target / TOC).pieces(), cut=Cut.CONTENT)
        shutil.rmtree(target)
        return Dumped("directory", toc, tuple(sorted(taker.entries, key=_order)), items, taker.peak_bytes)

    def run_stream(self, writer: StreamWriter) -> Dumped:
        """Dump as one stream, without temporary files.

        Raises:
            DumpFailed: pg_dump ended with an error.
            DumpAgain: another attempt may succeed.
        """
        head = bytearray()
        stream = self.run_pipe(
            self._argv("custom", "--compress=0"), lambda pieces: writer.write(pieces, cut=Cut.CONTENT), head
        )
        return Dumped("custom", stream, (), read_items(self.client, head=bytes(head)), 0)

    def run_local(self) -> Path:
        """Dump into a folder below `folder`, and leave it there.

        Raises:
            DumpFailed: pg_dump ended with an error.
            DumpAgain: another attempt may succeed.
            ScratchTooSmall: the file system is full.
        """
        target = self.folder / "dump"
        argv = self._argv("directory", "--compress=0", f"--jobs={self.jobs}", f"--file={target}", "--no-sync")
        with Program(argv) as program:
            while program.poll() is None:
                self._check()
                self.stop.wait(_LOOK_S)
            check_end(program)
        return target

    def run_through(self, take: Callable[[Iterator[bytes]], Taken]) -> Taken:
        """Dump as one stream that `take` gets, and has to take all of.

        Raises:
            DumpFailed: pg_dump ended with an error.
            DumpAgain: another attempt may succeed.
        """
        return self.run_pipe(self._argv("custom", "--compress=0"), take, bytearray())

    def run_archive(self, form: Literal["plain", "custom"], take: Callable[[Iterator[bytes]], Taken]) -> Taken:
        """Dump in a form for others than us, as Odoo itself does it: without owners, compressed as pg_dump does.

        Args:
            form: SQL, or pg_dump's own.
            take: gets the pieces, and has to take all.

        Raises:
            DumpFailed: pg_dump ended with an error.
            DumpAgain: another attempt may succeed.
        """
        return self.run_pipe(self._argv(form, "--no-owner"), take, bytearray())

    def run_pipe(self, argv: tuple[str, ...], take: Callable[[Iterator[bytes]], Taken], head: bytearray) -> Taken:
        """Run pg_dump with its output taken by `take`; `head` gets the beginning of it."""
        with Program(argv, stdout=subprocess.PIPE) as program:
            return take(self._pieces(program, head))

    def _pieces(self, program: Program, head: bytearray) -> Iterator[bytes]:
        """What it writes; the end comes only after it ended well. `head` gets what holds the table of contents."""
        found: list[BaseException] = []

        def guard() -> None:
            while program.poll() is None:
                try:
                    self._check()
                except BaseException as fault:  # noqa: BLE001 - raised again below
                    found.append(fault)
                    program.stop()
                time.sleep(_LOOK_S)

        guarding = threading.Thread(target=guard, name="dump guard", daemon=True)
        guarding.start()
        while piece := program.stdout.read(_PIECE_BYTES):
            if len(head) < _HEAD_BYTES:
                head += piece
            yield piece
        program.wait()
        guarding.join()
        if found:
            raise found[0]
        check_end(program)

    def _argv(self, form: str, *options: str) -> tuple[str, ...]:
        return (
            self.client.path("pg_dump"),
            f"--format={form}",
            *options,
            f"--snapshot={self.snapshot}",
            f"--lock-wait-timeout={_LOCK_WAIT}",
            # A subscription that is restored begins to take the publisher's changes.
            "--no-publications",
            "--no-subscriptions",
            f"--dbname={self.conninfo}",
        )

    def _check(self) -> None:
        if self.stop.is_set():
            raise DumpFailed("The dump was given up.")
        if blocked := self.watch.blocked():
            self.watch.end_sessions()
            raise DumpAgain(DumpBlocked(f"The dump made others wait for its locks: {blocked}."))


def _check_room(taker: Taker, room_bytes: int) -> None:
    if taker.stuck_bytes > room_bytes:
        raise ScratchOverflow


def check_end(program: Program) -> None:
    """Wait for pg_dump; nothing when it ended well.

    Raises:
        DumpFailed: it did not.
        DumpAgain: and another attempt may.
        ScratchTooSmall: its file system was full.
    """
    code = program.wait()
    if code == 0:
        return
    said = program.said()
    if "No space left on device" in said:
        raise ScratchTooSmall("The dump found no room for its temporary files.", details=said)
    reason = next((line.partition("error: ")[2] for line in said.splitlines() if "error: " in line), "")
    fault = DumpFailed(f"pg_dump ended with exit code {code}{': ' + reason if reason else ''}.", details=said)
    if any(words in said for words in _AGAIN):
        raise DumpAgain(fault)
    raise fault


def estimate_scratch(tables: dict[int, Table], jobs: int) -> int:
    """Bytes that a dump into a folder needs at its peak: the largest tables, as many as are dumped side by side."""
    sizes = sorted(
        (int((table.size_bytes - table.wide_bytes) * _TEXT + table.wide_bytes * _WIDE) for table in tables.values()),
        reverse=True,
    )
    return sum(sizes[:jobs]) + _SPARE_BYTES


def read_items(client: Client, *, folder: str | None = None, head: bytes = b"") -> tuple[TocItem, ...]:
    """The table of contents of a dump: a folder, or the beginning of an archive.

    Raises:
        DumpFailed: pg_restore cannot read it.
    """
    argv = [client.path("pg_restore"), "--list", *([folder] if folder else [])]
    with tempfile.TemporaryFile() as file:
        file.write(head)
        file.seek(0)
        with Program(argv, stdin=file, stdout=subprocess.PIPE) as program:
            text = program.stdout.read().decode(errors="replace")
            if program.wait():
                raise DumpFailed("The dump's table of contents cannot be read.", details=program.said())
    return parse_toc(text)


def _check_whole(items: tuple[TocItem, ...], entries: list[DumpEntry]) -> None:
    named = {item.file for item in items if item.has_rows}
    stored = {entry.file for entry in entries if entry.rows is not None}
    if named != stored:
        lacking = sorted(named ^ stored)
        raise DumpFailed(f"The dump's table of contents and its files do not fit: {', '.join(lacking[:5])}.")


def _order(entry: DumpEntry) -> tuple[int, int, str]:
    digits = "".join(letter for letter in entry.file if letter.isdigit())
    return (entry.rows is None, int(digits or 0), entry.file)
