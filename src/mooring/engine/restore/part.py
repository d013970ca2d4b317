# SPDX-License-Identifier: Apache-2.0
"""The task `snapshot-part`: a list, some files, one attachment or one table out of a snapshot. Builds and touches nothing.

A table's rows come out of the dump as `pg_restore` prints them: no server takes part, and nothing but them is fetched where the
dump is a folder.
"""

from __future__ import annotations

import fnmatch
import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mooring.domain.repository.manifest import SnapshotManifest, StreamRef
from mooring.domain.work.backup_errors import RestoreFailed
from mooring.domain.work.import_errors import PartMissing
from mooring.domain.work.parts import SnapshotPart, SnapshotPartResult
from mooring.drivers.postgres_programs import Program, observe_clients
from mooring.engine.backup.lists import read_files, ref_of
from mooring.engine.backup.work import work_folder
from mooring.engine.imports.rules import Verdict, decide_statement, unquote
from mooring.engine.imports.sql import SqlReader
from mooring.engine.report import Reporter
from mooring.engine.repository.opened import open_settings
from mooring.engine.repository.ports import StreamReader
from mooring.engine.repository_work import describe_snapshot
from mooring.engine.restore.feed import Feed
from mooring.engine.restore.program import Archive, open_archive
from mooring.engine.restore.text import Row, read_row, render_csv, split_columns

_FILESTORE = "filestore/"


def write_part(document: SnapshotPart, report: Reporter) -> SnapshotPartResult:
    """The task.

    Raises:
        SnapshotMissing, SnapshotAmbiguous: there is no such snapshot, or more.
        PartMissing: it does not hold that part.
        MooringError: the repository cannot be read.
    """
    report.progress("open the repository")
    repository = open_settings(document.repository)
    snapshot = repository.find(document.snapshot, instance=document.instance)
    with work_folder(Path(document.scratch)) as work, repository.reader(snapshot.name.scope) as reader:
        part = Part(reader, snapshot.manifest, work, report)
        name = ""
        with Path(document.output).open("wb") as file:
            match document.kind:
                case "list":
                    count = part.list_all(file)
                case "path":
                    count = part.pack(document.what, file)
                case "attachment":
                    name, count = part.attachment(document.what, file), 1
                case _:
                    count = part.table(document.what, file)
            size = file.tell()
    return SnapshotPartResult(describe_snapshot(snapshot), name, count, size)


@dataclass(frozen=True)
class Part:
    """One snapshot, opened.

    Attributes:
        work: folder for temporary files.
    """

    reader: StreamReader
    manifest: SnapshotManifest
    work: Path
    report: Reporter

    def names(self) -> Iterator[tuple[str, StreamRef]]:
        """All that is in it besides the database, by the names that `--files` lists."""
        for one in self.manifest.files:
            yield one.name, one.stream
        for one in self.manifest.addons:
            yield f"addons/{one.name}.tar", one.stream
        filestore = self.manifest.filestore
        if filestore is None:
            return
        for name, rest in read_files(self.reader, filestore):
            yield f"{_FILESTORE}{name.decode()}", ref_of(rest)
        for missing in filestore.missing:
            if missing.stream is not None:
                yield f"{_FILESTORE}{missing.name}", missing.stream

    def list_all(self, file: IO[bytes]) -> int:
        """Lines `SIZE NAME`; how many."""
        count = 0
        for name, ref in self.names():
            file.write(f"{ref.size} {name}\n".encode())
            count += 1
        return count

    def pack(self, pattern: str, file: IO[bytes]) -> int:
        """A tar of what the pattern names; how many files.

        Raises:
            PartMissing: it names nothing.
        """
        count = 0
        with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for name, ref in self.names():
                if fnmatch.fnmatchcase(name, pattern):
                    member = tarfile.TarInfo(name)
                    member.size, member.mode, member.mtime = ref.size, 0o600, int(time.time())
                    archive.addfile(member, io.BufferedReader(_Pieces(self.reader.read(ref))))
                    count += 1
                    self.report.progress("files", count)
        if not count:
            raise PartMissing(f"Nothing in the snapshot {self.manifest.id} is named as {pattern}.")
        return count

    def attachment(self, identity: str, file: IO[bytes]) -> str:
        """The content of one attachment; its name.

        Raises:
            PartMissing: there is none with that id, or its content is not in the snapshot.
        """
        with self._rows("ir_attachment") as (columns, rows):
            wanted = [columns.index(one) if one in columns else -1 for one in ("id", "name", "store_fname", "db_datas")]
            found = next((row for row in rows if row[wanted[0]] == identity), None)
        if found is None:
            raise PartMissing(f"The snapshot {self.manifest.id} has no attachment {identity}.")
        _, name, stored, inside = [found[at] if at >= 0 else None for at in wanted]
        if stored:
            ref = next((ref for one, ref in self.names() if one == f"{_FILESTORE}{stored}"), None)
            if ref is None:
                raise PartMissing(
                    f"The snapshot {self.manifest.id} does not hold the file {stored} of that attachment."
                )
            for piece in self.reader.read(ref):
                file.write(piece)
        elif inside:
            file.write(bytes.fromhex(inside.removeprefix("\\x")))
        else:
            raise PartMissing(f"The attachment {identity} has no content of its own in the snapshot.")
        return name or identity

    def table(self, name: str, file: IO[bytes]) -> int:
        """The rows of a table as CSV; how many.

        Raises:
            PartMissing: there is no such table in the dump.
        """
        count = 0
        with self._rows(name) as (columns, rows):
            file.write(render_csv(columns))
            for row in rows:
                file.write(render_csv(row))
                count += 1
                if count % 100_000 == 0:
                    self.report.progress("rows", count)
        return count

    @contextmanager
    def _rows(self, name: str) -> Iterator[tuple[Row, Iterator[Row]]]:
        """Columns and rows of a table of the dump."""
        database = self.manifest.database
        if database is None:
            raise PartMissing(f"The snapshot {self.manifest.id} holds no database.")
        archive = open_archive(database, self.reader, clients=observe_clients(), server_major=0, work=self.work)
        schema, _, table = name.rpartition(".")
        wanted = f"TABLE DATA {schema or 'public'} {table} "
        items = [one for one in archive.items if one.has_rows and one.text.startswith(wanted)]
        # Names stand unquoted there: one with a blank in it may begin as another does.
        items = [one for one in items if " " not in one.text.removeprefix(wanted)] or items
        if len(items) != 1:
            raise PartMissing(
                f"The snapshot {self.manifest.id} has {len(items) or 'no'} tables {schema or 'public'}.{table}."
            )
        listing = self.work / "part.list"
        listing.write_text(f"{items[0].line}\n", encoding="utf-8")
        argv = (archive.client.path("pg_restore"), f"--use-list={listing}", "--data-only", "--file=-")
        self.report.progress("rows")
        with _printing(archive, argv, items[0].file) as program:
            reader = SqlReader(program.stdout)
            for statement in reader.statements():
                decision = decide_statement(statement, reader.number)
                if decision.verdict is Verdict.COPY:
                    columns = [unquote(one) for one in split_columns(decision.columns or "")]
                    yield columns, (read_row(line) for piece in reader.rows() for line in piece[:-1].split(b"\n"))
                    return
            if program.wait():
                raise RestoreFailed("pg_restore cannot read the table out of the dump.", details=program.said())
            raise PartMissing(f"The snapshot {self.manifest.id} has no rows of {name}.")


@contextmanager
def _printing(archive: Archive, argv: tuple[str, ...], name: str) -> Iterator[Program]:
    """pg_restore, printing; it reads the dump's stream, or of a folder the one file that it asks for."""
    if archive.database.layout == "directory":
        entries = tuple(one for one in archive.database.entries if one.file == name)
        with Feed(archive.folder, entries, archive.reader, lambda _: None) as feed:
            feed.prepare()
            with Program((*argv, str(archive.folder)), stdout=subprocess.PIPE) as program:
                yield program
            feed.check()
        return
    whole = archive.folder.with_name("dump.custom")
    with whole.open("wb") as file:
        for piece in archive.reader.read(archive.database.toc):
            file.write(piece)
    with Program((*argv, str(whole)), stdout=subprocess.PIPE) as program:
        yield program


class _Pieces(io.RawIOBase):
    """A stream of pieces as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._left:
            self._left = next(self._pieces, b"")
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
