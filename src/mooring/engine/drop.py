# SPDX-License-Identifier: Apache-2.0
"""The task `database-drop`: remove an instance's databases by their role, and at the very end the role that owned them.

Whose a database is, its comment says, never its name. What is current goes last, and only with `purge`, which the document
checks.
"""

from __future__ import annotations

from mooring.domain.work.copies import DatabaseDrop
from mooring.domain.work.errors import SqlFailed
from mooring.domain.work.names import beside
from mooring.domain.work.results import DropResult
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.databases import ensure_absent
from mooring.engine.marks import Database, fenced, locked_server, observe_all, observe_one, write_mark
from mooring.engine.report import Reporter
from mooring.engine.roles import role_instance

_DEPENDENTS_STILL_EXIST = "2BP01"


def ensure_dropped(document: DatabaseDrop, report: Reporter) -> DropResult:
    """The task. Safe to repeat: what is gone is gone.

    Raises:
        StaleAttempt: nothing was changed.
        DatabaseInUse: sessions of a database could not be ended.
    """
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        ours = observe_all(session, document.instance)
        for item in ours:
            if item.mark and item.mark.role == "current":
                write_mark(session, item.name, fenced(item.mark, document.fence, document.TASK))
        names = [*_unmarked_building(session, document), *(item.name for item in ours if _is_meant(item, document))]
        names.sort(key=lambda name: any(item.name == name and _role(item) == "current" for item in ours))
        dropped: list[str] = []
        for number, name in enumerate(names):
            report.progress(f"drop {name}", number, len(names))
            if ensure_absent(session, name):
                dropped.append(name)
        gone, kept = _drop_role(session, document) if document.owner else (False, None)
        return DropResult(dropped=tuple(dropped), role_dropped=gone, role_kept=kept)


def _role(item: Database) -> str:
    return item.mark.role if item.mark else ""


def _is_meant(item: Database, document: DatabaseDrop) -> bool:
    if item.mark is None or item.mark.role not in document.roles:
        return False
    if item.mark.role == "current":
        return True
    return document.operation in (None, item.mark.operation) and document.spare != item.mark.operation


def _unmarked_building(session: Session, document: DatabaseDrop) -> list[str]:
    """What a kill between CREATE DATABASE and its comment left: only its name, made from our ids, says that it is ours."""
    if "building" not in document.roles or document.operation is None:
        return []
    name = beside(document.instance, role="building", operation=document.operation)
    left = observe_one(session, name)
    return [name] if left is not None and left.mark is None else []


def _drop_role(session: Session, document: DatabaseDrop) -> tuple[bool, str | None]:
    owner = document.owner or ""
    rows = session.rows(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s",
        (owner,),
        doing=f"look for {owner}",
    )
    if not rows:
        return False, None
    if role_instance(rows[0][0]) != document.instance:
        return False, f"Mooring did not make the role {owner} for this instance."
    owned = session.rows(
        "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = %s ORDER BY datname",
        (owner,),
        doing=f"see what {owner} owns",
    )
    if owned:
        return False, f"The role {owner} still owns {', '.join(row[0] for row in owned)}."
    try:
        session.execute(SQL("DROP ROLE {}").format(Identifier(owner)), doing=f"drop the role {owner}")
    except SqlFailed as fault:
        if fault.state != _DEPENDENTS_STILL_EXIST:
            raise
        return False, f"The role {owner} still has rights or objects in other databases."
    return True, None
