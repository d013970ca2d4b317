# SPDX-License-Identifier: Apache-2.0
"""The task `database-create`: the empty database that a received dump is loaded into, beside the instance's own.

It is all that the administrator does for an import: what is in the dump is run by `database-load` as the owner.
"""

from __future__ import annotations

from mooring.domain.work.errors import NotEnoughSpace
from mooring.domain.work.import_errors import ArchiveUnfit
from mooring.domain.work.imports import DatabaseCreate, DatabaseCreated
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside
from mooring.drivers.postgres import Session
from mooring.engine.databases import create_database
from mooring.engine.marks import check_ours, fenced, locked_server, observe_current, observe_one, write_mark
from mooring.engine.prepare import ensure_extensions, ensure_schema
from mooring.engine.report import Reporter
from mooring.engine.safety import copy_settings, ensure_building_absent
from mooring.engine.server import open_session

# A dump has no indexes; with them a database is about twice its text.
_GROWTH = 2


def ensure_created(document: DatabaseCreate, report: Reporter) -> DatabaseCreated:
    """The task. Safe to repeat: one that was loaded to its end is kept, any other is made anew.

    Raises:
        ArchiveUnfit: the dump is of a newer server; nothing was changed.
        NotEnoughSpace, DatabaseForeign, StaleAttempt, ExtensionMissing: see their texts.
    """
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        _check_fits(document, session)
        name = beside(document.instance, role="building", operation=document.fence.operation)
        current, mark = observe_current(
            session, document.database, instance=document.instance, fence=document.fence, task=document.TASK
        )
        left = observe_one(session, name)
        before = DataMark(document.instance, "building")
        if current is not None:
            write_mark(session, current.name, mark)
        elif left is not None and left.mark is not None:
            before = left.mark
        if left is not None and left.mark is not None and left.mark.role == "building" and left.mark.at:
            check_ours(left, document.instance, role="building")
            return DatabaseCreated(name, kept=True)
        ensure_building_absent(session, name, document.instance)
        report.progress("create the database")
        create_database(session, name, owner=document.owner, locales=_locales(session))
        fresh = fenced(before, document.fence, document.TASK)
        with open_session(document.connection, task=document.TASK, database=name) as inside:
            ensure_extensions(inside, name)
            ensure_schema(inside, database=name, owner=document.owner)
        if current is not None:
            copy_settings(session, document.database, name)
        # The last of all: what carries it is ready to be loaded.
        write_mark(session, name, DataMark(document.instance, "building", fresh.operation, fresh.steps))
        return DatabaseCreated(name, kept=False)


def _check_fits(document: DatabaseCreate, session: Session) -> None:
    if document.server_major > session.major:
        raise ArchiveUnfit(
            f"The dump is of PostgreSQL {document.server_major}, the server is {session.version}: older.",
            resolution=f"Import it on a server of PostgreSQL {document.server_major} or newer.",
        )
    need = document.dump_bytes * _GROWTH
    if document.free_bytes is not None and need > document.free_bytes:
        raise NotEnoughSpace(
            f"The imported database needs about {need} bytes, the server has {document.free_bytes} free."
        )


def _locales(session: Session) -> list[tuple[str, str]]:
    """Odoo's own choice first: bytes in their order, letters of every language."""
    own = session.value(
        "SELECT datctype FROM pg_database WHERE datname = 'template0'", doing="read the server's locale"
    )
    return [("C", "C.UTF-8"), ("C", "C.utf8"), ("C", str(own or "C")), ("C", "C")]
