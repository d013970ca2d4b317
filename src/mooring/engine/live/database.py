# SPDX-License-Identifier: Apache-2.0
"""The task `database-copy`: a running database, copied beside another instance's own and compared with its source.

The source is read as its own owner in one exported state, and nobody waits for our locks for long. The copy carries the
role `building` from its first moment, and in that comment the time when it was found whole: without it, it is dropped and
built again. It is restored as its new owner, so that nothing in it ever belonged to anybody else.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from pathlib import Path
from typing import Literal

from mooring.domain.work.backup_errors import ScratchTooSmall
from mooring.domain.work.errors import NotEnoughSpace
from mooring.domain.work.live_copy import DatabaseCopy, DatabaseCopyResult
from mooring.domain.work.live_copy_errors import CopyIncomplete, SourceUnfit
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside
from mooring.drivers.postgres import Session, render_conninfo
from mooring.drivers.postgres_programs import observe_clients, write_passfile
from mooring.engine.backup.dump import Dump, DumpAgain, estimate_scratch
from mooring.engine.backup.exported import Facts, observe_facts
from mooring.engine.backup.rights import check_readable, observe_lacks
from mooring.engine.backup.source import choose_client, exported, observe_room
from mooring.engine.backup.watch import LockWatch
from mooring.engine.backup.work import work_folder
from mooring.engine.live.source import check_source, count_rows, list_extensions, series_of
from mooring.engine.live.transfer import Transfer
from mooring.engine.marks import locked_server, now, observe_one, write_mark
from mooring.engine.report import Reporter
from mooring.engine.restore.building import ensure_empty, ensure_fence, is_whole, measure, owner_connection
from mooring.engine.restore.check import Expected, base_of, check_built
from mooring.engine.safety import copy_settings, ensure_building_absent
from mooring.engine.secret_files import load_password
from mooring.engine.server import open_session

ATTEMPTS = 3
_PAUSE_S = 5.0
_SPARE = 1.1
Method = Literal["folder", "stream", "none"]


class _NoRoom(Exception):
    """The dump does not fit into the folder for temporary files: it is streamed."""


@dataclasses.dataclass(frozen=True)
class _Copied:
    """What one attempt read and built."""

    facts: Facts
    expected: Expected
    method: Method


def ensure_copied(document: DatabaseCopy, report: Reporter) -> DatabaseCopyResult:
    """The task. Safe to repeat: a whole one of the same operation is kept.

    Raises:
        SourceUnfit: the source cannot be copied here; nothing was changed.
        DumpFailed, DumpBlocked, RestoreFailed, CopyIncomplete: what was built is not whole; what is current is untouched.
        DatabaseForeign, StaleAttempt, NotEnoughSpace, ExtensionMissing: see their texts.
        MooringError: PostgreSQL cannot be used.
    """
    begun = time.monotonic()
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        name = beside(document.instance, role="building", operation=document.fence.operation)
        mark = ensure_fence(session, document, name, task=document.TASK)
        if is_whole(session, document, name):
            return _result(session, document, name, begun, None, attempts=0)
        copied, attempts = _copy(session, document, name, mark, report)
        write_mark(session, name, dataclasses.replace(mark, at=now()))
        return _result(session, document, name, begun, copied, attempts=attempts)


def _copy(session: Session, document: DatabaseCopy, name: str, mark: DataMark, report: Reporter) -> tuple[_Copied, int]:
    """Further attempts, each on a fresh state of the source, where they help."""
    stream_only = False
    for attempt in range(1, ATTEMPTS + 1):
        ensure_building_absent(session, name, document.instance)
        try:
            return _attempt(session, document, name, mark, report, stream_only=stream_only), attempt
        except (_NoRoom, ScratchTooSmall):
            if stream_only:
                raise
            stream_only = True
        except DumpAgain as fault:
            if attempt == ATTEMPTS:
                raise fault.reason from None
            report.progress(f"again: {fault.reason.brief}"[:200])
            time.sleep(_PAUSE_S)
    raise CopyIncomplete(f"The database {document.source.database} could not be read in {ATTEMPTS} attempts.")


def _attempt(
    session: Session, document: DatabaseCopy, name: str, mark: DataMark, report: Reporter, *, stream_only: bool
) -> _Copied:
    stop = threading.Event()
    sign = f"copy-{secrets.token_hex(6)}"
    source = document.source
    with work_folder(Path(document.scratch)) as work:
        try:
            with exported(source.connection, source.database, sign) as (reading, snapshot, watch):
                report.progress("read the source")
                check_readable(observe_lacks(reading), None)
                facts = observe_facts(reading)
                check_source(reading, document, facts, server_major=session.major)
                _check_room(document, facts)
                dump = Dump(
                    client=choose_client(observe_clients(), facts.server_major),
                    conninfo=render_conninfo(
                        source.connection,
                        source.database,
                        sign,
                        passfile=write_passfile(work / "source.pgpass", load_password(source.connection)),
                    ),
                    snapshot=snapshot,
                    jobs=document.jobs,
                    folder=work,
                    room_bytes=observe_room(work, document.scratch_bytes),
                    watch=watch,
                    stop=stop,
                )
                extensions = list_extensions(reading)
                schemas = ensure_empty(
                    session, document, name, mark, task=document.TASK, collation=facts.collation, extensions=extensions
                )
                transfer = _transfer(session, document, name, work, schemas, facts, report)
                # All tables at once: a folder keeps the whole dump until it is restored.
                fits = estimate_scratch(facts.tables, len(facts.tables)) <= dump.room_bytes
                method: Method = "stream" if stream_only or not fits else "folder"
                report.progress("copy", 0, facts.size_bytes)
                folder: Path | None = None
                if method == "stream":
                    dump.run_through(transfer.take)
                else:
                    folder = dump.run_local()
                expected = _expect(reading, facts, watch)
            # The source is free again before the slower half.
            if folder is not None:
                transfer.restore_folder(folder)
        finally:
            stop.set()
    report.progress("check")
    owner = owner_connection(document)
    with open_session(owner, task=document.TASK, database=name) as inside:
        faults = check_built(inside, expected, owner=document.owner)
    if faults:
        raise CopyIncomplete(f"The copy is not as its source: {faults[0]}", details="\n".join(faults))
    if observe_one(session, document.database) is not None:
        copy_settings(session, document.database, name)
    return _Copied(facts, expected, method)


def _transfer(
    session: Session,
    document: DatabaseCopy,
    name: str,
    work: Path,
    schemas: set[str],
    facts: Facts,
    report: Reporter,
) -> Transfer:
    owner = owner_connection(document)
    passfile = write_passfile(work / "pgpass", load_password(owner))
    # What a crash takes is built again, and the mark at the end is written with everything before it.
    options = "-c synchronous_commit=off"

    def said(fed: int) -> None:
        report.progress("copy", min(fed, facts.size_bytes), facts.size_bytes)

    return Transfer(
        conninfo=render_conninfo(owner, name, document.TASK, passfile=passfile, options=options),
        server_major=session.major,
        schemas=frozenset(schemas),
        jobs=document.jobs,
        work=work,
        said=said,
    )


def _check_room(document: DatabaseCopy, facts: Facts) -> None:
    need = int(facts.size_bytes * _SPARE)
    if document.free_bytes is not None and need > document.free_bytes:
        raise NotEnoughSpace(f"The copy needs {need} bytes, the server has {document.free_bytes} free.")


def _expect(reading: Session, facts: Facts, watch: LockWatch) -> Expected:
    """Counted in the very state that was dumped."""
    rows = count_rows(reading, facts, watch)
    return Expected(rows, facts.extensions, facts.large_objects, base_of(facts.modules))


def _result(
    session: Session, document: DatabaseCopy, name: str, begun: float, copied: _Copied | None, *, attempts: int
) -> DatabaseCopyResult:
    locale, size = measure(session, name)
    if copied is None:
        with open_session(owner_connection(document), task=document.TASK, database=name) as inside:
            facts, rows, tables = observe_facts(inside), 0, 0
            method: Method = "none"
    else:
        facts, method = copied.facts, copied.method
        rows, tables = sum(one.rows for one in copied.expected.rows), len(copied.expected.rows)
    series = series_of(facts)
    if series is None:
        raise SourceUnfit(f"The database {document.source.database} holds no Odoo.")
    return DatabaseCopyResult(
        database=name,
        kept=copied is None,
        origin=document.source.instance,
        series=series,
        modules=facts.modules,
        tables=tables,
        rows=rows,
        extensions=facts.extensions,
        locale=locale,
        size_bytes=size,
        method=method,
        attempts=attempts,
        duration_ms=int((time.monotonic() - begun) * 1000),
    )
