# SPDX-License-Identifier: Apache-2.0
"""The task `database-finish-init`: proof of what `odoo -i` did, then what it cannot set. One transaction, safe to repeat.

The password goes in as the hash that Odoo itself would write (passlib's `pbkdf2_sha512`), so that its value is never in a
statement. Sources: odoo/addons/base/models/res_users.py, ir_config_parameter.py, odoo/service/db.py (14.0 to 20.0).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import os
import re
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from mooring.domain.model.secret import SecretValue
from mooring.domain.work.database import DatabaseFinishInit, DatabaseInspect, DatabaseVerify
from mooring.domain.work.errors import FinishInitFailed, NotInitialized
from mooring.domain.work.names import lock_key
from mooring.domain.work.results import DatabaseFacts, FinishResult
from mooring.drivers.postgres import Session
from mooring.engine.inspect import is_table, observe_database, verify_database
from mooring.engine.marks import check_ours, fenced, observe_one, write_mark
from mooring.engine.parameters import ensure_parameter, read_parameter
from mooring.engine.report import Reporter
from mooring.engine.secret_files import load_secret
from mooring.engine.server import NOT_INTO_THIS_DATABASE, open_session
from mooring.engine.template.files import ensure_unpacked

# What Odoo 17 and later use; older series take any number from the hash itself.
ROUNDS = 600_000
_HASH = re.compile(r"\$pbkdf2-sha512\$(\d+)\$([./A-Za-z0-9]*)\$([./A-Za-z0-9]{86})")


def hash_password(password: SecretValue, salt: bytes, *, rounds: int = ROUNDS) -> str:
    """Passlib's text form of PBKDF2-HMAC-SHA512: `$pbkdf2-sha512$ROUNDS$SALT$CHECKSUM`."""
    checksum = hashlib.pbkdf2_hmac("sha512", password.reveal().encode(), salt, rounds)
    return f"$pbkdf2-sha512${rounds}${_ab64(salt)}${_ab64(checksum)}"


def fits(password: SecretValue, text: str) -> bool:
    """Whether the hash is this password's; False for any other form."""
    match = _HASH.fullmatch(text)
    if not match:
        return False
    salt = _ab64_decode(match[2])
    return hmac.compare_digest(hash_password(password, salt, rounds=int(match[1])), text)


def ensure_finished(document: DatabaseFinishInit, report: Reporter) -> FinishResult:
    """The task.

    Raises:
        VerificationFailed: Odoo did not do what is expected; nothing was set.
        NotInitialized: there is no Odoo in the database.
        FinishInitFailed: the language is not loaded, the country unknown or the administrator gone; names all.
    """
    with ThreadPoolExecutor(1) as aside:
        # Most of this task's time is the hash, which needs nothing of what else it does.
        password = load_secret(document.admin_password_file) if document.admin_password_file else None
        hashed = aside.submit(hash_password, password, os.urandom(16)) if password is not None else None
        if document.unpack_into is not None:
            ensure_unpacked(
                document.connection,
                report,
                database=document.database,
                data_dir=document.unpack_into,
                instance=document.instance,
                fence=document.fence,
                task=document.TASK,
            )
        facts = _verify(document, report)
        with open_session(document.connection, task=document.TASK, database=document.database) as session:
            try:
                keeper = open_session(document.connection, task=document.TASK)
            except NOT_INTO_THIS_DATABASE:
                keeper = session
            with keeper:
                keeper.lock(lock_key(document.instance), wait_s=document.fence.wait_s)
                login, changed = _finish(session, document, report, password, hashed)
    return FinishResult(
        **{item.name: getattr(facts, item.name) for item in dataclasses.fields(facts)}, login=login, changed=changed
    )


def _verify(document: DatabaseFinishInit, report: Reporter) -> DatabaseFacts:
    connection, database = document.connection, document.database
    if not document.expect:
        return observe_database(DatabaseInspect(connection, database), report)
    return verify_database(DatabaseVerify(connection, database, document.expect, document.series), report)


@dataclass(frozen=True)
class _Found:
    """The rows that are written to."""

    user: int
    login: str
    partner: int
    company: int
    company_partner: int
    password: str


def _finish(
    session: Session,
    document: DatabaseFinishInit,
    report: Reporter,
    password: SecretValue | None,
    hashed: Future[str] | None,
) -> tuple[str, tuple[str, ...]]:
    if not is_table(session, "ir_module_module") or not is_table(session, "res_users"):
        raise NotInitialized(f"The database {document.database} holds no Odoo.")
    database = observe_one(session, document.database)
    mark = database.mark if database else None
    if database and mark:
        mark = fenced(check_ours(database, document.instance, role="current"), document.fence, document.TASK)
    changed: list[str] = []
    with session.transaction():
        found = _find(session, document)
        report.progress("settings", 1, 3)
        _set_identity(session, changed)
        _set_parameters(session, document, changed)
        report.progress("company", 2, 3)
        _set_language(session, document, found, changed)
        _set_country(session, document, found, changed)
        _set_login(session, document, found, changed)
        if password is not None and hashed is not None:
            _set_password(session, found, password, hashed, changed)
        if database and mark and database.mark != mark and database.owner == session.user:
            write_mark(session, document.database, mark)
    return document.admin_login or found.login, tuple(changed)


def _find(session: Session, document: DatabaseFinishInit) -> _Found:
    def named(name: str) -> int | None:
        query = "SELECT res_id FROM public.ir_model_data WHERE module = 'base' AND name = %s"
        found = session.value(query, (name,), doing=f"look for base.{name}")
        return int(found) if found is not None else None

    user, company = named("user_admin"), named("main_company")
    faults = [text for text, row in (("base.user_admin", user), ("base.main_company", company)) if row is None]
    faults = [f"The record {text} is gone." for text in faults]
    if document.language and not _active(session, document.language):
        faults.append(f"The language {document.language} is not loaded in the database.")
    if document.country and not _country(session, document.country):
        faults.append(f"Odoo knows no country {document.country}.")
    if faults:
        raise FinishInitFailed(" ".join(faults))
    row = session.rows(
        "SELECT login, partner_id, COALESCE(password, '') FROM public.res_users WHERE id = %s FOR UPDATE",
        (user,),
        doing="read the administrator",
    )
    company_partner = session.value(
        "SELECT partner_id FROM public.res_company WHERE id = %s", (company,), doing="read the company"
    )
    if not row or user is None or company is None or company_partner is None:
        raise FinishInitFailed("The first administrator or the first company was deleted.")
    login, partner, password = row[0]
    return _Found(user, login, partner, company, company_partner, password)


def _active(session: Session, code: str) -> bool:
    query = "SELECT active FROM public.res_lang WHERE code = %s"
    return bool(session.value(query, (code,), doing="look for the language"))


def _country(session: Session, code: str) -> tuple[int, int | None] | None:
    query = "SELECT id, currency_id FROM public.res_country WHERE upper(code) = upper(%s)"
    rows = session.rows(query, (code,), doing="look for the country")
    return (rows[0][0], rows[0][1]) if rows else None


def _set_identity(session: Session, changed: list[str]) -> None:
    """Odoo makes these at its first start; without `database.secret` nobody can log in."""
    for key in ("database.uuid", "database.secret"):
        if not read_parameter(session, key):
            _set_parameter(session, key, str(uuid.uuid4()), changed)


def _set_parameters(session: Session, document: DatabaseFinishInit, changed: list[str]) -> None:
    wanted = {
        "web.base.url": document.base_url,
        "web.base.url.freeze": "True" if document.freeze_base_url else None,
        "report.url": document.report_url,
    }
    for key, value in wanted.items():
        if value is not None:
            _set_parameter(session, key, value, changed)


def _set_parameter(session: Session, key: str, value: str, changed: list[str]) -> None:
    if ensure_parameter(session, key, value):
        changed.append(key)


def _set_language(session: Session, document: DatabaseFinishInit, found: _Found, changed: list[str]) -> None:
    if not document.language:
        return
    count = session.execute(
        "UPDATE public.res_partner SET lang = %s WHERE id IN (%s, %s) AND lang IS DISTINCT FROM %s",
        (document.language, found.partner, found.company_partner, document.language),
        doing="set the language",
    )
    if count:
        changed.append("language")


def _set_country(session: Session, document: DatabaseFinishInit, found: _Found, changed: list[str]) -> None:
    country = _country(session, document.country) if document.country else None
    if not country:
        return
    number, currency = country
    count = session.execute(
        "UPDATE public.res_partner SET country_id = %s WHERE id = %s AND country_id IS DISTINCT FROM %s",
        (number, found.company_partner, number),
        doing="set the company's country",
    )
    if not count:
        # A later run must not undo a currency that somebody chose for the same country.
        return
    changed.append("country")
    if currency is not None:
        session.execute(
            "UPDATE public.res_currency SET active = true WHERE id = %s", (currency,), doing="use the currency"
        )
        session.execute(
            "UPDATE public.res_company SET currency_id = %s WHERE id = %s",
            (currency, found.company),
            doing="set the currency",
        )


def _set_login(session: Session, document: DatabaseFinishInit, found: _Found, changed: list[str]) -> None:
    if document.admin_login and document.admin_login != found.login:
        session.execute(
            "UPDATE public.res_users SET login = %s WHERE id = %s",
            (document.admin_login, found.user),
            doing="set the login",
        )
        changed.append("login")


def _set_password(
    session: Session, found: _Found, password: SecretValue, hashed: Future[str], changed: list[str]
) -> None:
    if not fits(password, found.password):
        session.execute(
            "UPDATE public.res_users SET password = %s WHERE id = %s",
            (hashed.result(), found.user),
            doing="set the password",
        )
        changed.append("password")


def _ab64(data: bytes) -> str:
    """Passlib's base64: `.` for `+`, no padding."""
    return base64.b64encode(data).decode().rstrip("=").replace("+", ".")


def _ab64_decode(text: str) -> bytes:
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4))
