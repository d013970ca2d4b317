# SPDX-License-Identifier: Apache-2.0
"""The words in which `neutralize_rules` says what keeps a copy of a database from acting on the world. Pure.

A rule is data: the engine applies it where its table and columns are there and of the right kind, and passes it over
where they are not, so that one set serves every series and every choice of add-ons. SQL in it names tables with `public.`
and holds no parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, LiteralString

SINK_NAME: Final = "neutralization - disable emails"
"""Odoo's own name for the mail server that sends nothing (odoo/addons/base/data/neutralize.sql, 16.0), so that they are one."""

IDENTITY: Final = "mooring.neutralized"
"""The system parameter that remembers for which instance a copy got its identity, and a digest of the identity before."""

KEPT_CRON: Final[LiteralString] = (
    "(SELECT res_id FROM public.ir_model_data WHERE model = 'ir.cron' AND module = 'base' AND name = 'autovacuum_job')"
)
"""The only scheduled action that stays: it cleans up, and Odoo's own neutralization keeps it too."""


@dataclass(frozen=True)
class Expression:
    """A value that the server computes."""

    sql: LiteralString


Value = bool | str | Expression | None
"""True and False fit columns of truth values, a text those of text; None is NULL, or empty where NULL is refused."""


@dataclass(frozen=True)
class Update:
    """Set columns of a table.

    Attributes:
        what: for people, in the plural: what is kept quiet.
        sets: columns and values; those that are not there, or of another kind, are left out.
        where: condition; empty is every row.
        needs: columns that `where` and expressions read.
    """

    what: str
    table: str
    sets: tuple[tuple[str, Value], ...]
    where: LiteralString = "true"
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delete:
    """Remove rows of a table; see `Update`."""

    what: str
    table: str
    where: LiteralString = "true"
    needs: tuple[str, ...] = ()


Rule = Update | Delete


@dataclass(frozen=True)
class Parameter:
    """A system parameter that is set where `table` is there, whatever it was; None removes it."""

    key: str
    value: str | None
    table: str = "ir_config_parameter"


@dataclass(frozen=True)
class Flags:
    """Columns of truth values that choose between production and test, by the end of their names.

    Attributes:
        tables: where.
        pattern: POSIX regular expression of the column's name.
        value: what is safe.
    """

    tables: tuple[str, ...]
    pattern: str
    value: bool
