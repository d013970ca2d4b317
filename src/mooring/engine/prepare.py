# SPDX-License-Identifier: Apache-2.0
"""Prepare a database for Odoo: extensions, the schema `public`, who may connect. Safe to repeat; used by provisioning.

Odoo itself makes `pg_trgm` and `unaccent` when it creates a database, and declares `unaccent` immutable so that it may stand
in indexes (odoo/service/db.py since 16.0); an instance's role may not do the latter, so it happens here.
"""

from __future__ import annotations

from mooring.domain.work.errors import ExtensionMissing, RightsMissing, SqlFailed
from mooring.drivers.postgres import SQL, Identifier, Session

EXTENSIONS = ("pg_trgm", "unaccent")


def is_empty(session: Session) -> bool:
    """Whether the session's database holds nothing of a user's: no table, view, sequence, function of no extension."""
    return bool(
        session.value(
            """
            SELECT NOT EXISTS (
                SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND c.relkind IN ('r','p','v','m','S','f')
                  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                  AND d.deptype = 'e'))
            """,
            doing="see if the database is empty",
        )
    )


def ensure_extensions(session: Session, database: str) -> bool:
    """Have Odoo's extensions in `public`; whether `unaccent(text)` is immutable.

    Raises:
        ExtensionMissing: one is not there and cannot be made; names the statements for an administrator.
    """
    rows = session.rows("SELECT extname FROM pg_extension", doing="list the extensions")
    lacking = [name for name in EXTENSIONS if (name,) not in rows]
    refused: list[str] = []
    words: list[str] = []
    for name in lacking:
        try:
            query = SQL("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA public").format(Identifier(name))
            session.execute(query, doing=f"create the extension {name}")
        except (RightsMissing, SqlFailed) as fault:
            refused.append(f"CREATE EXTENSION {name} WITH SCHEMA public;")
            words.append(fault.details)
    if refused:
        raise ExtensionMissing(
            f"In the database {database} an administrator has to run: {' '.join(refused)}", details="\n".join(words)
        )
    return _ensure_immutable(session)


def _ensure_immutable(session: Session) -> bool:
    def state() -> tuple[str, bool] | None:
        rows = session.rows(
            "SELECT p.provolatile, pg_has_role(p.proowner, 'USAGE') FROM pg_proc p"
            " JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname = 'public' AND p.proname = 'unaccent' AND p.proargtypes::text = '25'",
            doing="look at the function unaccent",
        )
        return (str(rows[0][0]), bool(rows[0][1])) if rows else None

    found = state()
    if found is None:
        return False
    volatility, ours = found
    if volatility != "i" and ours:
        session.execute("ALTER FUNCTION public.unaccent(text) IMMUTABLE", doing="let Odoo index with unaccent")
        volatility = "i"
    return volatility == "i"


def ensure_schema(session: Session, *, database: str, owner: str) -> None:
    """Only the owner connects to the database and creates in `public`. Needs the owner's rights at least."""
    with session.transaction():
        session.execute(
            SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(Identifier(database)),
            doing=f"keep other roles out of {database}",
        )
        session.execute(
            SQL("GRANT CONNECT, TEMPORARY, CREATE ON DATABASE {} TO {}").format(
                Identifier(database), Identifier(owner)
            ),
            doing=f"let {owner} into {database}",
        )
        if session.value("SELECT to_regnamespace('public') IS NOT NULL", doing="look for the schema public"):
            session.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", doing="close the schema public")
            session.execute(
                SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(Identifier(owner)),
                doing=f"let {owner} use the schema public",
            )
