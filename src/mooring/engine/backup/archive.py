# SPDX-License-Identifier: Apache-2.0
"""The task `backup-archive`: an instance as one file, in the forms that Odoo's own database manager makes and restores.

Dump and files are of one moment, as in a snapshot. It is written as it is read: nothing of it lies anywhere else. A file
gets its name when it is whole; into a pipe, an error comes as the end of the task.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from mooring.domain.repository.endpoints import default_path_style
from mooring.domain.work.backup import ArchiveResult, BackupArchive
from mooring.domain.work.backup_errors import ArchiveFailed
from mooring.drivers.objects.settings import StoreSettings, open_writer
from mooring.drivers.objects.writer import ObjectWriter
from mooring.drivers.postgres import Session, render_conninfo
from mooring.drivers.postgres_programs import observe_clients, write_passfile
from mooring.engine.backup.compare import Comparison, Gathered
from mooring.engine.backup.dump import Dump, DumpAgain
from mooring.engine.backup.exported import Facts, observe_facts, stream_names
from mooring.engine.backup.rights import check_readable, observe_lacks, reading
from mooring.engine.backup.source import ATTEMPTS, choose_client, exported
from mooring.engine.backup.task import locked_instance, make_aside
from mooring.engine.backup.work import work_folder
from mooring.engine.report import Reporter
from mooring.engine.secret_files import load_password
from mooring.engine.tree import remove_tree, sync
from mooring.engine.volume import Volume, locked_volume

_PIECE_BYTES = 1 << 20
# zlib's; the default takes twice the time for a twentieth less of SQL text.
_LEVEL = 4
_SAY_EVERY = 500
_NOT_THERE = {errno.ENOENT, errno.ELOOP, errno.EIO}


def ensure_archive(document: BackupArchive, report: Reporter) -> ArchiveResult:
    """The task. Safe to repeat: the archive is written anew.

    Raises:
        ArchiveFailed: it cannot be written.
        LockHeld, DatabaseForeign, FilestoreForeign, DumpFailed, DumpBlocked: as for `backup`.
    """
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked_instance(document, document.instance, report))
        volume = _volume(document)
        if volume is not None:
            stack.enter_context(
                locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK)
            )
        work = stack.enter_context(work_folder(Path(document.scratch)))
        aside = make_aside(volume, document.fence) if volume else None
        try:
            archive = Archive(document, volume, aside, work, report)
            files, missing, size = archive.write()
        finally:
            if aside is not None:
                remove_tree(aside)
    return ArchiveResult(size, files, missing, int((time.monotonic() - begun) * 1000))


@dataclass(frozen=True)
class Archive:
    """One archive to write.

    Attributes:
        volume: None without the filestore.
        aside: our folder on it.
        work: folder for temporary files.
    """

    document: BackupArchive
    volume: Volume | None
    aside: Path | None
    work: Path
    report: Reporter

    def write(self) -> tuple[int, int, int]:
        """Files in it, files that were missing, and its size in bytes.

        Raises:
            ArchiveFailed: it cannot be written.
            MooringError: the dump's reason.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with _target(self.document) as out:
                    return self._attempt(out)
            except DumpAgain as fault:
                # What went into a pipe cannot be taken back.
                output = self.document.output
                if attempt == ATTEMPTS or (output is not None and not _is_replaceable(Path(output))):
                    raise fault.reason from None
                self.report.progress(f"again: {fault.reason.brief}"[:200])
        raise ArchiveFailed("The archive was begun again too often.")

    def _attempt(self, out: _Counting) -> tuple[int, int, int]:
        if self.document.format == "dump":
            with self._dumping() as (dump, _, _):
                dump.run_archive("custom", lambda pieces: _copy(pieces, out))
            return 0, 0, out.written
        written = gone = 0
        with zipfile.ZipFile(
            cast("IO[bytes]", out), "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=_LEVEL
        ) as archive:
            with self._dumping() as (dump, facts, files), _entry(archive, "dump.sql") as entry:
                dump.run_archive("plain", lambda pieces: _copy(pieces, entry))
            with _entry(archive, "manifest.json") as entry:
                entry.write(render_manifest(self.document.database, facts))
            if files is not None:
                written, gone = self._add_files(archive, files)
        return written, gone, out.written

    @contextmanager
    def _dumping(self) -> Iterator[tuple[Dump, Facts, _Files | None]]:
        connection, database = self.document.connection, self.document.database
        name = f"backup-{secrets.token_hex(6)}"
        stop = threading.Event()
        with exported(connection, database, name) as (session, snapshot, watch):
            lacks = observe_lacks(session)
            with reading(lacks):
                facts = observe_facts(session)
                files = self._gather(session, stop)
            check_readable(lacks, files.found if files else None)
            passfile = write_passfile(self.work / "pgpass", load_password(connection))
            self.report.progress("dump", 0, facts.size_bytes)
            dump = Dump(
                client=choose_client(observe_clients(), facts.server_major),
                conninfo=render_conninfo(connection, database, name, passfile=passfile),
                snapshot=snapshot,
                jobs=1,
                folder=self.work,
                room_bytes=0,
                watch=watch,
                stop=stop,
            )
            yield dump, facts, files

    def _gather(self, session: Session, stop: threading.Event) -> _Files | None:
        if self.volume is None or self.aside is None:
            return None
        self.report.progress("compare files")
        remove_tree(self.aside)
        self.aside.mkdir(mode=0o700)
        compared = Comparison(None, None, self.volume.current, self.aside, self.work, stop)
        with closing(stream_names(session)) as names:
            return _Files(compared, compared.gather(names))

    def _add_files(self, archive: zipfile.ZipFile, files: _Files) -> tuple[int, int]:
        """Files that were written, and that could not be found."""
        done, gone = 0, len(files.found.missing)
        for name, path in files.compared.fresh():
            try:
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError as fault:
                if fault.errno not in _NOT_THERE:
                    raise
                gone += 1
                continue
            with os.fdopen(handle, "rb", buffering=0) as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    gone += 1
                    continue
                with _entry(archive, f"filestore/{name}") as entry:
                    while piece := file.read(_PIECE_BYTES):
                        entry.write(piece)
            done += 1
            if done % _SAY_EVERY == 0:
                self.report.progress("files", done, files.found.fresh)
        return done, gone


@dataclass(frozen=True)
class _Files:
    compared: Comparison
    found: Gathered


class _Counting:
    """A file that only grows, and says how much was written; zipfile asks no more of it."""

    def __init__(self, file: IO[bytes] | ObjectWriter) -> None:
        self._file = file
        self.written = 0

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self.written += len(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()


def render_manifest(database: str, facts: Facts) -> bytes:
    """What Odoo writes beside its dump (odoo/service/db.py, dump_db_manifest)."""
    base = next((module.version for module in facts.modules if module.name == "base"), "")
    series = ".".join(base.split(".")[:2])
    numbers = [int(part) if part.isdigit() else part for part in series.split(".")] if series else []
    manifest = {
        "odoo_dump": "1",
        "db_name": database,
        "version": series,
        "version_info": [*numbers, 0, "final", 0, ""],
        "major_version": series,
        "pg_version": f"{facts.server_major}.0",
        "modules": {module.name: module.version for module in facts.modules},
    }
    return json.dumps(manifest, indent=4).encode()


@contextmanager
def _target(document: BackupArchive) -> Iterator[_Counting]:
    """Where the archive goes; it is there when the body went well, and else not."""
    if document.output is not None:
        with _file(Path(document.output)) as counting:
            yield counting
    elif document.store is not None:
        writer = open_writer(
            StoreSettings(
                url=document.store.url,
                endpoint=document.store.endpoint,
                path_style=default_path_style(endpoint=document.store.endpoint, path_style=None),
                credentials=Path(document.store.credentials_dir) if document.store.credentials_dir else None,
            ),
            document.store.key,
        )
        yield _Counting(writer)
        writer.close()


@contextmanager
def _file(path: Path) -> Iterator[_Counting]:
    """The archive's file; it gets its name when the body went well."""
    replaceable = _is_replaceable(path)
    part = path.with_name(f"{path.name}.part") if replaceable else path
    try:
        with part.open("wb") as file:
            counting = _Counting(file)
            yield counting
            file.flush()
            if replaceable:
                os.fsync(file.fileno())
        if replaceable:
            part.replace(path)
            sync(path.parent)
    except OSError as fault:
        raise ArchiveFailed(f"{os.strerror(fault.errno or 0)}: {fault.filename or path}.") from None
    finally:
        if replaceable:
            part.unlink(missing_ok=True)


def _is_replaceable(path: Path) -> bool:
    """Whether the archive is a file that gets its name at the end, and no pipe or device."""
    return not str(path).startswith("/dev/") and (not path.exists() or path.is_file())


@contextmanager
def _entry(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    info = zipfile.ZipInfo(name, time.gmtime()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as entry:
        yield entry


def _copy(pieces: Iterator[bytes], file: _Counting | IO[bytes]) -> None:
    for piece in pieces:
        file.write(piece)


def _volume(document: BackupArchive) -> Volume | None:
    if document.format != "zip" or not document.with_filestore or document.data_dir is None:
        return None
    return Volume(Path(document.data_dir), document.database)
