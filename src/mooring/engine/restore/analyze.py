# SPDX-License-Identifier: Apache-2.0
"""Gives a database that was just filled its planner's statistics, within a bounded time, before anybody works on it.

A restored database has none until autovacuum comes by: the first queries of users would run for minutes. The largest tables
come first; what the time does not suffice for is left to autovacuum. Called by the tasks that build a database.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mooring.domain.work.common import Connection
from mooring.domain.work.errors import DatabaseInUse, SqlFailed
from mooring.drivers.postgres import SQL, Identifier, Literal, Session
from mooring.engine.report import Reporter
from mooring.engine.server import open_session

BUDGET_S = 180.0
"""At most so long: statistics are worth a wait, and a restore has people waiting."""
_CANCELED = "57014"  # https://www.postgresql.org/docs/17/errcodes-appendix.html: query_canceled, by statement_timeout


@dataclass(frozen=True)
class Analyzed:
    """How far it came: tables with statistics, those that were left to autovacuum, and milliseconds."""

    tables: int
    left: int
    duration_ms: int


def ensure_analyzed(
    connection: Connection, database: str, *, task: str, jobs: int, report: Reporter, budget_s: float = BUDGET_S
) -> Analyzed:
    """`ANALYZE` of every table that the role owns. Safe to repeat.

    Args:
        connection: the owner's.
        jobs: sessions side by side.
        budget_s: seconds after which what is not begun is left, and what runs is ended.

    Raises:
        MooringError: the server cannot be used.
    """
    begun = time.monotonic()
    until = begun + budget_s
    with open_session(connection, task=task, database=database) as session:
        tables = deque(_tables(session))
    total, done = len(tables), 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal done
        with open_session(connection, task=task, database=database) as session:
            while (left_s := until - time.monotonic()) > 0:
                with lock:
                    if not tables:
                        return
                    schema, name = tables.popleft()
                if _analyze(session, schema, name, left_s):
                    with lock:
                        done += 1
                        report.progress("analyze", done, total)

    with ThreadPoolExecutor(max_workers=max(1, jobs), thread_name_prefix="analyze") as pool:
        for one in [pool.submit(work) for _ in range(max(1, jobs))]:
            one.result()
    return Analyzed(done, total - done, int((time.monotonic() - begun) * 1000))


def _tables(session: Session) -> list[tuple[str, str]]:
    """Own tables with rows, the largest first."""
    rows = session.rows(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p'"
        " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        " AND pg_has_role(c.relowner, 'USAGE') AND pg_relation_size(c.oid) > 0 ORDER BY pg_relation_size(c.oid) DESC",
        doing="list the tables",
    )
    return [(str(schema), str(name)) for schema, name in rows]


def _analyze(session: Session, schema: str, name: str, left_s: float) -> bool:
    limit = SQL("SET statement_timeout = {}").format(Literal(max(1, int(left_s * 1000))))
    session.execute(limit, doing="bound the statement")
    try:
        session.execute(SQL("ANALYZE {}").format(Identifier(schema, name)), doing=f"analyze {name}")
    except SqlFailed as fault:
        if fault.state != _CANCELED:
            raise
        return False
    except DatabaseInUse:
        # Autovacuum is at that very table: it has its statistics from there.
        return True
    return True
