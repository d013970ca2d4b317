# SPDX-License-Identifier: Apache-2.0
"""The tasks `modules-read` and `modules-store`: what a database remembers of its modules' files.

The parameter and the lock are click-odoo-update's: while it works on the database, both wait for it, and it for them. Both run
as the owner role, which is the tenant's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mooring.domain.work.errors import LockHeld, NotInitialized
from mooring.domain.work.module_errors import ModulesLocked
from mooring.domain.work.modules import (
    CHECKSUMS_PARAMETER,
    DEFAULT_PATTERNS,
    PATTERNS_PARAMETER,
    InstalledModules,
    ModulesRead,
    ModulesStore,
    StoredChecksums,
    checksums_lock_key,
)
from mooring.domain.work.names import lock_key
from mooring.drivers.postgres import Session
from mooring.engine.inspect import is_table
from mooring.engine.marks import check_ours, fenced, observe_one, write_mark
from mooring.engine.parameters import ensure_parameter, read_parameter
from mooring.engine.report import Reporter
from mooring.engine.server import NOT_INTO_THIS_DATABASE, open_session

_TABLES = ("ir_module_module", "ir_config_parameter", "res_lang")


def read_modules(document: ModulesRead, report: Reporter) -> InstalledModules:
    """The task `modules-read`.

    Raises:
        NotInitialized: the database holds no Odoo.
        ModulesLocked: another tool is updating it.
        MooringError: the server or the database cannot be read.
    """
    report.progress("connect")
    with open_session(document.connection, task=document.TASK, database=document.database) as session:
        _check(session, document.database)
        report.progress("lock")
        _lock(session, document.database, wait_s=document.wait_s)
        report.progress("read")
        patterns = read_parameter(session, PATTERNS_PARAMETER)
        return InstalledModules(
            modules=_names(session, "installed", "to upgrade"),
            languages=tuple(
                str(code)
                for (code,) in session.rows(
                    "SELECT code::text FROM public.res_lang WHERE active ORDER BY code", doing="read the languages"
                )
            ),
            patterns=DEFAULT_PATTERNS if patterns is None else tuple(one.strip() for one in patterns.split(",")),
            checksums={name: value for name, value in _stored(session).items() if isinstance(value, str)},
        )


def ensure_stored(document: ModulesStore, report: Reporter) -> StoredChecksums:
    """The task `modules-store`.

    Raises:
        NotInitialized: the database holds no Odoo.
        ModulesLocked: another tool is updating it.
        StaleAttempt: a later attempt has been here.
        MooringError: the server or the database cannot be written.
    """
    report.progress("connect")
    with open_session(document.connection, task=document.TASK, database=document.database) as session:
        _check(session, document.database)
        try:
            keeper = open_session(document.connection, task=document.TASK)
        except NOT_INTO_THIS_DATABASE:
            keeper = session
        with keeper:
            report.progress("lock")
            keeper.lock(lock_key(document.instance), wait_s=document.fence.wait_s)
            _lock(session, document.database, wait_s=document.fence.wait_s)
            return _store(session, document)


def _store(session: Session, document: ModulesStore) -> StoredChecksums:
    database = observe_one(session, document.database)
    mark = database.mark if database else None
    if database and mark:
        mark = fenced(check_ours(database, document.instance, role="current"), document.fence, document.TASK)
    with session.transaction():
        installed = _names(session, "installed")
        value = merge_checksums(
            _stored(session), installed, document.checksums, missing=document.missing, only=document.only
        )
        written = ensure_parameter(session, CHECKSUMS_PARAMETER, json.dumps(value, sort_keys=True))
        if database and mark and database.mark != mark and database.owner == session.user:
            write_mark(session, document.database, mark)
    return StoredChecksums(len(value), written)


def merge_checksums(
    stored: Mapping[str, object],
    installed: tuple[str, ...],
    checksums: Mapping[str, str],
    *,
    missing: tuple[str, ...] = (),
    only: tuple[str, ...] | None = None,
) -> dict[str, object]:
    """What the parameter is to hold. A module whose files nobody looked at is left out: it counts as changed the next time.

    Args:
        stored: what it holds.
        installed: modules.
        checksums: what they were when they were updated.
        missing: modules without code; click-odoo-update writes `false` for them.
        only: those that were updated; the others keep what is stored. None is all.
    """
    fresh: dict[str, object] = {**dict.fromkeys(missing, False), **checksums}
    if only is not None:
        fresh = {**stored, **{name: value for name, value in fresh.items() if name in only}}
    return {name: fresh[name] for name in installed if name in fresh}


def _check(session: Session, database: str) -> None:
    if not all(is_table(session, name) for name in _TABLES):
        raise NotInitialized(f"The database {database} holds no Odoo.")


def _lock(session: Session, database: str, *, wait_s: int) -> None:
    try:
        session.lock(checksums_lock_key(database), wait_s=wait_s)
    except LockHeld as fault:
        raise ModulesLocked(
            f"Another tool has been updating the database {database} for {wait_s} seconds.", details=fault.brief
        ) from None


def _names(session: Session, *states: str) -> tuple[str, ...]:
    rows = session.rows(
        "SELECT name::text FROM public.ir_module_module WHERE state = ANY(%s) ORDER BY name",
        (list(states),),
        doing="read the modules",
    )
    return tuple(str(name) for (name,) in rows)


def _stored(session: Session) -> Mapping[str, object]:
    """What the parameter holds; nothing where it holds no such JSON, so that every module counts as changed."""
    try:
        value = json.loads(read_parameter(session, CHECKSUMS_PARAMETER) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
