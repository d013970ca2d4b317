# SPDX-License-Identifier: Apache-2.0
"""Which tables and columns a database has, so that a rule is only applied where it fits. Read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mooring.drivers.postgres import Session

Kind = Literal["truth", "text", "other"]
_KINDS: Mapping[str, Kind] = {"bool": "truth", "varchar": "text", "text": "text"}


@dataclass(frozen=True)
class Column:
    """A column that can be written: what it takes, and whether it takes NULL."""

    kind: Kind
    nullable: bool


Table = Mapping[str, Column]


def observe_tables(session: Session) -> Mapping[str, Table]:
    """Plain and partitioned tables of the schema `public`, by name, with their columns, by name.

    Views are left out: one of a table's name could run its owner's code. Columns that the server computes are, too.
    """
    rows = session.rows(
        "SELECT c.relname, a.attname, t.typname, a.attnotnull FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
        " LEFT JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
        doing="read the tables",
    )
    tables: dict[str, dict[str, Column]] = {}
    for table, column, kind, required in rows:
        columns = tables.setdefault(table, {})
        if column is not None:
            columns[column] = Column(_KINDS.get(kind, "other"), not required)
    return tables


def has(tables: Mapping[str, Table], table: str, *columns: str) -> bool:
    """Whether the table is there with all these columns."""
    found = tables.get(table)
    return found is not None and all(name in found for name in columns)
