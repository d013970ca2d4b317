# SPDX-License-Identifier: Apache-2.0
"""Apply the rules of `domain.odoo.neutralize_rules` to a database. Inside the caller's transaction; safe to repeat."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mooring.domain.odoo.neutralize import Delete, Expression, Rule, Update, Value
from mooring.domain.odoo.neutralize_rules import (
    ATTACHMENT_LOCATION,
    CREDENTIAL_COLUMNS,
    CREDENTIAL_PARAMETERS,
    CREDENTIALS_NOT_IN,
    FLAGS,
    KEPT_PARAMETERS,
    OWN_LOCATIONS,
    PARAMETERS,
    PLAIN_VALUES,
    RULES,
)
from mooring.domain.work.errors import SqlFailed
from mooring.domain.work.neutralize import Change
from mooring.drivers.postgres import SQL, Identifier, Literal, Query, Session
from mooring.engine.neutralize.schema import Column, Table, has
from mooring.engine.parameters import ensure_parameter


def ensure_rules(session: Session, tables: Mapping[str, Table]) -> list[Change]:
    """Apply every rule that fits; those that changed something.

    Raises:
        SqlFailed: the database refuses one of them: it has conditions of its own.
    """
    changes: list[Change] = []
    for rule in (*RULES, *_flag_rules(tables)):
        query = render_rule(rule, tables)
        if query is not None:
            rows = session.execute(query, doing=f"keep quiet: {rule.what} ({rule.table})")
            if rows:
                changes.append(Change(rule.what, rule.table, rows))
    return changes


def ensure_parameters(session: Session, tables: Mapping[str, Table]) -> list[Change]:
    """System parameters that lead outside or hold credentials."""
    count = 0
    for item in PARAMETERS:
        if not has(tables, item.table):
            continue
        if item.value is not None:
            count += ensure_parameter(session, item.key, item.value)
        else:
            query = "DELETE FROM public.ir_config_parameter WHERE key = %s"
            count += session.execute(query, (item.key,), doing=f"remove {item.key}")
    count += session.execute(
        "UPDATE public.ir_config_parameter SET value = 'file' WHERE key = %s AND value <> ALL (%s)",
        (ATTACHMENT_LOCATION, list(OWN_LOCATIONS)),
        doing="keep attachments inside",
    )
    count += session.execute(
        "DELETE FROM public.ir_config_parameter WHERE key ~* %s AND key <> ALL (%s) AND value !~* %s",
        (CREDENTIAL_PARAMETERS, list(KEPT_PARAMETERS), PLAIN_VALUES),
        doing="remove credentials from the system parameters",
    )
    return [Change("system parameters", "ir_config_parameter", count)] if count else []


def ensure_unreferenced(session: Session, tables: Mapping[str, Table], target: str, what: str) -> list[Change]:
    """Let nothing point at a row of `target` any more: what points at a mail server uses it, active or not."""
    rows = session.rows(
        "SELECT c.conrelid::regclass::text, r.relname, a.attname FROM pg_constraint c"
        " JOIN pg_class r ON r.oid = c.conrelid"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
        " WHERE c.contype = 'f' AND c.confrelid = to_regclass(%s) AND cardinality(c.conkey) = 1 ORDER BY 2, 3",
        (f"public.{target}",),
        doing=f"see what points at {target}",
    )
    changes: list[Change] = []
    for _, table, column in rows:
        found = tables.get(table, {}).get(column)
        if found is None or not found.nullable:
            continue
        query = SQL("UPDATE public.{} SET {} = NULL WHERE {} IS NOT NULL").format(
            Identifier(table), Identifier(column), Identifier(column)
        )
        count = session.execute(query, doing=f"let {table}.{column} point at nothing")
        if count:
            changes.append(Change(what, table, count))
    return changes


def ensure_blank(session: Session, tables: Mapping[str, Table]) -> tuple[list[str], list[str]]:
    """Empty every column that holds credentials by its name: those that held some, and those that could not be emptied."""
    pattern = re.compile(CREDENTIAL_COLUMNS)
    blanked: list[str] = []
    kept: list[str] = []
    for table, columns in sorted(tables.items()):
        if table in CREDENTIALS_NOT_IN:
            continue
        for name, column in sorted(columns.items()):
            if column.kind != "text" or not pattern.search(name):
                continue
            query = _blank(table, name, column)
            try:
                # A savepoint: what an add-on forbids to be empty is reported, and the copy is made nevertheless.
                with session.transaction():
                    if session.execute(query, doing=f"empty {table}.{name}"):
                        blanked.append(f"{table}.{name}")
            except SqlFailed as fault:
                kept.append(f"{table}.{name}: {fault.details}")
    return blanked, kept


def render_rule(rule: Rule, tables: Mapping[str, Table]) -> Query | None:
    """The statement; None where the rule does not fit this database."""
    if not has(tables, rule.table, *rule.needs):
        return None
    match rule:
        case Delete():
            return SQL("DELETE FROM public.{} WHERE {}").format(Identifier(rule.table), SQL(rule.where))
        case Update():
            columns = tables[rule.table]
            sets = [
                (Identifier(name), rendered)
                for name, value in rule.sets
                if name in columns and (rendered := _render(value, columns[name])) is not None
            ]
            if not sets:
                return None
            assigned = SQL(", ").join(SQL("{} = {}").format(name, value) for name, value in sets)
            differs = SQL(" OR ").join(SQL("{} IS DISTINCT FROM {}").format(name, value) for name, value in sets)
            return SQL("UPDATE public.{} SET {} WHERE ({}) AND ({})").format(
                Identifier(rule.table), assigned, SQL(rule.where), differs
            )


def _render(value: Value, column: Column) -> Query | None:
    """SQL of a value, or None where the column takes no such value."""
    match value:
        case None if column.nullable:
            return SQL("NULL")
        case None:
            return SQL("''") if column.kind == "text" else SQL("false") if column.kind == "truth" else None
        case Expression(sql):
            return SQL(sql)
        case _:
            wanted = "truth" if isinstance(value, bool) else "text"
            return SQL("{}").format(Literal(value)) if column.kind == wanted else None


def _flag_rules(tables: Mapping[str, Table]) -> list[Update]:
    rules: list[Update] = []
    for flags in FLAGS:
        pattern = re.compile(flags.pattern)
        for table in flags.tables:
            names = sorted(
                name
                for name, column in tables.get(table, {}).items()
                if column.kind == "truth" and pattern.search(name)
            )
            if names:
                rules.append(Update("services in test mode", table, tuple((name, flags.value) for name in names)))
    return rules


def _blank(table: str, name: str, column: Column) -> Query:
    empty = SQL("NULL") if column.nullable else SQL("''")
    return SQL("UPDATE public.{} SET {} = {} WHERE {} <> ''").format(
        Identifier(table), Identifier(name), empty, Identifier(name)
    )
