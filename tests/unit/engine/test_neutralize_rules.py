# SPDX-License-Identifier: Apache-2.0
"""A rule becomes a statement where it fits a database, and nothing where it does not."""

from __future__ import annotations

import pytest
from psycopg import sql

from mooring.domain.odoo.neutralize import Delete, Expression, Rule, Update
from mooring.engine.neutralize.rules import render_rule
from mooring.engine.neutralize.schema import Column

TABLES = {
    "t": {
        "active": Column("truth", True),
        "on": Column("truth", False),
        "word": Column("text", True),
        "must": Column("text", False),
        "day": Column("other", False),
    }
}


def rendered(rule: Rule) -> str | None:
    query = render_rule(rule, TABLES)
    return query.as_string(None) if isinstance(query, sql.Composed) else None


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        pytest.param(Update("x", "u", (("active", False),)), None, id="no-table"),
        pytest.param(Update("x", "t", (("gone", False),)), None, id="no-column"),
        pytest.param(Update("x", "t", (("active", False),), "state = 'a'", ("state",)), None, id="not-needed-column"),
        pytest.param(Update("x", "t", (("word", False),)), None, id="truth-into-text"),
        pytest.param(Update("x", "t", (("active", "no"),)), None, id="text-into-truth"),
        pytest.param(Update("x", "t", (("day", None),)), None, id="null-where-refused"),
        pytest.param(
            Update("x", "t", (("active", False), ("gone", None), ("word", None))),
            'UPDATE public."t" SET "active" = false, "word" = NULL WHERE (true) AND ("active" IS DISTINCT FROM false OR'
            ' "word" IS DISTINCT FROM NULL)',
            id="what-is-there",
        ),
        pytest.param(
            Update("x", "t", (("must", None), ("on", None))),
            'UPDATE public."t" SET "must" = \'\', "on" = false WHERE (true) AND ("must" IS DISTINCT FROM \'\' OR "on" IS'
            " DISTINCT FROM false)",
            id="empty-where-null-is-refused",
        ),
        pytest.param(
            Update("x", "t", (("word", Expression("upper(word)")),), "word <> ''", ("word",)),
            'UPDATE public."t" SET "word" = upper(word) WHERE (word <> \'\') AND ("word" IS DISTINCT FROM upper(word))',
            id="expression",
        ),
        pytest.param(Delete("x", "t"), 'DELETE FROM public."t" WHERE true', id="delete"),
        pytest.param(Delete("x", "t", "a", ("a",)), None, id="delete-without-its-column"),
    ],
)
def test_rule_becomes_what_fits(rule: Rule, text: str | None) -> None:
    assert rendered(rule) == text
