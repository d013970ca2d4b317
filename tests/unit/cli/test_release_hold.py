# SPDX-License-Identifier: Apache-2.0
"""`mooring release-hold`: what waits is shown, and somebody has to say what becomes of it."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from mooring.domain.instance.ledger import dump_ledger
from mooring.domain.model.identity import Ref
from mooring.domain.work.neutralize import OutgoingResult, Waiting
from mooring.drivers.documents import Document
from tests.support.sim_world import Outcome
from tests.unit.cli.records import CREATED, ledger_of, running
from tests.unit.cli.runner import Program

SINCE = "2026-01-05T06:00:00Z"


def waiting(mail: int, older: int) -> OutgoingResult:
    cron = Waiting("cron", 4, 4, "2026-01-04T00:00:00+00:00", cancellable=False)
    return OutgoingResult("default_shop", (Waiting("mail", mail, older, None, cancellable=True), cron))


@pytest.fixture
def held(program: Program) -> Program:
    """`shop` with its cron held since its data went back."""
    program.put(
        *running(ledger=dump_ledger(ledger_of(cron_held="its data came back from latest", cron_held_since=SINCE)))
    )
    server = Document(
        Ref("DatabaseServer", "default", "default"),
        "fedcba9876",
        meta={"createdAt": CREATED},
        spec={"default": True, "external": {"host": "db.example.com"}},
    )
    program.put(server, {"phase": "Running"})
    return program


def answer(program: Program, found: OutgoingResult | dict[str, str]) -> None:
    """How the task that counts ends."""
    made = Outcome(1, error=found) if isinstance(found, dict) else Outcome(0, result=found.to_json())
    program.target.on_task(lambda task: "outgoing-count" in task.argv, made)


def asked(program: Program, result_out: str) -> dict[str, Any]:
    """The spec of the operation that was written."""
    name = json.loads(result_out.splitlines()[-1])["operation"]
    doc = program.get("OdooOperation", name)
    assert doc is not None
    return {key: value for key, value in doc.spec.items() if key != "instanceRef"}


@pytest.mark.parametrize(
    ("option", "found", "cancel"),
    [
        pytest.param("--cancel-older", waiting(3, 2), True, id="cancel"),
        pytest.param("--keep", waiting(3, 2), False, id="keep"),
        pytest.param("--wait", waiting(3, 0), False, id="nothing is older: nothing is asked"),
    ],
)
def test_release_hold_asks_for_what_was_said(
    option: str, found: OutgoingResult, held: Program, *, cancel: bool
) -> None:
    answer(held, found)
    result = held("release-hold", "shop", option, "--no-wait", "-o", "json")
    assert result.code == 0, result.err
    assert asked(held, result.out) == {"type": "ReleaseHold", "cancelOlder": cancel}
    shown = json.loads(result.out.splitlines()[-1])
    assert (shown["since"], shown["cancelOlder"]) == (SINCE, cancel)
    assert [(one["kind"], one["total"], one["cancellable"]) for one in shown["waiting"]] == [
        ("mail", 3, True),
        ("cron", 4, False),
    ]


def test_release_hold_shows_the_counts_for_a_person(held: Program) -> None:
    answer(held, waiting(3, 2))
    lines = held("release-hold", "shop", "--keep", "--no-wait").out.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["mail", "3", "2"], ["cron", "4", "4"]]
    assert SINCE in lines[3]


def test_release_hold_that_nobody_decides_about_asks_for_nothing(held: Program) -> None:
    answer(held, waiting(3, 2))
    result = held("release-hold", "shop")
    assert (result.code, "MOOR-704" in result.err, "2 mail" in result.err) == (2, True, True)
    assert held.operations() == []


@pytest.mark.parametrize(
    ("said", "cancel"), [pytest.param("cancel", True, id="cancel"), pytest.param("keep", False, id="keep")]
)
def test_release_hold_on_a_terminal_asks(
    said: str, held: Program, monkeypatch: pytest.MonkeyPatch, *, cancel: bool
) -> None:
    answer(held, waiting(3, 2))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: said)
    result = held("release-hold", "shop", "--no-wait", "-o", "json")
    assert asked(held, result.out)["cancelOlder"] is cancel


def test_release_hold_that_cannot_count_says_why_and_asks_for_nothing(held: Program) -> None:
    answer(held, {"code": "MOOR-301", "reason": "DatabaseUnreachable", "brief": "Nobody answers at db."})
    result = held("release-hold", "shop", "--keep")
    assert (result.code, "MOOR-643" in result.err, "Nobody answers at db." in result.err) == (1, True, True)
    assert held.operations() == []
