# SPDX-License-Identifier: Apache-2.0
"""`mooring promote` and `mooring mail`: for Staging instances alone; what stays off is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mooring.domain.instance.ledger import Ledger, dump_ledger
from mooring.domain.mailsink import READ_ARGV
from mooring.domain.model.identity import Ref
from mooring.domain.work.promote import PromoteResult, StaysOff
from mooring.drivers.documents import Document
from tests.unit.cli.records import CREATED, running
from tests.unit.cli.runner import Program

OFF = (StaysOff("scheduled actions", "ir_cron", 7), StaysOff("payment providers", "payment_acquirer", 2))


def put(program: Program, environment: str = "Staging") -> None:
    """`shop`, as it is on record."""
    ledger = dump_ledger(Ledger(environment=environment, initialized=True))
    program.put(*running(ledger=ledger, environment=environment))


@pytest.mark.parametrize("words", [("promote", "shop", "--yes"), ("mail", "shop")], ids=["promote", "mail"])
def test_verbs_of_staging_are_refused_for_production(program: Program, words: tuple[str, ...]) -> None:
    put(program, "Production")
    result = program(*words)
    assert result.code == 2
    assert "MOOR-540" in result.err


def test_promotion_that_nobody_confirms_is_not_asked_for(program: Program) -> None:
    put(program)
    result = program("promote", "shop")
    assert (result.code, program.operations()) == (2, [])
    assert "There is no way back" in result.err


def test_promotion_is_asked_for_by_its_record(program: Program) -> None:
    put(program)
    assert program("promote", "shop", "--yes", "--no-wait").code == 0
    (doc,) = program.operations()
    assert doc.spec["type"] == "Promote"


def test_promotion_ends_with_what_stays_off(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    put(program)
    result = PromoteResult("shop", True, OFF, "http://shop.example.com").to_json()
    record = {"step": "promote-database", "attempt": 1, "at": CREATED, "state": "done", "task": None, "result": result}
    spec = {"type": "Promote", "instanceRef": {"name": "shop"}}
    ref = Ref("OdooOperation", "default", "one")
    program.put(
        Document(ref, "id-1", meta={"createdAt": CREATED}, spec=spec), {"phase": "Succeeded", "steps": [record]}
    )

    async def ended(*_: Any, **__: Any) -> Ref:
        return ref

    monkeypatch.setattr("mooring.cli.verbs.ask_for", ended)
    lines = program("promote", "shop", "--yes").out.splitlines()
    assert [line.split(maxsplit=1) for line in lines[1:3]] == [["7", "scheduled actions"], ["2", "payment providers"]]
    assert "http://shop.example.com, frozen" in lines[3]


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        pytest.param((), ("list", "table", "50"), id="list"),
        pytest.param(("-o", "json", "--last", "3"), ("list", "json", "3"), id="data"),
        pytest.param(("--show", "12"), ("show", "12"), id="show"),
        pytest.param(("--clear",), ("clear",), id="clear"),
    ],
)
def test_mail_is_read_inside_the_sink(
    program: Program, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], argv: tuple[str, ...]
) -> None:
    put(program)
    asked: list[tuple[Sequence[str], str]] = []

    async def attach(ref: Ref, argv: Sequence[str], *, role: str, tty: bool) -> int:
        asked.append((argv, role))
        return 0

    monkeypatch.setattr(program.target, "attach", attach)
    assert program("mail", "shop", *words).code == 0
    assert asked == [((*READ_ARGV, *argv), "mail")]


def test_mail_of_what_does_not_run_says_so_and_two_wishes_exclude_each_other(program: Program) -> None:
    put(program)
    assert "MOOR-325" in program("mail", "shop").err
    assert program("mail", "shop", "--show", "1", "--clear").code == 2
