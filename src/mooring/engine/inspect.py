# SPDX-License-Identifier: Apache-2.0
"""The tasks `database-inspect` and `database-verify`: what is in a database. Read-only, without a lock."""

from __future__ import annotations

import dataclasses
import re

from mooring.domain.work.backup_errors import SnapshotNewer
from mooring.domain.work.database import DatabaseInspect, DatabaseVerify
from mooring.domain.work.errors import DatabaseMissing, VerificationFailed
from mooring.domain.work.results import DatabaseFacts, ModuleFact
from mooring.domain.work.verification import check_data, decide_faults, decide_older
from mooring.drivers.postgres import Session
from mooring.engine.marks import observe_one
from mooring.engine.prepare import is_empty
from mooring.engine.report import Reporter
from mooring.engine.server import open_session

_UNTOUCHED = ("uninstalled", "uninstallable")
_SERIES = re.compile(r"(?:saas[~-])?\d+\.\d+")


def observe_database(document: DatabaseInspect, report: Reporter) -> DatabaseFacts:
    """The task `database-inspect`.

    Raises:
        DatabaseMissing, NotInitialized: the data that the document needs is not there.
        VerificationFailed: Odoo's tables are of another series than the document names.
        MooringError: the server or the database cannot be read.
    """
    facts = _observe(document, report)
    if document.needs_data:
        check_data(facts, document.database)
    if document.series is not None and facts.initialized and facts.series != document.series:
        raise VerificationFailed(
            f"{document.database} is of Odoo {facts.series}, and the release is Odoo {document.series}.",
            resolution="Use a release of the database's series; `-u` cannot move it to another one.",
        )
    kept = {name: fact for name, fact in facts.modules.items() if fact.state not in _UNTOUCHED}
    return dataclasses.replace(facts, modules=kept)


def verify_database(document: DatabaseVerify, report: Reporter) -> DatabaseFacts:
    """The task `database-verify`.

    Raises:
        VerificationFailed: with every fault.
        SnapshotNewer: a module is at an older version than it has to be.
    """
    inspect = DatabaseInspect(document.connection, document.database)
    facts = _observe(inspect, report)
    faults = decide_faults(facts, expect={"base", *document.expect}, series=document.series)
    if faults:
        more = f" And {len(faults) - 1} more." if len(faults) > 1 else ""
        raise VerificationFailed(f"{document.database}: {faults[0]}{more}", details="\n".join(faults))
    older = decide_older(facts, document.not_below)
    if older:
        raise SnapshotNewer(f"The data is of a newer release than this one. {older[0]}", details="\n".join(older[:20]))
    kept = {name: fact for name, fact in facts.modules.items() if fact.state not in _UNTOUCHED}
    return dataclasses.replace(facts, modules=kept)


def is_table(session: Session, name: str) -> bool:
    """Whether `public.NAME` is a plain table. A view of that name could run its owner's code with our rights."""
    return bool(
        session.value(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relname = %s AND c.relkind = 'r')",
            (name,),
            doing=f"look for the table {name}",
        )
    )


def _observe(document: DatabaseInspect, report: Reporter) -> DatabaseFacts:
    report.progress("connect")
    try:
        session = open_session(document.connection, task=document.TASK, database=document.database)
    except DatabaseMissing:
        return DatabaseFacts(exists=False)
    with session:
        report.progress("read")
        found = observe_one(session, document.database)
        modules = _modules(session)
        base = modules.get("base")
        initialized = base is not None and bool(base.version) and base.state in ("installed", "to upgrade")
        series = _SERIES.match(base.version) if base and initialized else None
        size, most, connections = session.rows(
            "SELECT pg_database_size(current_database()), current_setting('max_connections')::int,"
            " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend')",
            doing="measure the database",
        )[0]
        return DatabaseFacts(
            exists=True,
            mark=found.mark.fact() if found and found.mark else None,
            empty=is_empty(session),
            initialized=initialized,
            series=series[0] if series else None,
            modules=modules,
            pending_modules=tuple(sorted(name for name, fact in modules.items() if fact.state.startswith("to "))),
            size_bytes=size,
            connections=connections,
            max_connections=most,
            server_version=session.version,
        )


def _modules(session: Session) -> dict[str, ModuleFact]:
    if not is_table(session, "ir_module_module"):
        return {}
    # A tenant's own type could bring a cast, which is code that would run with this session's rights.
    odd = session.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'public.ir_module_module'::regclass AND NOT attisdropped"
        " AND attname IN ('name', 'state', 'latest_version') AND atttypid NOT IN ('text'::regtype, 'varchar'::regtype)",
        doing="look at the columns of the modules",
    )
    if odd:
        raise VerificationFailed(
            f"ir_module_module is not Odoo's: its column {odd[0][0]} is no text.",
            resolution="Look at who changed the table; nothing was read from it.",
        )
    rows = session.rows(
        "SELECT name::text, COALESCE(state::text, ''), COALESCE(latest_version::text, '')"
        " FROM public.ir_module_module ORDER BY name",
        doing="read the modules",
    )
    return {name: ModuleFact(state, version) for name, state, version in rows}
