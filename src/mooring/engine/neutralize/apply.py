# SPDX-License-Identifier: Apache-2.0
"""The task `database-neutralize`: a copy that cannot act on the world, in one transaction, before anybody uses it.

Order: what the release itself prints, Mooring's own rules, the copy's identity and address, the manifest's SQL. A kill or a
refusal anywhere leaves the copy as it was. What it proves of itself is `database-verify-neutral`'s to say.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping

from mooring.domain.odoo.facts import facts_for
from mooring.domain.work.errors import DatabaseInUse, DatabaseMissing, NotInitialized
from mooring.domain.work.mark import DataMark
from mooring.domain.work.neutralize import Change, DatabaseNeutralize, NeutralizeResult, unpack_code
from mooring.domain.work.neutralize_errors import ModulesWithoutCode, NeverNeutralized, ReleaseUnread
from mooring.drivers.postgres import Session
from mooring.engine.databases import list_sessions
from mooring.engine.marks import check_ours, fenced, observe_one, write_mark
from mooring.engine.neutralize.identity import (
    ensure_address,
    ensure_banner,
    ensure_identity,
    ensure_sink,
    read_remembered,
)
from mooring.engine.neutralize.lock import locked_instance
from mooring.engine.neutralize.rules import ensure_blank, ensure_parameters, ensure_rules, ensure_unreferenced
from mooring.engine.neutralize.schema import Table, has, observe_tables
from mooring.engine.neutralize.scripts import run_script, use_public
from mooring.engine.report import Reporter
from mooring.engine.server import open_session

_NEEDED = ("ir_module_module", "ir_config_parameter", "ir_cron", "ir_mail_server", "ir_model_data", "res_users")
# The states in which Odoo's own neutralization reads a module's SQL (odoo/modules/neutralize.py, 16.0).
_THERE = ("installed", "to upgrade", "to remove")


def ensure_neutralized(document: DatabaseNeutralize, report: Reporter) -> NeutralizeResult:
    """The task.

    Raises:
        ReleaseUnread: what the release says cannot be read, or it is of another series than the database.
        ModulesWithoutCode: modules are installed that the release does not hold.
        NeverNeutralized: this is the instance's present data, and was never a copy.
        NeutralizeFailed: a statement of the release or of the manifest was refused.
        DatabaseInUse: somebody is connected to the copy.
        NotInitialized: there is no Odoo in it.
        DatabaseForeign, StaleAttempt: see their texts.
    """
    begun = time.monotonic()
    names, sql = unpack_code(document.release)
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
        mark = _check_mark(session, document)
        users = list_sessions(session, document.database)
        if users:
            raise DatabaseInUse(
                f"The database {document.database} is in use by {len(users)} session(s).", details="\n".join(users[:20])
            )
        with session.transaction():
            tables = observe_tables(session)
            if not all(has(tables, name) for name in _NEEDED):
                raise NotInitialized(f"The database {document.database} holds no Odoo.")
            if document.role == "current" and not document.first:
                _check_copy(session, document)
            there = _check_modules(session, tables, document, names)
            result = _apply(session, tables, document, [name for name in there if name in sql], sql, report)
            if mark is not None:
                write_mark(session, document.database, mark)
    return dataclasses.replace(result, duration_ms=int((time.monotonic() - begun) * 1000))


def _check_mark(session: Session, document: DatabaseNeutralize) -> DataMark | None:
    """The mark to write in the end; None where the role may not write it, since it does not own the database."""
    database = observe_one(session, document.database)
    if database is None:
        raise DatabaseMissing(f"The database {document.database} does not exist.")
    name = f"{document.TASK}-again" if document.again else document.TASK
    mark = fenced(check_ours(database, document.instance, role=document.role), document.fence, name)
    return mark if database.owner == session.user else None


def _check_copy(session: Session, document: DatabaseNeutralize) -> None:
    remembered = read_remembered(session)
    if remembered is None or remembered.instance != document.instance:
        raise NeverNeutralized(f"The database {document.database} was never neutralized for this instance.")


def _check_modules(
    session: Session, tables: Mapping[str, Table], document: DatabaseNeutralize, names: frozenset[str]
) -> list[str]:
    """Modules that are there, `base` first; all of them have to be in the release."""
    facts = facts_for(document.release.series)
    version = session.value(
        "SELECT latest_version FROM public.ir_module_module WHERE name = 'base'", doing="read Odoo's version"
    )
    if not version:
        raise NotInitialized(f"The database {document.database} holds no Odoo.")
    if not str(version).startswith(f"{facts.series}."):
        raise ReleaseUnread(
            f"The release is Odoo {facts.series}, and the database's `base` is of version {version}.",
            resolution="Neutralize the copy with a release of its own series.",
        )
    if facts.has_neutralize and not document.release.native:
        raise ReleaseUnread(f"The release says it is Odoo {facts.series}, and does not have its neutralization.")
    # What people imported through the web client has rows and no code (base_import_module, Studio).
    imported = has(tables, "ir_module_module", "imported")
    rows = session.rows(
        "SELECT m.name, COALESCE(to_jsonb(m) ->> 'imported' = 'true', false) FROM public.ir_module_module m"
        " WHERE m.state = ANY (%s) ORDER BY m.name <> 'base', m.name",
        (list(_THERE),),
        doing="list the modules",
    )
    missing = [name for name, by_hand in rows if name not in names and not (imported and by_hand)]
    if missing:
        raise ModulesWithoutCode(
            f"{len(missing)} module(s) of {document.database} are not in the release: {', '.join(missing[:10])}.",
            details="\n".join(missing),
        )
    return [name for name, _ in rows]


def _apply(
    session: Session,
    tables: Mapping[str, Table],
    document: DatabaseNeutralize,
    native: list[str],
    sql: Mapping[str, str],
    report: Reporter,
) -> NeutralizeResult:
    use_public(session)
    total = len(native) + len(document.statements) + 1
    changes: list[Change] = []
    for number, name in enumerate(native):
        report.progress(f"neutralize {name}", number, total)
        run_script(session, sql[name], whose=f"module {name}")
        changes.append(Change(f"module {name}", "", 0))
    report.progress("keep quiet", len(native), total)
    changes += ensure_unreferenced(session, tables, "ir_mail_server", "references to mail servers")
    changes += ensure_rules(session, tables)
    changes += ensure_parameters(session, tables)
    blanked, kept = ensure_blank(session, tables)
    fresh, origin = ensure_identity(session, document)
    banner = ensure_banner(session, tables)
    for number, text in enumerate(document.statements):
        report.progress("the manifest's SQL", len(native) + 1 + number, total)
        run_script(session, text, whose=f"neutralize.sql[{number}]")
    # Last, so that no statement before leaves mail a way out or the copy without its address.
    ensure_address(session, document)
    ensure_sink(session, tables, document)
    return NeutralizeResult(
        database=document.database,
        changes=tuple(changes),
        scripts=tuple(native),
        statements=len(document.statements),
        blanked=tuple(blanked),
        kept=tuple(kept),
        fresh=fresh,
        origin=origin,
        banner=banner,
        duration_ms=0,
    )
