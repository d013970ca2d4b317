# SPDX-License-Identifier: Apache-2.0
"""The task `database-verify-neutral`: what of a copy could still act on the world. Read-only; it fails with all that is alive.

It knows nothing of how the copy was neutralized: it asks the database what is there (`domain.odoo.neutralize_checks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mooring.domain.odoo.neutralize_checks import ALWAYS, CHECKS, Check
from mooring.domain.work.errors import NotInitialized
from mooring.domain.work.neutralize import DatabaseVerifyNeutral, NeutralResult
from mooring.domain.work.neutralize_errors import NotNeutral
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.neutralize.identity import digest, read_remembered
from mooring.engine.neutralize.schema import Table, has, observe_tables
from mooring.engine.parameters import read_parameter
from mooring.engine.report import Reporter
from mooring.engine.server import open_session

_EXAMPLES = 5
_CHARACTERS = 60


def verify_neutral(document: DatabaseVerifyNeutral, report: Reporter) -> NeutralResult:
    """The task.

    Raises:
        NotNeutral: something is alive; names all of it, with examples.
        NotInitialized: tables of every Odoo are missing, so that nothing is proved.
    """
    with (
        open_session(document.connection, task=document.TASK, database=document.database) as session,
        _reading(session),
    ):
        tables = observe_tables(session)
        lacks = [name for name in (*ALWAYS, "ir_module_module") if not has(tables, name)]
        if lacks:
            raise NotInitialized(f"The database {document.database} lacks {', '.join(lacks)}: nothing is proved.")
        alive: list[str] = []
        checked, absent = ["identity", "address", "mail servers"], []
        alive += _identity(session, document)
        alive += _address(session, document)
        alive += _mail_servers(session, document, tables)
        for number, check in enumerate(CHECKS):
            report.progress("look for what is alive", number, len(CHECKS))
            name = f"{check.what} ({check.table})"
            if not has(tables, check.table, *check.needs):
                absent.append(name)
                continue
            checked.append(name)
            alive += _living(session, check, tables)
    if alive:
        more = f" And {len(alive) - 1} more." if len(alive) > 1 else ""
        raise NotNeutral(f"{document.database} is not neutral: {alive[0]}.{more}", details="\n".join(alive))
    return NeutralResult(document.database, tuple(checked), tuple(absent))


@contextmanager
def _reading(session: Session) -> Iterator[None]:
    """One state of the database, which nothing in here can change."""
    with session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", doing="read one state")
        yield


def _identity(session: Session, document: DatabaseVerifyNeutral) -> list[str]:
    faults: list[str] = []
    remembered = read_remembered(session)
    origin = document.origin or (remembered.origin if remembered else None)
    present = read_parameter(session, "database.uuid")
    if not present:
        faults.append("it has no database.uuid, and Odoo would not start")
    elif remembered is None and document.origin is None:
        faults.append("nothing says that database.uuid is not its source's")
    elif digest(present) == origin:
        faults.append("database.uuid is its source's")
    if not read_parameter(session, "database.secret"):
        faults.append("it has no database.secret, and nobody could log in")
    if (read_parameter(session, "database.is_neutralized") or "").lower() not in {"true", "1"}:
        faults.append("the flag database.is_neutralized is not set")
    return faults


def _address(session: Session, document: DatabaseVerifyNeutral) -> list[str]:
    faults: list[str] = []
    if (found := read_parameter(session, "web.base.url")) != document.base_url:
        faults.append(f"web.base.url is {found}, not {document.base_url}")
    if (read_parameter(session, "web.base.url.freeze") or "").lower() in {"", "false", "0"}:
        faults.append("web.base.url is not frozen: the next login of an administrator changes it")
    return faults


def _mail_servers(session: Session, document: DatabaseVerifyNeutral, tables: Mapping[str, Table]) -> list[str]:
    """Active ones may lead to the sink only, one has to, and nothing may point at another one."""
    if not has(tables, "ir_mail_server", "active", "smtp_host", "name"):
        return ["its mail servers cannot be read"]
    rows = session.rows(
        "SELECT id, name, smtp_host FROM public.ir_mail_server WHERE active ORDER BY id", doing="list the mail servers"
    )
    faults = [
        f"outgoing mail server {name!s:.{_CHARACTERS}} leads to {host}"
        for _, name, host in rows
        if host != document.sink_host
    ]
    if not any(host == document.sink_host for _, _, host in rows):
        faults.append(f"no active mail server leads to {document.sink_host}: Odoo would use its configuration's")
    pointing = session.rows(
        "SELECT r.relname, a.attname FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'"
        " AND c.confrelid = 'public.ir_mail_server'::regclass AND cardinality(c.conkey) = 1 ORDER BY 1, 2",
        doing="see what points at mail servers",
    )
    for table, column in pointing:
        query = SQL(
            "SELECT count(*) FROM public.{} t JOIN public.ir_mail_server s ON s.id = t.{} WHERE s.smtp_host <> %s"
        ).format(Identifier(table), Identifier(column))
        count = session.value(query, (document.sink_host,), doing=f"count what {table} sends through")
        if count:
            faults.append(f"{count} row(s) of {table} use an outgoing mail server by {column}")
    return faults


def _living(session: Session, check: Check, tables: Mapping[str, Table]) -> list[str]:
    columns = tables[check.table]
    label = next((name for name in check.names if name in columns), "id")
    # From 16.0 a translated text is JSON: language by language.
    column = SQL("COALESCE(to_jsonb(t.{}) ->> 'en_US', t.{}::text)").format(Identifier(label), Identifier(label))
    query = SQL("SELECT count(*), (array_agg({}))[1:5] FROM public.{} t WHERE {}").format(
        column if label in columns else SQL("ctid::text"), Identifier(check.table), SQL(check.where)
    )
    count, examples = session.rows(query, doing=f"look for {check.what}")[0]
    if not count:
        return []
    named = ", ".join(str(text or "")[:_CHARACTERS] for text in examples[:_EXAMPLES])
    return [f"{check.what}: {count} ({check.table}: {named})"]
