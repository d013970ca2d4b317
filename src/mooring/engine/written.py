# SPDX-License-Identifier: Apache-2.0
"""The task `written-count`: what users wrote since a time, by Odoo's own `write_date`. Read-only; bounded in rows and time.

Rows that were deleted, and tables without `write_date`, are not counted: it is an idea of the amount, no list.
"""

from __future__ import annotations

from datetime import UTC, datetime

from mooring.domain.work.errors import SqlFailed
from mooring.domain.work.written import MOST, USUAL_TABLES, Written, WrittenCount, WrittenRows
from mooring.drivers.postgres import SQL, Identifier
from mooring.engine.report import Reporter
from mooring.engine.server import open_session

_CANCELLED = "57014"  # query_canceled: the time for one table is over


def count_written(document: WrittenCount, report: Reporter) -> Written:
    """The task.

    Raises:
        MooringError: the server or the database cannot be read.
    """
    since = datetime.fromisoformat(document.since).astimezone(UTC).replace(tzinfo=None)
    found: list[WrittenRows] = []
    with open_session(document.connection, task=document.TASK, database=document.database) as session:
        rows = session.rows(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a"
            " ON a.attrelid = c.oid AND a.attname = 'write_date' AND a.atttypid = 'timestamp'::regtype"
            " WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname = ANY(%s)",
            (list(USUAL_TABLES),),
            doing="look for the usual tables",
        )
        there = {str(name) for (name,) in rows}
        session.execute("SET statement_timeout = '10s'", doing="bound the counting")
        for number, table in enumerate(USUAL_TABLES):
            if table not in there:
                continue
            report.progress(table, number, len(USUAL_TABLES))
            query = SQL("SELECT count(*) FROM (SELECT FROM public.{} WHERE write_date >= %s LIMIT %s) AS newer").format(
                Identifier(table)
            )
            try:
                count = int(session.value(query, (since, MOST), doing=f"count what is new in {table}"))
            except SqlFailed as fault:
                if fault.state != _CANCELLED:
                    raise
                found.append(WrittenRows(table, 0, more=True))
                continue
            if count:
                found.append(WrittenRows(table, count, more=count == MOST))
    return Written(tuple(found))
