# SPDX-License-Identifier: Apache-2.0
"""The tasks `outgoing-count` and `outgoing-cancel`: what waits to be sent or done, and to cancel what is older than a time.

For production's data after it went back in time: what waited then may have been sent meanwhile, and would go out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mooring.domain.odoo.outgoing import CANCELLABLE, QUEUES, Queue
from mooring.domain.work.errors import DatabaseMissing, NotInitialized
from mooring.domain.work.names import lock_key
from mooring.domain.work.neutralize import (
    Cancelled,
    CancelResult,
    OutgoingCancel,
    OutgoingCount,
    OutgoingResult,
    Waiting,
)
from mooring.domain.work.neutralize_errors import NothingToCancel
from mooring.drivers.postgres import SQL, Identifier, Query, Session
from mooring.engine.marks import check_ours, fenced, observe_one, write_mark
from mooring.engine.neutralize.schema import Table, has, observe_tables
from mooring.engine.neutralize.scripts import use_public
from mooring.engine.report import Reporter
from mooring.engine.server import NOT_INTO_THIS_DATABASE, open_session

# Odoo writes times without a zone, in UTC; a date counts from its beginning.
_SINCE = "(t.{}::timestamp)"
# What does not say since when it waits was not made by Odoo in between.
_OLDER = "({} IS NULL OR {} < (%s::timestamptz AT TIME ZONE 'UTC'))"


def observe_outgoing(document: OutgoingCount, report: Reporter) -> OutgoingResult:
    """The task `outgoing-count`.

    Raises:
        NotInitialized: there is no Odoo in the database.
    """
    with open_session(document.connection, task=document.TASK, database=document.database) as session:
        report.progress("count")
        tables = _tables(session, document.database)
        found: dict[str, Waiting] = {}
        for queue in QUEUES:
            if _fits(queue, tables):
                one = _count(session, queue, document.older_than)
                found[queue.kind] = _sum(found[queue.kind], one) if queue.kind in found else one
    return OutgoingResult(document.database, tuple(found.values()))


def ensure_cancelled(document: OutgoingCancel, report: Reporter) -> CancelResult:
    """The task `outgoing-cancel`. One transaction.

    Raises:
        NothingToCancel: a kind is named that cannot be cancelled.
        NotInitialized: there is no Odoo in the database.
        DatabaseForeign, StaleAttempt: see their texts.
    """
    wrong = sorted(set(document.kinds) - CANCELLABLE)
    if wrong:
        raise NothingToCancel(f"{', '.join(wrong)} cannot be cancelled; {', '.join(sorted(CANCELLABLE))} can.")
    kinds = document.kinds or CANCELLABLE
    counts: dict[str, int] = {}
    with open_session(document.connection, task=document.TASK, database=document.database) as session:
        try:
            own = document.connection.maintenance_database == document.database
            keeper = session if own else open_session(document.connection, task=document.TASK)
        except NOT_INTO_THIS_DATABASE:
            keeper = session
        with keeper:
            keeper.lock(lock_key(document.instance), wait_s=document.fence.wait_s)
            database = observe_one(session, document.database)
            if database is None:
                raise DatabaseMissing(f"The database {document.database} does not exist.")
            mark = fenced(check_ours(database, document.instance, role="current"), document.fence, document.TASK)
            with session.transaction():
                tables = _tables(session, document.database)
                use_public(session)
                for queue in QUEUES:
                    if queue.kind not in kinds or queue.cancel is None or not _fits(queue, tables):
                        continue
                    report.progress(f"cancel {queue.kind}")
                    query = _render_cancel(queue, queue.cancel, tables)
                    rows = session.execute(query, (document.older_than,), doing=f"cancel {queue.kind}")
                    counts[queue.kind] = counts.get(queue.kind, 0) + rows
                if database.owner == session.user:
                    write_mark(session, document.database, mark)
    return CancelResult(document.database, tuple(Cancelled(kind, rows) for kind, rows in counts.items() if rows))


def _tables(session: Session, database: str) -> Mapping[str, Table]:
    tables = observe_tables(session)
    if not has(tables, "ir_module_module") or not has(tables, "ir_cron"):
        raise NotInitialized(f"The database {database} holds no Odoo.")
    return tables


def _fits(queue: Queue, tables: Mapping[str, Table]) -> bool:
    return has(tables, queue.table, *queue.needs, queue.since)


def _count(session: Session, queue: Queue, older_than: str | None) -> Waiting:
    since = SQL(_SINCE).format(Identifier(queue.since))
    older = SQL(_OLDER).format(since, since) if older_than else SQL("true")
    query = SQL("SELECT count(*), count(*) FILTER (WHERE {}), min({}) FROM public.{} t WHERE {}").format(
        older, since, Identifier(queue.table), SQL(queue.where)
    )
    total, old, oldest = session.rows(query, (older_than,) if older_than else (), doing=f"count {queue.kind}")[0]
    return Waiting(queue.kind, int(total), int(old), _text(oldest), queue.cancel is not None)


def _render_cancel(queue: Queue, sets: tuple[tuple[str, str], ...], tables: Mapping[str, Table]) -> Query:
    since = SQL(_SINCE).format(Identifier(queue.since))
    where = SQL("({}) AND " + _OLDER).format(SQL(queue.where), since, since)
    table = Identifier(queue.table)
    there = [(name, value) for name, value in sets if name in tables[queue.table]]
    if not there:
        return SQL("DELETE FROM public.{} t WHERE {}").format(table, where)
    assigned = SQL(", ").join(SQL("{} = {}").format(Identifier(name), SQL(value)) for name, value in there)
    return SQL("UPDATE public.{} t SET {} WHERE {}").format(table, assigned, where)


def _sum(one: Waiting, other: Waiting) -> Waiting:
    times = sorted(time for time in (one.oldest, other.oldest) if time)
    return Waiting(
        one.kind,
        one.total + other.total,
        one.older + other.older,
        times[0] if times else None,
        one.cancellable or other.cancellable,
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.replace(microsecond=0).isoformat()}+00:00"
