# SPDX-License-Identifier: Apache-2.0
"""Read and write the comments that say whose database is what, and keep late attempts out. Called by data tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.errors import DatabaseForeign
from mooring.domain.work.mark import DataMark, decide_fence, parse_mark, render_mark
from mooring.domain.work.names import lock_key
from mooring.drivers.postgres import SQL, Identifier, Literal, Session
from mooring.engine.report import Reporter
from mooring.engine.server import open_session

_READ = (
    "SELECT datname, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), datallowconn, datconnlimit = -2"
    " FROM pg_database"
)


@dataclass(frozen=True)
class Database:
    """One database of the server.

    Attributes:
        mark: our comment; None where there is none.
        open: whether connections are accepted.
        invalid: what an interrupted DROP left; good for nothing but dropping.
    """

    name: str
    owner: str
    mark: DataMark | None
    open: bool
    invalid: bool


def observe_all(session: Session, instance: str) -> tuple[Database, ...]:
    """The databases that carry this instance's id, by name."""
    return tuple(item for item in observe_marked(session) if item.mark and item.mark.instance == instance)


def observe_marked(session: Session) -> tuple[Database, ...]:
    """The databases that carry a comment of ours, whoever's, by name."""
    rows = session.rows(SQL(_READ + " ORDER BY datname"), doing="list the databases")
    found = (Database(row[0], row[1], parse_mark(row[2]), row[3], row[4]) for row in rows)
    return tuple(item for item in found if item.mark)


def observe_one(session: Session, name: str) -> Database | None:
    """The database of this name, whoever's."""
    rows = session.rows(SQL(_READ + " WHERE datname = %s"), (name,), doing=f"look for the database {name}")
    return next((Database(row[0], row[1], parse_mark(row[2]), row[3], row[4]) for row in rows), None)


def check_ours(database: Database, instance: str, *, role: str) -> DataMark:
    """The mark of a database that has to be ours, in this role.

    Raises:
        DatabaseForeign: it has none, or another instance's, or is something else of ours.
    """
    mark = database.mark
    if mark is None:
        raise DatabaseForeign(f"The database {database.name} does not say whose it is; it is left alone.")
    if mark.instance != instance:
        raise DatabaseForeign(f"The database {database.name} belongs to instance {mark.instance}, not to {instance}.")
    if mark.role != role:
        raise DatabaseForeign(f"The database {database.name} is this instance's {mark.role} copy, not its {role} one.")
    return mark


def write_mark(session: Session, name: str, mark: DataMark) -> None:
    """Put the comment on the database; inside a transaction it comes with everything else in it."""
    query = SQL("COMMENT ON DATABASE {} IS {}").format(Identifier(name), Literal(render_mark(mark)))
    session.execute(query, doing=f"write what the database {name} is")


def fenced(mark: DataMark, fence: Fence, task: str) -> DataMark:
    """`mark` with this attempt in it.

    Raises:
        StaleAttempt: a later attempt has been here.
    """
    operation, steps = decide_fence(mark, fence, task)
    return replace(mark, operation=operation, steps=steps)


def observe_current(
    session: Session, database: str, *, instance: str, fence: Fence, task: str
) -> tuple[Database | None, DataMark]:
    """What has the instance's name now, and its mark with this attempt in it; None and a fresh mark for nothing.

    It accepts connections after this: a task that was killed in a swap may have left it closed.

    Args:
        session: holds the instance's lock.

    Raises:
        DatabaseForeign, StaleAttempt: see `check_ours` and `fenced`.
    """
    current = observe_one(session, database)
    if current is None:
        return None, fenced(DataMark(instance, "current"), fence, task)
    mark = fenced(check_ours(current, instance, role="current"), fence, task)
    if not current.open:
        accept_connections(session, database, accept=True)
        current = replace(current, open=True)
    return current, mark


def accept_connections(session: Session, name: str, *, accept: bool) -> None:
    """Let new sessions into the database, or refuse them; those that are there stay."""
    words = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    query = words.format(Identifier(name), SQL("true" if accept else "false"))
    session.execute(query, doing=f"{'accept' if accept else 'refuse'} connections to {name}")


def now() -> str:
    """The time for a mark: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


@contextmanager
def locked_server(
    connection: Connection, report: Reporter, *, instance: str, fence: Fence, task: str
) -> Iterator[Session]:
    """A session in the maintenance database that holds the instance's lock as long as the body runs.

    Work on whole databases is done in this very session: if the task is killed while the server still copies, the lock
    stays taken until the copy ended, and the next attempt waits for it.

    Raises:
        LockHeld: another task kept it for `fence.wait_s`.
    """
    report.progress("connect")
    with open_session(connection, task=task) as session:
        report.progress("lock")
        session.lock(lock_key(instance), wait_s=fence.wait_s)
        yield session
