# SPDX-License-Identifier: Apache-2.0
"""Compares a database that was built with what it was built from. Read-only; all faults at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mooring.domain.repository.manifest import ModuleVersion, RowCount, SnapshotManifest
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.inspect import is_table

_SHOWN = 20


@dataclass(frozen=True)
class Expected:
    """What a database that was built has to hold.

    Attributes:
        rows: of every table.
        extensions: their names.
        large_objects: how many.
        base: version of Odoo's `base`; None where there is no Odoo.
    """

    rows: tuple[RowCount, ...]
    extensions: tuple[str, ...]
    large_objects: int
    base: str | None


def expect(manifest: SnapshotManifest) -> Expected | None:
    """What a snapshot says; None where it holds no database."""
    database = manifest.database
    if database is None:
        return None
    return Expected(database.rows, database.extensions, database.large_objects, base_of(manifest.modules))


def base_of(modules: Iterable[ModuleVersion]) -> str | None:
    """The version of `base` among these."""
    return next((module.version for module in modules if module.name == "base"), None)


def check_built(session: Session, expected: Expected | None, *, owner: str) -> tuple[str, ...]:
    """Rows of every table, extensions, large objects, owners, the version of `base`; one sentence for each fault.

    Args:
        session: the owner's, in the new database.
        owner: role that everything has to belong to.
    """
    if expected is None:
        return ()
    faults = [*_check_rows(session, expected.rows), *_check_owner(session, owner)]
    there = {row[0] for row in session.rows("SELECT extname FROM pg_extension", doing="list the extensions")}
    lacking = sorted(set(expected.extensions) - there)
    faults.extend(f"The extension {name} is missing." for name in lacking)
    objects = int(session.value("SELECT count(*) FROM pg_largeobject_metadata", doing="count large objects"))
    if objects != expected.large_objects:
        faults.append(f"There are {objects} large objects instead of {expected.large_objects}.")
    if expected.base is not None:
        found = None
        if is_table(session, "ir_module_module"):
            query = "SELECT latest_version::text FROM public.ir_module_module WHERE name = 'base'"
            found = session.value(query, doing="read the version of base")
        if found != expected.base:
            faults.append(f"Odoo's base is at version {found or 'none'} instead of {expected.base}.")
    return tuple(faults[:_SHOWN])


def _check_rows(session: Session, expected: tuple[RowCount, ...]) -> list[str]:
    faults: list[str] = []
    names = {
        quoted: Identifier(schema, relation)
        for quoted, schema, relation in session.rows(
            "SELECT format('%I.%I', n.nspname, c.relname), n.nspname, c.relname FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'",
            doing="list the tables",
        )
    }
    for wanted in expected:
        table = names.get(wanted.table)
        if table is None:
            faults.append(f"The table {wanted.table} is missing.")
            continue
        query = SQL("SELECT count(*) FROM ONLY {}").format(table)
        rows = int(session.value(query, doing=f"count the rows of {wanted.table}"))
        if rows != wanted.rows:
            faults.append(f"The table {wanted.table} has {rows} rows instead of {wanted.rows}.")
    return faults


def _check_owner(session: Session, owner: str) -> list[str]:
    rows = session.rows(
        "SELECT format('%%I.%%I', n.nspname, c.relname), pg_get_userbyid(c.relowner) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_get_userbyid(c.relowner) <> %s"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS (SELECT FROM pg_depend d"
        " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') LIMIT 5",
        (owner,),
        doing="see what belongs to whom",
    )
    return [f"{name} belongs to {other} instead of {owner}." for name, other in rows]
