# SPDX-License-Identifier: Apache-2.0
"""The task `database-provision`: a role and an empty database for an instance, or its own taken back.

A database is made under a building name, prepared there, and gets its name and its comment in one transaction: a kill at
any point leaves either nothing under the final name or a whole database that says whose it is. It never takes over a
database that names another instance, nor, unless asked, one with content that names none. What is in it is read as its
owner: that proves the owner's password, and an administrator's session never reads what a tenant put there.
"""

from __future__ import annotations

import dataclasses

from mooring.domain.work.database import DatabaseInspect, DatabaseProvision
from mooring.domain.work.errors import (
    DatabaseInUse,
    DatabaseNotEmpty,
    RightsMissing,
    ServerReadOnly,
)
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside, lock_key
from mooring.domain.work.results import DatabaseFacts, ProvisionResult
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.databases import create_database, when_free
from mooring.engine.inspect import observe_database
from mooring.engine.marks import Database, check_ours, fenced, locked_server, now, observe_one, write_mark
from mooring.engine.prepare import ensure_extensions, ensure_schema, is_empty
from mooring.engine.report import Reporter
from mooring.engine.roles import RoleDone, ensure_role
from mooring.engine.safety import ensure_building_absent
from mooring.engine.secret_files import load_secret
from mooring.engine.server import NOT_INTO_THIS_DATABASE, check_version, is_read_only, observe_server, open_session

# Sorting by bytes, as Odoo wants it; letters beyond ASCII still have upper and lower case, which LC_CTYPE C would lose.
_CTYPES = ("C.UTF-8", "C.utf8", "en_US.UTF-8")


def ensure_database(document: DatabaseProvision, report: Reporter) -> ProvisionResult:
    """The task. Safe to repeat.

    Raises:
        MooringError: see the module's text and `mooring.domain.work.errors`.
    """
    if document.mode == "existing":
        return _ensure_existing(document, report)
    return _ensure_created(document, report)


def _ensure_created(document: DatabaseProvision, report: Reporter) -> ProvisionResult:
    password = load_secret(document.owner_password_file or "")
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        _check_administrator(session, document)
        found = observe_one(session, document.database)
        mark = _decide_mark(found, document)
        report.progress("role", 1, 4)
        role = ensure_role(
            session,
            document.connection,
            owner=document.owner,
            password=password,
            databases=(document.connection.maintenance_database, *([document.database] if found else [])),
            instance=document.instance,
            adopt=document.adopt,
        )
        if found is None:
            report.progress("create", 2, 4)
            immutable = _create(session, document, mark)
        else:
            report.progress("take", 2, 4)
            immutable = _take(session, document, found, mark)
        report.progress("look", 3, 4)
        facts = _look(document, report)
        return _result(document, facts, role, created=found is None, marked=True, immutable=immutable)


def _check_administrator(session: Session, document: DatabaseProvision) -> None:
    facts = observe_server(session, maintenance=True)
    check_version(facts.major, document.minimum_major, facts.server_version)
    if facts.read_only:
        raise ServerReadOnly("The server takes no writes.")
    lacks = [word for word, has in (("CREATEDB", facts.createdb), ("CREATEROLE", facts.createrole)) if not has]
    if lacks and not facts.superuser:
        raise RightsMissing(f"The role {session.user} lacks {' and '.join(lacks)} to make roles and databases.")


def _decide_mark(found: Database | None, document: DatabaseProvision) -> DataMark:
    """The comment that the database gets; refuses what is not ours, before anything is changed."""
    fresh = DataMark(document.instance, "current", at=now())
    if found is None or found.mark is None:
        return fenced(fresh, document.fence, document.TASK)
    return fenced(check_ours(found, document.instance, role="current"), document.fence, document.TASK)


def _create(session: Session, document: DatabaseProvision, mark: DataMark) -> bool:
    # By database, not by operation: the next operation finds what an abandoned one left.
    building = beside(document.instance, role="building", operation=document.database)
    ensure_building_absent(session, building, document.instance)
    create_empty(session, building, document.owner)
    write_mark(session, building, DataMark(document.instance, "building", document.fence.operation))
    with open_session(document.connection, task=document.TASK, database=building) as inside:
        immutable = ensure_extensions(inside, building)
        ensure_schema(inside, database=building, owner=document.owner)

    def publish() -> None:
        with session.transaction():
            query = SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(building), Identifier(document.database))
            session.execute(query, doing=f"name the database {document.database}")
            write_mark(session, document.database, mark)

    when_free(session, building, publish, wait_s=30, disconnect=True)
    return immutable


def create_empty(session: Session, name: str, owner: str) -> None:
    """Make an empty database with the locale that Odoo wants; nothing has that name."""
    own = session.value(
        "SELECT datctype FROM pg_database WHERE datname = 'template0'", doing="read the server's locale"
    )
    create_database(session, name, owner=owner, locales=[("C", ctype) for ctype in (*_CTYPES, str(own or "C"))])


def _take(session: Session, document: DatabaseProvision, found: Database, mark: DataMark) -> bool:
    if found.invalid:
        raise DatabaseInUse(
            f"The database {found.name} is what an interrupted DROP DATABASE left.", resolution="Drop it."
        )
    if found.owner != document.owner:
        raise RightsMissing(f"The database {found.name} is owned by {found.owner}, not by {document.owner}.")
    with open_session(document.connection, task=document.TASK, database=found.name) as inside:
        if found.mark is None and not document.adopt and not is_empty(inside):
            raise DatabaseNotEmpty(f"The database {found.name} has content and does not say whose it is.")
        immutable = ensure_extensions(inside, found.name)
        ensure_schema(inside, database=found.name, owner=document.owner)
    write_mark(session, found.name, mark)
    return immutable


def _ensure_existing(document: DatabaseProvision, report: Reporter) -> ProvisionResult:
    """Only the owner's connection: nothing outside the database is needed."""
    report.progress("connect")
    with open_session(document.connection, task=document.TASK, database=document.database) as inside:
        keeper = _lock_elsewhere(document, inside)
        with keeper:
            keeper.lock(lock_key(document.instance), wait_s=document.fence.wait_s)
            report.progress("check", 1, 2)
            check_version(inside.major, document.minimum_major, inside.version)
            if is_read_only(inside):
                raise ServerReadOnly("The server takes no writes.")
            found = observe_one(inside, document.database)
            mark = _decide_mark(found, document)
            if found and found.mark is None and not document.adopt and not is_empty(inside):
                raise DatabaseNotEmpty(f"The database {found.name} has content and does not say whose it is.")
            _check_creates(inside, document)
            immutable = ensure_extensions(inside, document.database)
            owns = bool(
                inside.value(
                    "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()",
                    doing="see who owns the database",
                )
            )
            if owns:
                write_mark(inside, document.database, mark)
            role = RoleDone(created=False, password_set=False)
            facts = _look(document, report)
            return _result(document, facts, role, created=False, marked=owns, immutable=immutable)


def _lock_elsewhere(document: DatabaseProvision, inside: Session) -> Session:
    """The session for the lock: in the maintenance database as every task's, else in the database itself."""
    try:
        return open_session(document.connection, task=document.TASK)
    except NOT_INTO_THIS_DATABASE:
        return inside


def _check_creates(inside: Session, document: DatabaseProvision) -> None:
    may = inside.value(
        "SELECT to_regnamespace('public') IS NOT NULL AND has_schema_privilege('public', 'CREATE')",
        doing="see if tables can be created",
    )
    if not may:
        raise RightsMissing(
            f"The role {document.owner} may not create tables in the database {document.database}.",
            resolution=f"Have an administrator run in it: GRANT USAGE, CREATE ON SCHEMA public TO {document.owner};",
        )


def _look(document: DatabaseProvision, report: Reporter) -> DatabaseFacts:
    owner = document.connection
    if document.mode == "create":
        owner = dataclasses.replace(owner, user=document.owner, password_file=document.owner_password_file)
    return observe_database(DatabaseInspect(owner, document.database, document.series), report)


def _result(
    document: DatabaseProvision, facts: DatabaseFacts, role: RoleDone, *, created: bool, marked: bool, immutable: bool
) -> ProvisionResult:
    return ProvisionResult(
        **{item.name: getattr(facts, item.name) for item in dataclasses.fields(facts)},
        created=created,
        role_created=role.created,
        password_set=role.password_set,
        marked=marked,
        unaccent_immutable=immutable,
        database=document.database,
        owner=document.owner,
    )
