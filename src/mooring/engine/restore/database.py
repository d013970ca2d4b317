# SPDX-License-Identifier: Apache-2.0
"""The task `database-restore`: a snapshot's database, built beside the instance's own and compared with the snapshot.

What is current is not touched. The new database carries the role `building` from its first moment, and in that comment the
time when it was found whole: without it, it is dropped and built again. The dump's own statements run as the owner, never
as the administrator, who only makes the database and its extensions.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from mooring.domain.repository.manifest import SnapshotDatabase, SnapshotManifest
from mooring.domain.work.backup_errors import RestoreIncomplete, SnapshotUnfit
from mooring.domain.work.copy_errors import ModeNotSaid, SeriesUnfit, ServerTooOld
from mooring.domain.work.errors import NotEnoughSpace
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside
from mooring.domain.work.restore import DatabaseRestore, DatabaseRestoreResult
from mooring.drivers.postgres import Session, render_conninfo
from mooring.drivers.postgres_programs import observe_clients, write_passfile
from mooring.engine.backup.store import RestoreStore, open_restore_store
from mooring.engine.backup.toc import render_list
from mooring.engine.backup.work import work_folder
from mooring.engine.marks import locked_server, now, observe_one, write_mark
from mooring.engine.report import Reporter
from mooring.engine.restore.analyze import Analyzed, ensure_analyzed
from mooring.engine.restore.building import ensure_empty, ensure_fence, is_whole, measure, owner_connection
from mooring.engine.restore.check import check_built, expect
from mooring.engine.restore.program import open_archive
from mooring.engine.safety import copy_settings, ensure_building_absent
from mooring.engine.secret_files import load_password
from mooring.engine.server import open_session

# Room for what the server writes beside the files themselves.
_SPARE = 1.1


def ensure_restored(document: DatabaseRestore, report: Reporter) -> DatabaseRestoreResult:
    """The task. Safe to repeat: a whole one of the same operation is kept.

    Raises:
        SnapshotMissing, SnapshotUnfit: the snapshot cannot be restored here; nothing was changed.
        SeriesUnfit, ServerTooOld, ModeNotSaid: the same, and why.
        RestoreFailed, RestoreIncomplete: what was built is not whole; what is current is untouched.
        DatabaseForeign, StaleAttempt, NotEnoughSpace, ExtensionMissing: see their texts.
        MooringError: PostgreSQL or the repository cannot be used.
    """
    begun = time.monotonic()
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        name = beside(document.instance, role="building", operation=document.fence.operation)
        mark = ensure_fence(session, document, name, task=document.TASK)
        report.progress("open the repository")
        with open_restore_store(document.repository, document.source) as store:
            manifest = store.manifest
            database = _check_fits(document, session, manifest)
            kept = is_whole(session, document, name)
            if not kept:
                ensure_building_absent(session, name, document.instance)
                _build(session, document, store, database, manifest, name, mark, report)
        if not kept:
            write_mark(session, name, dataclasses.replace(mark, at=now()))
        owner = owner_connection(document)
        analyzed = ensure_analyzed(owner, name, task=document.TASK, jobs=document.jobs, report=report)
        made = _result(session, manifest, database, name, begun, analyzed, kept=kept)
        same = document.release in (None, manifest.release.digest)
        return dataclasses.replace(made, select="named" if same else "changed")


def _check_fits(document: DatabaseRestore, session: Session, manifest: SnapshotManifest) -> SnapshotDatabase:
    database = manifest.database
    if database is None:
        raise SnapshotUnfit(f"The snapshot {manifest.id} holds no database.")
    if document.refuse_own and manifest.instance.id == document.instance:
        raise ModeNotSaid(f"The snapshot {manifest.id} is of this very instance, and was asked for as another's.")
    if document.series is not None and manifest.series != document.series:
        raise SeriesUnfit(
            f"The snapshot is of Odoo {manifest.series}, and the instance has a release of Odoo {document.series}.",
            resolution=f"Give the instance a release of Odoo {manifest.series}.",
        )
    if database.server_major > session.major:
        raise ServerTooOld(
            f"The snapshot is of PostgreSQL {database.server_version}, the server is {session.version}: older.",
            resolution=f"Restore it on a server of PostgreSQL {database.server_major} or newer.",
        )
    if database.encoding != "UTF8":
        raise SnapshotUnfit(f"The snapshot's database is in {database.encoding}; Odoo's are in UTF8.")
    need = int(database.size_bytes * _SPARE)
    if document.free_bytes is not None and need > document.free_bytes:
        raise NotEnoughSpace(f"The restored database needs {need} bytes, the server has {document.free_bytes} free.")
    return database


def _build(
    session: Session,
    document: DatabaseRestore,
    store: RestoreStore,
    database: SnapshotDatabase,
    manifest: SnapshotManifest,
    name: str,
    mark: DataMark,
    report: Reporter,
) -> None:
    with work_folder(Path(document.scratch)) as work:
        clients = observe_clients()
        archive = open_archive(database, store, clients=clients, server_major=session.major, work=work)
        report.progress("create the database")
        schemas = ensure_empty(
            session,
            document,
            name,
            mark,
            task=document.TASK,
            collation=database.collation,
            extensions=archive.extensions(),
        )
        owner = owner_connection(document)
        passfile = write_passfile(work / "pgpass", load_password(owner))
        # What a crash takes is built again, and the mark at the end is written with everything before it.
        options = "-c synchronous_commit=off"
        total = sum(entry.stream.size for entry in database.entries) or database.toc.size

        def said(fed: int) -> None:
            report.progress("restore", fed, total)

        said(0)
        archive.restore(
            render_conninfo(owner, name, document.TASK, passfile=passfile, options=options),
            chosen=render_list(archive.items, schemas=schemas),
            jobs=document.jobs,
            server_major=session.major,
            said=said,
        )
        report.progress("check")
        with open_session(owner, task=document.TASK, database=name) as inside:
            faults = check_built(inside, expect(manifest), owner=document.owner)
        if faults:
            raise RestoreIncomplete(
                f"The restored database is not as the snapshot says: {faults[0]}", details="\n".join(faults)
            )
        if observe_one(session, document.database) is not None:
            copy_settings(session, document.database, name)


def _result(
    session: Session,
    manifest: SnapshotManifest,
    database: SnapshotDatabase,
    name: str,
    begun: float,
    analyzed: Analyzed,
    *,
    kept: bool,
) -> DatabaseRestoreResult:
    locale, size = measure(session, name)
    return DatabaseRestoreResult(
        database=name,
        kept=kept,
        snapshot=manifest.id.replace("-", ""),
        origin=manifest.instance.id,
        series=manifest.series,
        modules=manifest.modules,
        tables=len(database.rows),
        rows=sum(one.rows for one in database.rows),
        extensions=database.extensions,
        locale=locale,
        size_bytes=size,
        duration_ms=int((time.monotonic() - begun) * 1000),
        analyzed=analyzed.tables,
        unanalyzed=analyzed.left,
        analyze_ms=analyzed.duration_ms,
    )
