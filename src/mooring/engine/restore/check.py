# SPDX-License-Identifier: Apache-2.0
"""Compares a restored database with what its snapshot says. Read-only; all faults at once."""

from __future__ import annotations

from mooring.domain.repository.manifest import SnapshotManifest
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.inspect import is_table

_SHOWN = 20


def check_restored(session: Session, manifest: SnapshotManifest, *, owner: str) -> tuple[str, ...]:
    """Rows of every table, extensions, large objects, owners, the version of `base`; one sentence for each fault.

    Args:
        session: the owner's, in the restored database.
        manifest: the snapshot's, with a database.
        owner: role that everything has to belong to.
    """
    database = manifest.database
    if database is None:
        return ()
    faults = [*_check_rows(session, manifest), *_check_owner(session, owner)]
    there = {row[0] for row in session.rows("SELECT extname FROM pg_extension", doing="list the extensions")}
    lacking = sorted(set(database.extensions) - there)
    faults.extend(f"The extension {name} is missing." for name in lacking)
    objects = int(session.value("SELECT count(*) FROM pg_largeobject_metadata", doing="count large objects"))
    if objects != database.large_objects:
        faults.append(f"There are {objects} large objects instead of {database.large_objects}.")
    wanted = next((module.version for module in manifest.modules if module.name == "base"), None)
    if wanted is not None:
        found = None
        if is_table(session, "ir_module_module"):
            query = "SELECT latest_version::text FROM public.ir_module_module WHERE name = 'base'"
            found = session.value(query, doing="read the version of base")
        if found != wanted:
            faults.append(f"Odoo's base is at version {found or 'none'} instead of {wanted}.")
    return tuple(faults[:_SHOWN])


def _check_rows(session: Session, manifest: SnapshotManifest) -> list[str]:
    faults: list[str] = []
    names = {
        quoted: Identifier(schema, relation)
        for quoted, schema, relation in session.rows(
            "SELECT format('%I.%I', n.nspname, c.relname), n.nspname, c.relname FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'",
            doing="list the tables",
        )
    }
    for wanted in manifest.database.rows if manifest.database else ():
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
