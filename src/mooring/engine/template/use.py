# SPDX-License-Identifier: Apache-2.0
"""The tasks `database-from-template` and `database-empty`: a copy of a template becomes an instance's database, and back.

The copy is made under a building name, given to its owner object by object, and swapped in for the empty database in one
transaction. Until its files are unpacked (`engine.template.files`) it holds the schema that says so.
"""

from __future__ import annotations

import time

from mooring.domain.work.errors import (
    DatabaseForeign,
    DatabaseMissing,
    DatabaseNotEmpty,
    NotEnoughSpace,
    RightsMissing,
    SqlFailed,
)
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside
from mooring.domain.work.template_errors import TemplateMissing, TemplateUnfit
from mooring.domain.work.templates import (
    SCHEMA,
    DatabaseEmpty,
    DatabaseFromTemplate,
    Emptied,
    FromTemplate,
    template_database,
)
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.back import swap_in
from mooring.engine.databases import ensure_absent
from mooring.engine.marks import Database, check_ours, locked_server, now, observe_current, observe_one, write_mark
from mooring.engine.prepare import ensure_extensions, ensure_schema, is_empty
from mooring.engine.provision import create_empty
from mooring.engine.report import Reporter
from mooring.engine.safety import ensure_building_absent
from mooring.engine.server import open_session
from mooring.engine.template.owners import ensure_given

_NO_SUCH_DATABASE = "3D000"
# What keeps a template from being used, and not Odoo from installing the modules itself.
_NO_USE = (TemplateMissing, TemplateUnfit, DatabaseForeign, DatabaseNotEmpty, NotEnoughSpace, RightsMissing, SqlFailed)


def ensure_copied(document: DatabaseFromTemplate, report: Reporter) -> FromTemplate:
    """The task `database-from-template`. Safe to repeat.

    What keeps a template from being used is no error: what was built is dropped, and the result says why.

    Raises:
        DatabaseMissing, DatabaseForeign, StaleAttempt: nothing was changed.
        MooringError: PostgreSQL cannot be used.
    """
    begun = time.monotonic()
    operation = document.fence.operation
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        current, mark = _current(session, document)
        if mark.returned == operation:
            return FromTemplate(document.database, document.template, kept=True)
        building = beside(document.instance, role="building", operation=operation)
        ensure_building_absent(session, building, document.instance)
        try:
            objects = _build(session, document, current, building, report)
        except _NO_USE as fault:
            report.progress("drop the copy")
            ensure_building_absent(session, building, document.instance)
            return FromTemplate(document.database, document.template, install=True, reason=fault.brief)
        report.progress("swap", 3, 3)
        _swap(session, document, current, mark, building)
        size = session.value("SELECT pg_database_size(%s::name)", (document.database,), doing="measure the database")
        return FromTemplate(
            document.database,
            document.template,
            objects=objects,
            size_bytes=int(size),
            duration_ms=int((time.monotonic() - begun) * 1000),
        )


def _build(session: Session, document: DatabaseFromTemplate, current: Database, building: str, report: Reporter) -> int:
    template = observe_one(session, template_database(document.template))
    if template is None or template.invalid:
        raise TemplateMissing(f"There is no template {document.template} on the server.")
    check_ours(template, document.template, role="template")
    _check_replaceable(document, current)
    report.progress("copy", 1, 3)
    _copy(session, template, building, document.owner)
    write_mark(session, building, DataMark(document.instance, "building", document.fence.operation))
    report.progress("give", 2, 3)
    with open_session(document.connection, task=document.TASK, database=building) as inside:
        ensure_schema(inside, database=building, owner=document.owner)
        objects = ensure_given(inside, giver=template.owner, receiver=document.owner)
    _note_use(session, template)
    return objects


def ensure_emptied(document: DatabaseEmpty, report: Reporter) -> Emptied:
    """The task `database-empty`. Safe to repeat.

    Raises:
        DatabaseMissing, DatabaseForeign, StaleAttempt: nothing was changed.
    """
    operation = document.fence.operation
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        current, mark = _current(session, document)
        building = beside(document.instance, role="building", operation=operation)
        aside = beside(document.instance, role="previous", operation=operation)
        ensure_building_absent(session, building, document.instance)
        if mark.returned != operation:
            _drop_aside(session, document, aside)
            return Emptied(emptied=False)
        _drop_aside(session, document, aside)
        create_empty(session, building, document.owner)
        write_mark(session, building, DataMark(document.instance, "building", operation))
        with open_session(document.connection, task=document.TASK, database=building) as inside:
            ensure_extensions(inside, building)
            ensure_schema(inside, database=building, owner=document.owner)
        fresh = DataMark(document.instance, "current", mark.operation, mark.steps, at=now())
        swap_in(
            session,
            current,
            building,
            database=document.database,
            previous=aside,
            mark=fresh,
            wait_s=document.fence.wait_s,
            of=operation,
        )
        _drop_aside(session, document, aside)
        return Emptied(emptied=True)


def _current(session: Session, document: DatabaseFromTemplate | DatabaseEmpty) -> tuple[Database, DataMark]:
    current, mark = observe_current(
        session, document.database, instance=document.instance, fence=document.fence, task=document.TASK
    )
    if current is None:
        raise DatabaseMissing(f"There is no database {document.database}.")
    write_mark(session, document.database, mark)
    return current, mark


def _check_replaceable(document: DatabaseFromTemplate, current: Database) -> None:
    """Only an empty database is replaced, or a copy whose files never came."""
    with open_session(document.connection, task=document.TASK, database=current.name) as inside:
        unfinished = inside.value("SELECT to_regnamespace(%s) IS NOT NULL", (SCHEMA,), doing="look for a copy")
        if not unfinished and not is_empty(inside):
            raise DatabaseNotEmpty(f"The database {current.name} holds something already; no template is put there.")


def _copy(session: Session, template: Database, building: str, owner: str) -> None:
    query = SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
        Identifier(building), Identifier(owner), Identifier(template.name)
    )
    try:
        session.execute(query, doing=f"copy the template {template.name}")
    except DatabaseMissing:
        raise TemplateMissing(f"The template {template.name} was dropped meanwhile.") from None
    except SqlFailed as fault:
        if fault.state == _NO_SUCH_DATABASE:
            raise TemplateMissing(f"The template {template.name} was dropped meanwhile.") from None
        raise


def _swap(session: Session, document: DatabaseFromTemplate, current: Database, mark: DataMark, building: str) -> None:
    """What was current stays aside: dropping it would wait until everything that was copied is on disk."""
    operation = document.fence.operation
    aside = beside(document.instance, role="previous", operation=operation)
    _drop_aside(session, document, aside)
    fresh = DataMark(document.instance, "current", mark.operation, mark.steps, at=now(), returned=operation)
    swap_in(
        session,
        current,
        building,
        database=document.database,
        previous=aside,
        mark=fresh,
        wait_s=document.fence.wait_s,
        of=operation,
    )


def _drop_aside(session: Session, document: DatabaseFromTemplate | DatabaseEmpty, aside: str) -> None:
    """What this operation replaced: an empty database, or a copy that was not finished."""
    left = observe_one(session, aside)
    if left is not None:
        check_ours(left, document.instance, role="previous")
        ensure_absent(session, aside)


def _note_use(session: Session, template: Database) -> None:
    mark = template.mark
    if mark is not None:
        write_mark(
            session, template.name, DataMark(mark.instance, mark.role, mark.operation, at=now(), about=mark.about)
        )
