# SPDX-License-Identifier: Apache-2.0
"""Open sessions for tasks, and find out what a server is. Changes nothing."""

from __future__ import annotations

from mooring.api.postgres_majors import NEWEST_MAJOR
from mooring.domain.work.backup_errors import ClientMissing
from mooring.domain.work.common import Connection
from mooring.domain.work.database import ServerCheck
from mooring.domain.work.errors import DatabaseMissing, RightsMissing, ServerReadOnly, ServerRefused, ServerTooOld
from mooring.domain.work.results import ServerFacts
from mooring.drivers.postgres import Session, connect
from mooring.engine.report import Reporter
from mooring.engine.secret_files import load_password

NOT_INTO_THIS_DATABASE = (DatabaseMissing, RightsMissing, ServerRefused)


def open_session(connection: Connection, *, task: str, database: str | None = None) -> Session:
    """A session in `database`, else in the maintenance database.

    Raises:
        MooringError: see `mooring.drivers.postgres.connect` and `load_password`.
    """
    return connect(
        connection,
        database=database or connection.maintenance_database,
        task=task,
        password=load_password(connection),
    )


def check_server(document: ServerCheck, report: Reporter) -> ServerFacts:
    """The task `server-check`.

    Raises:
        MooringError: the server cannot be used; the class says why.
    """
    report.progress("connect")
    maintenance = True
    try:
        session = open_session(document.connection, task=document.TASK)
    except NOT_INTO_THIS_DATABASE:
        if document.database is None:
            raise
        maintenance = False
        session = open_session(document.connection, task=document.TASK, database=document.database)
    with session:
        facts = observe_server(session, maintenance=maintenance)
    check_version(facts.major, document.minimum_major, facts.server_version)
    if document.writable and facts.read_only:
        raise ServerReadOnly(f"PostgreSQL at {document.connection.host}:{document.connection.port} takes no writes.")
    return facts


def observe_server(session: Session, *, maintenance: bool) -> ServerFacts:
    """What the server says of itself and of this role."""
    rights = session.rows(
        "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user",
        doing="read the role's rights",
    )[0]
    return ServerFacts(
        server_version=session.version,
        major=session.major,
        read_only=is_read_only(session),
        max_connections=int(session.value("SELECT current_setting('max_connections')", doing="read a setting")),
        superuser=rights[0],
        createdb=rights[1],
        createrole=rights[2],
        maintenance=maintenance,
        tls=session.tls,
    )


def is_read_only(session: Session) -> bool:
    """Whether the server is a standby or this role's transactions are read-only."""
    return bool(
        session.value(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool",
            doing="see if it takes writes",
        )
    )


def check_version(major: int, minimum: int, version: str) -> None:
    """Refuse a server below what is needed, and one that could never be backed up.

    Raises:
        ServerTooOld: it is.
        ClientMissing: it is newer than PostgreSQL's clients in the engine image.
    """
    if major > NEWEST_MAJOR:
        raise ClientMissing(
            f"The server is PostgreSQL {version}; Mooring's clients are of PostgreSQL {NEWEST_MAJOR}, "
            "and an older client cannot back up a newer server.",
            resolution=f"Use a server of PostgreSQL {NEWEST_MAJOR} or older.",
        )
    if major < minimum:
        raise ServerTooOld(f"The server is PostgreSQL {version}; this needs {minimum} or newer.")
