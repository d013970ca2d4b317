# SPDX-License-Identifier: Apache-2.0
"""Reads one instance into a store at one moment: the database's dump and the files that it names at that very moment.

One session exports its snapshot; pg_dump reads through it, and the list of files comes from it. Attempts that came to
nothing for a reason of the moment (somebody waited for our locks, files went away) are made again on a fresh snapshot.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mooring.domain.repository.manifest import (
    DumpEntry,
    RowCount,
    SnapshotDatabase,
    SnapshotFilestore,
)
from mooring.domain.work.backup import Backup
from mooring.domain.work.backup_errors import ClientMissing, DumpFailed, FilesChanging, SnapshotUnfit
from mooring.domain.work.common import Connection
from mooring.drivers.objects.errors import ObjectMissing
from mooring.drivers.postgres import SQL, Identifier, Session, render_conninfo
from mooring.drivers.postgres_programs import Client, observe_clients, write_passfile
from mooring.engine.backup.compare import Comparison, Gathered
from mooring.engine.backup.dump import Dump, DumpAgain, Dumped, ScratchOverflow, estimate_scratch
from mooring.engine.backup.exported import Facts, count_external, observe_facts, stream_names
from mooring.engine.backup.files import FilesBackup
from mooring.engine.backup.rights import Lacks, check_readable, observe_lacks, reading
from mooring.engine.backup.store import BackupStore
from mooring.engine.backup.watch import LockWatch
from mooring.engine.report import Reporter
from mooring.engine.repository.errors import BlobMissing, ObjectDamaged
from mooring.engine.secret_files import load_password
from mooring.engine.server import open_session
from mooring.engine.tree import remove_tree

ATTEMPTS = 3
_PAUSE_S = 5.0
_UNREADABLE = (ObjectDamaged, ObjectMissing, BlobMissing, SnapshotUnfit)
_KEEP_FREE_BYTES = 64 << 20
_THREADS = min(8, (os.cpu_count() or 1) + 2)


@dataclass(frozen=True)
class Read:
    """What is in the store now."""

    facts: Facts
    database: SnapshotDatabase | None
    filestore: SnapshotFilestore | None
    attempts: int


@dataclass(frozen=True)
class Source:
    """One instance, to be read.

    Attributes:
        document: what and how.
        store: where to.
        before: the last snapshot's filestore.
        root: Odoo's filestore of the database; None without it.
        aside: our folder on its mount.
        work: folder for temporary files, ours alone.
    """

    document: Backup
    store: BackupStore
    before: SnapshotFilestore | None
    root: Path | None
    aside: Path | None
    work: Path
    report: Reporter

    def read(self) -> Read:
        """Read it, with further attempts where they help.

        Raises:
            ReadRightsMissing: nothing was dumped; names all that may not be read.
            DumpFailed, DumpBlocked, FilesChanging: the last attempt's reason.
            MooringError: PostgreSQL cannot be used.
        """
        known = {one.name for one in self.before.missing} if self.before else set()
        stream_only = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._attempt(attempt, known, stream_only=stream_only)
            except ScratchOverflow:
                stream_only = True
            except _GoneFiles as fault:
                # On the fresh snapshot they are either not named any more, or really lost.
                known |= fault.names
            except DumpAgain as fault:
                if attempt == ATTEMPTS:
                    raise fault.reason from None
                self.report.progress(f"again: {fault.reason.brief}"[:200])
                time.sleep(_PAUSE_S)
        raise FilesChanging("Files of the filestore kept disappearing while they were compared.")

    def _attempt(self, attempt: int, known: set[str], *, stream_only: bool) -> Read:
        _empty(self.work)
        stop = threading.Event()
        name = f"backup-{secrets.token_hex(6)}"
        kept: Future[SnapshotFilestore] | None = None
        with ThreadPoolExecutor(2, "backup") as pool:
            try:
                with exported(self.document.connection, self.document.database, name) as (session, snapshot, watch):
                    self.report.progress("read the database")
                    lacks = observe_lacks(session, whole=self.document.with_database)
                    with reading(lacks):
                        facts = observe_facts(session)
                        kept = self._gather(session, known, lacks, stop, pool)
                    dumped = self._dump(facts, name, snapshot, watch, stop, stream_only=stream_only)
                    rows = self._rows(session, facts, dumped)
                filestore = kept.result() if kept else None
            except DumpFailed:
                if kept is not None and stop.is_set():
                    # The dump was given up because the files failed: theirs is the reason.
                    kept.result()
                raise
            finally:
                stop.set()
        database = self._database(facts, dumped, rows) if dumped else None
        return Read(facts, database, filestore, attempt)

    def _gather(
        self, session: Session, known: set[str], lacks: Lacks, stop: threading.Event, pool: ThreadPoolExecutor
    ) -> Future[SnapshotFilestore] | None:
        """Link new files aside now, and have them read meanwhile; nothing is read where something may not be."""
        if self.root is None or self.aside is None:
            check_readable(lacks, None)
            return None
        self.report.progress("compare files")

        def said(done: int, total: int) -> None:
            self.report.progress("files", done, total)

        external = count_external(session)
        try:
            compared, found = self._compare(session, self.before, stop)
        except _UNREADABLE:
            # The last list is damaged: what it says is worth a reading of every file, and no failed backup.
            compared, found = self._compare(session, None, stop)
        check_readable(lacks, found)
        newly = set(found.newly(known))
        if newly:
            raise _GoneFiles(newly)
        files = FilesBackup(self.store, compared, _THREADS, said)
        return pool.submit(_or_stop(lambda: files.keep(found, external), stop))

    def _compare(
        self, session: Session, before: SnapshotFilestore | None, stop: threading.Event
    ) -> tuple[Comparison, Gathered]:
        if self.root is None or self.aside is None:
            raise ValueError("there is no filestore to compare")
        remove_tree(self.aside)
        self.aside.mkdir(mode=0o700)
        compared = Comparison(self.store, before, self.root, self.aside, self.work, stop)
        with closing(stream_names(session)) as names:
            return compared, compared.gather(names)

    def _dump(
        self, facts: Facts, name: str, snapshot: str, watch: LockWatch, stop: threading.Event, *, stream_only: bool
    ) -> Dumped | None:
        if not self.document.with_database:
            return None
        connection = self.document.connection
        passfile = write_passfile(self.work / "pgpass", load_password(connection))
        room = observe_room(self.work, self.document.scratch_bytes)
        dump = Dump(
            client=choose_client(observe_clients(), facts.server_major),
            conninfo=render_conninfo(connection, self.document.database, name, passfile=passfile),
            snapshot=snapshot,
            jobs=self.document.jobs,
            folder=self.work,
            room_bytes=room,
            watch=watch,
            stop=stop,
        )
        self.report.progress("dump", 0, facts.size_bytes)
        if stream_only or estimate_scratch(facts.tables, self.document.jobs) > room:
            return dump.run_stream(self.store)
        return dump.run_folder(facts.tables, self.store)

    def _rows(self, session: Session, facts: Facts, dumped: Dumped | None) -> tuple[RowCount, ...]:
        """Rows of each dumped table: from the dump's own files, or counted in the same snapshot."""
        if dumped is None:
            return ()
        counted = {entry.file: entry.rows for entry in dumped.entries}
        found: list[RowCount] = []
        for item in dumped.items:
            table = facts.tables.get(item.oid)
            if not item.has_rows or table is None or table.extension:
                continue
            rows = counted.get(item.file)
            if rows is None:
                query = SQL("SELECT count(*) FROM ONLY {}").format(Identifier(table.schema, table.relation))
                rows = int(session.value(query, doing=f"count the rows of {table.name}"))
            found.append(RowCount(table.name, rows))
        return tuple(sorted(found, key=lambda one: one.table))

    def _database(self, facts: Facts, dumped: Dumped, rows: tuple[RowCount, ...]) -> SnapshotDatabase:
        blobs = sum(_is_large_object(entry) for entry in dumped.entries)
        if dumped.layout == "directory" and blobs != facts.large_objects:
            raise DumpFailed(f"The database has {facts.large_objects} large objects, the dump {blobs}.")
        return SnapshotDatabase(
            name=self.document.database,
            layout=dumped.layout,
            server_major=facts.server_major,
            server_version=facts.server_version,
            encoding=facts.encoding,
            collation=facts.collation,
            size_bytes=facts.size_bytes,
            toc=dumped.toc,
            entries=dumped.entries,
            rows=rows,
            extensions=facts.extensions,
            roles=facts.roles,
            large_objects=facts.large_objects,
        )


class _GoneFiles(Exception):
    """Files that the database names are not there, and were not known to be missing."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(f"{len(names)} files")
        self.names = names


@contextmanager
def exported(connection: Connection, database: str, name: str) -> Iterator[tuple[Session, str, LockWatch]]:
    """A session in one state of the database, the name of that state, and the watch over who waits for our locks.

    Args:
        connection: the owner's.
        database: which one.
        name: pg_dump's sessions have to call themselves `mooring/NAME`.
    """
    watching = open_session(connection, task="backup-watch", database=database)
    with (
        LockWatch(watching, f"mooring/{name}", f"mooring/{name}-files") as watch,
        open_session(connection, task=f"{name}-files", database=database) as session,
        session.snapshot() as snapshot,
    ):
        yield session, snapshot, watch


def choose_client(clients: tuple[Client, ...], server_major: int) -> Client:
    """The oldest client that may read the server: what it writes, the most programs can read.

    Raises:
        ClientMissing: all are older than the server.
    """
    fitting = [client for client in clients if client.major >= server_major]
    if not fitting:
        there = ", ".join(str(client.major) for client in clients) or "none"
        raise ClientMissing(f"The server is PostgreSQL {server_major}; clients here: {there}.")
    return min(fitting, key=lambda client: client.major)


def observe_room(folder: Path, limit: int | None) -> int:
    """Bytes that temporary files may take."""
    state = os.statvfs(folder)
    free = state.f_bavail * state.f_frsize - _KEEP_FREE_BYTES
    return max(0, free if limit is None else min(free, limit))


def _or_stop(work: Callable[[], SnapshotFilestore], stop: threading.Event) -> Callable[[], SnapshotFilestore]:
    """The work; where it fails, the dump beside it is given up."""

    def run() -> SnapshotFilestore:
        try:
            return work()
        except BaseException:  # an interrupt, too, ends the dump beside; it goes on
            stop.set()
            raise

    return run


def _is_large_object(entry: DumpEntry) -> bool:
    return entry.file.startswith("blob_") and entry.file.endswith(".dat")


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        remove_tree(path)
