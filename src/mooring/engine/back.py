# SPDX-License-Identifier: Apache-2.0
"""The task `database-return`: the safety copy of an operation becomes current again.

Both renames and both comments are one transaction, so after a kill at any point the comments say whether it happened:
`returned` on the current database names the operation whose copy it was. Only after it is the other one dropped.
"""

from __future__ import annotations

from mooring.domain.work.copies import DatabaseReturn
from mooring.domain.work.errors import DatabaseInUse, SafetyCopyMissing
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside
from mooring.domain.work.results import ReturnResult
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.databases import ensure_absent, ensure_disconnected, when_free
from mooring.engine.marks import (
    Database,
    accept_connections,
    check_ours,
    locked_server,
    now,
    observe_current,
    observe_one,
    write_mark,
)
from mooring.engine.report import Reporter


def ensure_returned(document: DatabaseReturn, report: Reporter) -> ReturnResult:
    """The task. Safe to repeat.

    Raises:
        SafetyCopyMissing: there is no whole copy of this operation and it was not returned before.
        DatabaseForeign, StaleAttempt: nothing was changed.
        DatabaseInUse: the sessions could not be ended.
    """
    operation = document.fence.operation
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        current, mark = observe_current(
            session, document.database, instance=document.instance, fence=document.fence, task=document.TASK
        )
        safety = observe_one(session, beside(document.instance, role="safety", operation=operation))
        previous = beside(document.instance, role="previous", operation=operation)
        if safety is not None:
            check_ours(safety, document.instance, role="safety")
            report.progress("swap", 0, 2)
            _ensure_previous_absent(session, document, previous)
            back = DataMark(document.instance, "current", mark.operation, mark.steps, at=now(), returned=operation)
            swap_in(
                session,
                current,
                safety.name,
                database=document.database,
                previous=previous,
                mark=back,
                wait_s=document.fence.wait_s,
            )
        elif mark.returned != operation:
            raise SafetyCopyMissing(f"There is no safety copy of {document.database} of operation {operation}.")
        report.progress("clean", 1, 2)
        kept: str | None = None
        if document.keep:
            kept = previous if observe_one(session, previous) else None
        else:
            _ensure_previous_absent(session, document, previous)
        return ReturnResult(database=document.database, returned=safety is not None, previous=kept)


def _ensure_previous_absent(session: Session, document: DatabaseReturn, previous: str) -> None:
    left = observe_one(session, previous)
    if left is not None:
        check_ours(left, document.instance, role="previous")
        ensure_absent(session, previous)


def swap_in(
    session: Session,
    current: Database | None,
    incoming: str,
    *,
    database: str,
    previous: str,
    mark: DataMark,
    wait_s: float,
    role: str = "previous",
    of: str | None = None,
) -> None:
    """Give another database the instance's name; both names and both comments change in one transaction.

    Args:
        session: holds the instance's lock.
        current: what has the name now; None for nothing.
        incoming: what gets it; nobody needs it.
        database: the name.
        previous: the name that `current` gets; nothing has it.
        mark: the comment of what has the name then.
        wait_s: seconds to go on ending the sessions that are in the way.
        role: the role that `current` gets.
        of: the operation that it is of then; None is `mark`'s.

    Raises:
        DatabaseInUse: they could not be ended; nothing was changed.
    """

    def rename(old: str, new: str) -> None:
        query = SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(old), Identifier(new))
        session.execute(query, doing=f"rename {old} to {new}")

    def swap() -> None:
        ensure_disconnected(session, incoming)
        with session.transaction():
            if current is not None:
                rename(current.name, previous)
                write_mark(session, previous, DataMark(mark.instance, role, of or mark.operation, at=mark.at))
                accept_connections(session, previous, accept=False)
            rename(incoming, database)
            write_mark(session, database, mark)
            accept_connections(session, database, accept=True)

    if current is None:
        when_free(session, incoming, swap, wait_s=wait_s, disconnect=True)
        return
    accept_connections(session, current.name, accept=False)
    try:
        when_free(session, current.name, swap, wait_s=wait_s, disconnect=True)
    except DatabaseInUse:
        accept_connections(session, database, accept=True)
        raise
