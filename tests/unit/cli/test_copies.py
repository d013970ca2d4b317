# SPDX-License-Identifier: Apache-2.0
"""`mooring restore --from` and `mooring neutralize`: what is asked for, and what nobody may ask for by accident."""

from __future__ import annotations

from typing import Any

import pytest

from mooring.domain.instance.ledger import dump_ledger
from tests.unit.cli.records import ledger_of, running
from tests.unit.cli.runner import Program

FROM = ("restore", "shop", "--from", "other", "--yes", "--no-wait")


def put(program: Program, environment: str) -> None:
    """An instance `shop` that runs."""
    program.put(*running(ledger=dump_ledger(ledger_of(environment=environment))))


@pytest.mark.parametrize(
    ("words", "spec"),
    [
        pytest.param((), {"source": {"snapshot": "latest", "snapshotOf": "other"}}, id="copy"),
        pytest.param(
            ("--snapshot", "5f2c90aa"), {"source": {"snapshot": "5f2c90aa", "snapshotOf": "other"}}, id="one snapshot"
        ),
        pytest.param(
            ("--mode", "move", "--confirm-source-stopped"),
            {"source": {"snapshot": "latest", "snapshotOf": "other"}, "mode": "move", "sourceStopped": True},
            id="move",
        ),
    ],
)
def test_restore_from_another_is_asked_for_as_it_was_said(
    program: Program, words: tuple[str, ...], spec: dict[str, Any]
) -> None:
    put(program, "Production")
    result = program(*FROM, *words)
    assert result.code == 0, result.err
    (doc,) = program.operations()
    assert {key: value for key, value in doc.spec.items() if key != "instanceRef"} == spec


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param((*FROM, "--mode", "move"), "Stop other for good", id="move without a word"),
        pytest.param((*FROM, "--confirm-source-stopped"), "belongs to --mode move", id="a word for a copy"),
        pytest.param(
            ("restore", "shop", "--mode", "move", "--confirm-source-stopped", "--yes"),
            "belongs to --mode move with --from",
            id="a word for its own",
        ),
        pytest.param(("restore", "shop", "--from", "Other One", "--yes"), "the name or the id", id="no name"),
    ],
)
def test_restore_that_could_make_two_of_one_is_refused(program: Program, words: tuple[str, ...], said: str) -> None:
    put(program, "Production")
    result = program(*words)
    assert result.code == 2
    assert said in result.err
    assert program.operations() == []


def test_restore_says_that_the_copy_is_neutral_before_anybody_says_yes(program: Program) -> None:
    put(program, "Production")
    result = program("restore", "shop", "--from", "other")
    assert "becomes a neutral copy of the newest snapshot of other" in result.err
    assert program.operations() == []


def test_neutralization_is_asked_for_by_its_record(program: Program) -> None:
    put(program, "Staging")
    assert program("neutralize", "shop", "--no-wait").code == 0
    (doc,) = program.operations()
    assert doc.spec["type"] == "Neutralize"


def test_neutralization_of_production_is_refused(program: Program) -> None:
    put(program, "Production")
    result = program("neutralize", "shop")
    assert result.code == 2
    assert "MOOR-534" in result.err
    assert program.operations() == []
