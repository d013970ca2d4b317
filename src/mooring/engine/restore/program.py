# SPDX-License-Identifier: Apache-2.0
"""Runs `pg_restore` on a dump out of the repository, with its first error as its end.

A pg_restore of 17 or newer sets `transaction_timeout` in every session, which older servers do not know. It runs without
`--exit-on-error` there, that very error is let pass, and any other ends it all the same.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mooring.domain.repository.manifest import SnapshotDatabase
from mooring.domain.work.backup_errors import ClientMissing, RestoreFailed, RestoreIncomplete
from mooring.drivers.postgres_programs import Client, Program
from mooring.engine.backup.dump import TOC, read_items
from mooring.engine.backup.toc import TocItem, decide_reader, render_extension_list
from mooring.engine.repository.ports import StreamReader
from mooring.engine.restore.feed import Feed

_HEAD_BYTES = 16 << 20
_LOOK_S = 0.1
_UNKNOWN_SETTING = "Command was: SET transaction_timeout = 0;"
_IGNORED = re.compile(r"errors ignored on restore: (\d+)")
_EXTENSION = re.compile(
    r'CREATE EXTENSION IF NOT EXISTS ("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*) WITH SCHEMA ("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*);'
)
_OPTIONS = (
    "--no-owner",
    "--no-acl",
    "--no-tablespaces",
    "--no-security-labels",
    "--no-publications",
    "--no-subscriptions",
)


@dataclass(frozen=True)
class Archive:
    """A dump, opened as far as its table of contents.

    Attributes:
        database: the manifest's part.
        client: whose pg_restore.
        folder: the dump's folder, with `toc.dat`; of a stream, empty.
        head: of a stream, its beginning.
        items: the table of contents.
    """

    database: SnapshotDatabase
    reader: StreamReader
    client: Client
    folder: Path
    head: bytes
    items: tuple[TocItem, ...]

    def extensions(self) -> tuple[tuple[str, str], ...]:
        """Names and schemas of the extensions that the dump makes, in its order."""
        wanted = render_extension_list(self.items)
        if not wanted:
            return ()
        chosen = self.folder.with_name("extensions.list")
        chosen.write_text(wanted, encoding="utf-8")
        argv = [self.client.path("pg_restore"), f"--use-list={chosen}", "--file=-"]
        text = self._print(argv)
        return tuple((_unquote(match[1]), _unquote(match[2])) for match in _EXTENSION.finditer(text))

    def restore(self, conninfo: str, *, chosen: str, jobs: int, server_major: int, said: Callable[[int], None]) -> None:
        """Restore it.

        Args:
            conninfo: the new database, as the role that everything in it will belong to.
            chosen: the list of what to restore.
            jobs: sessions side by side.
            server_major: the server's.
            said: called with the bytes that went in.

        Raises:
            RestoreFailed: pg_restore met an error.
            RestoreIncomplete: it did not take everything.
            MooringError: the repository cannot be read.
        """
        listing = self.folder.with_name("restore.list")
        listing.write_text(chosen, encoding="utf-8")
        verdict = Verdict(tolerant=self.client.major >= 17 and server_major < 17)
        argv = restore_argv(self.client, conninfo, chosen=listing, tolerant=verdict.tolerant)
        if self.database.layout == "custom":
            run_stream(argv, verdict, self.reader.read(self.database.toc), said)
            return
        with Feed(self.folder, self.database.entries, self.reader, said) as feed:
            feed.prepare()
            with Program((*argv, f"--jobs={jobs}", str(self.folder)), heard=verdict.hear) as program:
                while program.runs(_LOOK_S):
                    feed.check()
                    verdict.check(program)
                verdict.check_end(program)
            feed.check_empty()

    def _print(self, argv: list[str]) -> str:
        if self.database.layout == "directory":
            argv.append(str(self.folder))
        with Program(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            feeder = threading.Thread(target=_push, args=(program, self.head), daemon=True)
            feeder.start()
            text = program.stdout.read().decode(errors="replace")
            if program.wait():
                raise RestoreFailed("pg_restore cannot read the dump's table of contents.", details=program.said())
            feeder.join()
        return text


class Verdict:
    """Hears pg_restore's messages and says whether they are a failure."""

    def __init__(self, *, tolerant: bool) -> None:
        """Args: tolerant: whether the unknown setting is let pass."""
        self.tolerant = tolerant
        self._passed = 0
        self._errors = 0
        self._ignored = 0
        self._bad = False

    def hear(self, line: str) -> None:
        """One line of its standard error."""
        self._errors += line.count("error: ")
        if line == _UNKNOWN_SETTING:
            self._passed += 1
        elif line.startswith("Command was: ") or "COPY failed for table" in line:
            self._bad = True
        elif match := _IGNORED.search(line):
            self._ignored = int(match[1])

    def check(self, program: Program) -> None:
        """While it runs: end it at the first error.

        Raises:
            RestoreFailed: there was one.
        """
        if self._bad:
            program.stop()
            raise self._fault(program)

    def check_end(self, program: Program) -> None:
        """After it ended.

        Raises:
            RestoreFailed: it did not end well.
        """
        code = program.wait()
        if code == 0 and not self._bad:
            return
        # Workers write side by side, so that lines can mix, but not what is written at once: the word and the statement.
        # What a worker met when it began is not in pg_restore's own count.
        known = 0 < self._ignored <= self._passed and self._errors == self._passed
        if code == 1 and self.tolerant and not self._bad and known:
            return
        raise self._fault(program)

    def _fault(self, program: Program) -> RestoreFailed:
        said = "\n".join(line for line in program.said().splitlines() if "transaction_timeout" not in line)
        reason = next((line.partition("error: ")[2] for line in said.splitlines() if "error: " in line), "")
        return RestoreFailed(f"pg_restore failed{': ' + reason if reason else ''}.", details=said)


def restore_argv(client: Client, conninfo: str, *, chosen: Path, tolerant: bool) -> list[str]:
    """The command that restores what the list names, as the role of `conninfo`, which everything will belong to."""
    argv = [client.path("pg_restore"), f"--dbname={conninfo}", f"--use-list={chosen}", *_OPTIONS]
    return argv if tolerant else [*argv, "--exit-on-error"]


def run_folder(argv: Sequence[str], verdict: Verdict) -> None:
    """Run it on a folder that is there.

    Raises:
        RestoreFailed: pg_restore met an error.
    """
    with Program(argv, heard=verdict.hear) as program:
        while program.runs(_LOOK_S):
            verdict.check(program)
        verdict.check_end(program)


def run_stream(argv: Sequence[str], verdict: Verdict, pieces: Iterable[bytes], said: Callable[[int], None]) -> None:
    """Run it with an archive on its standard input.

    Args:
        pieces: the archive; what getting them raises ends the program, which never sees their end.
        said: called with the bytes that went in.

    Raises:
        RestoreFailed: pg_restore met an error.
        RestoreIncomplete: it did not take everything.
        MooringError: what getting the pieces raised.
    """
    with Program(argv, stdin=subprocess.PIPE, heard=verdict.hear) as program:
        faults: list[BaseException] = []

        def feed() -> None:
            fed = 0
            try:
                for piece in pieces:
                    program.stdin.write(piece)
                    fed += len(piece)
                    said(fed)
            except BrokenPipeError:
                # Its own end says why, and where it says nothing this is the fault.
                if program.wait() == 0:
                    faults.append(RestoreIncomplete("pg_restore did not read the whole dump."))
            except BaseException as fault:  # noqa: BLE001 - raised again below
                # The pipe stays open: its end would look like the dump's.
                faults.append(fault)
            else:
                program.stdin.close()

        feeder = threading.Thread(target=feed, name="feed", daemon=True)
        feeder.start()
        try:
            while program.runs(_LOOK_S):
                _raise_first(faults)
                verdict.check(program)
            verdict.check_end(program)
        finally:
            program.stop()
            feeder.join()
        _raise_first(faults)


def _raise_first(faults: list[BaseException]) -> None:
    if faults:
        raise faults[0]


def open_archive(
    database: SnapshotDatabase, reader: StreamReader, *, clients: tuple[Client, ...], server_major: int, work: Path
) -> Archive:
    """Open a dump.

    Args:
        database: the manifest's part.
        reader: the repository.
        clients: what is installed.
        server_major: where it will go.
        work: folder for temporary files.

    Raises:
        SnapshotUnfit: it is no dump that this program knows.
        ClientMissing: no pg_restore here reads it.
    """
    folder = work / "dump"
    folder.mkdir(mode=0o700)
    head = b""
    if database.layout == "directory":
        with (folder / TOC).open("wb") as file:
            for piece in reader.read(database.toc):
                file.write(piece)
        with (folder / TOC).open("rb") as file:
            first = file.read(64)
    else:
        head = first = read_head(reader.read(database.toc))
    client = choose_reader(clients, archive=decide_reader(first), server_major=server_major)
    items = read_items(client, folder=str(folder)) if not head else read_items(client, head=head)
    return Archive(database, reader, client, folder, head, items)


def choose_reader(clients: tuple[Client, ...], *, archive: int, server_major: int) -> Client:
    """The oldest client that reads the archive and knows the server; else the newest that reads it.

    Raises:
        ClientMissing: none reads it.
    """
    reading = [client for client in clients if client.major >= archive]
    if not reading:
        there = ", ".join(str(client.major) for client in clients) or "none"
        raise ClientMissing(f"The dump needs a pg_restore of {archive} or newer; clients here: {there}.")
    knowing = [client for client in reading if client.major >= server_major]
    return min(knowing, key=lambda client: client.major) if knowing else max(reading, key=lambda client: client.major)


def read_head(pieces: Iterator[bytes]) -> bytes:
    """The beginning of a stream, as much as a table of contents takes."""
    head = bytearray()
    for piece in pieces:
        head += piece
        if len(head) >= _HEAD_BYTES:
            break
    return bytes(head)


def _push(program: Program, head: bytes) -> None:
    try:
        program.stdin.write(head)
        program.stdin.close()
    except BrokenPipeError:
        # It stops reading where the table of contents ends.
        return


def _unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
