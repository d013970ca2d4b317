# SPDX-License-Identifier: Apache-2.0
"""The task `database-promote`: a Staging instance's data becomes production's, in one transaction.

Only what says that it is a copy goes: the banner, the mail server that leads to the sink, the flag that Odoo's own modules
ask, and what Mooring remembers of the copy, without which its data is never neutralized again. What was switched off stays
off, and is counted. The address stays, frozen.
"""

from __future__ import annotations

from collections.abc import Mapping

from mooring.domain.odoo.neutralize import IDENTITY, SINK_NAME
from mooring.domain.odoo.neutralize_banner import KEY, NATIVE_KEY, WEBSITE_KEY
from mooring.domain.odoo.neutralize_off import OFF
from mooring.domain.work.errors import DatabaseMissing, NotInitialized
from mooring.domain.work.promote import DatabasePromote, PromoteResult, StaysOff
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.marks import check_ours, fenced, observe_one, write_mark
from mooring.engine.neutralize.lock import locked_instance
from mooring.engine.neutralize.schema import Table, has, observe_tables
from mooring.engine.parameters import read_parameter
from mooring.engine.report import Reporter
from mooring.engine.server import open_session

_COPY_PARAMETERS = (IDENTITY, "database.is_neutralized")


def ensure_promoted(document: DatabasePromote, report: Reporter) -> PromoteResult:
    """The task.

    Raises:
        NotInitialized: there is no Odoo in it.
        DatabaseMissing, DatabaseForeign, StaleAttempt: see their texts.
    """
    with (
        open_session(document.connection, task=document.TASK, database=document.database) as session,
        locked_instance(
            session,
            document.connection,
            database=document.database,
            instance=document.instance,
            fence=document.fence,
            task=document.TASK,
        ),
    ):
        report.progress("read the database")
        database = observe_one(session, document.database)
        if database is None:
            raise DatabaseMissing(f"The database {document.database} does not exist.")
        mark = fenced(check_ours(database, document.instance, role="current"), document.fence, document.TASK)
        with session.transaction():
            tables = observe_tables(session)
            if not all(has(tables, name) for name in ("ir_config_parameter", "ir_mail_server", "ir_cron")):
                raise NotInitialized(f"The database {document.database} holds no Odoo.")
            banner = _remove_banner(session, tables)
            session.execute(
                "UPDATE public.ir_mail_server SET active = false WHERE name = %s", (SINK_NAME,), doing="close the sink"
            )
            session.execute(
                "DELETE FROM public.ir_config_parameter WHERE key = ANY (%s)",
                (list(_COPY_PARAMETERS),),
                doing="forget that it is a copy",
            )
            off = _count(session, tables)
            url = read_parameter(session, "web.base.url")
            if database.owner == session.user:
                write_mark(session, document.database, mark)
    return PromoteResult(document.database, banner, off, url)


def _remove_banner(session: Session, tables: Mapping[str, Table]) -> bool:
    """Ours goes, Odoo's own are hidden, as they are in a database that was never neutralized."""
    if not has(tables, "ir_ui_view", "key", "active"):
        return False
    ours = session.execute("DELETE FROM public.ir_ui_view WHERE key = %s", (KEY,), doing="remove the banner")
    odoos = session.execute(
        "UPDATE public.ir_ui_view SET active = false WHERE key = ANY (%s) AND active",
        ([NATIVE_KEY, WEBSITE_KEY],),
        doing="hide Odoo's banner",
    )
    return bool(ours or odoos)


def _count(session: Session, tables: Mapping[str, Table]) -> tuple[StaysOff, ...]:
    found: list[StaysOff] = []
    for one in OFF:
        if not has(tables, one.table, *one.needs):
            continue
        query = SQL("SELECT count(*) FROM public.{} WHERE {}").format(Identifier(one.table), SQL(one.where))
        rows = int(session.value(query, doing=f"count {one.what}") or 0)
        if rows:
            found.append(StaysOff(one.what, one.table, rows))
    return tuple(found)
