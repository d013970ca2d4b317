# SPDX-License-Identifier: Apache-2.0
"""`mooring rollback`: what would be given up is counted and shown before anybody is asked."""

from __future__ import annotations

import json
from typing import Any

from mooring.domain.instance.kept import Kept
from mooring.domain.instance.ledger import Ledger, Previous, dump_ledger
from mooring.domain.model.identity import Ref
from mooring.domain.task import TaskSpec
from mooring.domain.work.written import Written, WrittenRows
from mooring.drivers.documents import Document
from tests.support.sim_world import Outcome
from tests.unit.cli.records import CREATED, ledger_of, running
from tests.unit.cli.runner import Program

LET_IN = "2026-01-05T06:00:00Z"
KEPT = "2026-01-05T05:00:00Z"
MANY = Written((WrittenRows("sale_order", 12, more=False), WrittenRows("mail_message", 10_000, more=True)))


def upgraded(program: Program, *, recorded: bool = True, **changes: Any) -> None:
    """Its records: the instance, and the upgrade that can be taken back."""
    ledger: Ledger = ledger_of(previous=Previous("sha256:0", "op-1"), **changes)
    program.put(*running(ledger=dump_ledger(ledger)))
    if recorded:
        ref = Ref("OdooUpgradeJob", "default", "shop-upgrade")
        doc = Document(ref, "op-1", meta={"createdAt": CREATED}, spec={"instanceRef": {"name": "shop"}})
        steps = [{"step": "switch", "attempt": 1, "at": LET_IN, "state": "done"}]
        program.put(doc, {"phase": "Succeeded", "steps": steps})


def answer(program: Program, found: Written | dict[str, str]) -> list[str]:
    """How the task that counts ends, on a server that is there; since when it was asked, filled when it is."""
    server = Document(
        Ref("DatabaseServer", "default", "default"),
        "fedcba9876",
        meta={"createdAt": CREATED},
        spec={"default": True, "external": {"host": "db.example.com"}},
    )
    program.put(server, {"phase": "Running"})
    since: list[str] = []

    def is_count(task: TaskSpec) -> bool:
        if "written-count" not in task.argv:
            return False
        since.append(json.loads("".join(str(part) for part in task.files[-1].parts))["since"])
        return True

    made = Outcome(1, error=found) if isinstance(found, dict) else Outcome(0, result=found.to_json())
    program.target.on_task(is_count, made)
    return since


def test_rollback_shows_what_was_written_since_users_were_let_in_and_asks(program: Program) -> None:
    upgraded(program)
    since = answer(program, MANY)
    result = program("rollback", "shop")
    assert "New or changed since: sale_order: 12, mail_message: 10000 or more." in result.err
    assert "The present data is kept aside." in result.err
    assert set(since) == {LET_IN}
    assert result.code != 0  # nobody confirmed
    assert not [one for one in program.operations() if one.spec.get("type") == "Rollback"]


def test_rollback_without_that_operations_record_counts_since_the_pair_was_put_aside(program: Program) -> None:
    upgraded(program, recorded=False, kept=(Kept("op-0", LET_IN), Kept("op-1", KEPT)))
    since = answer(program, Written(()))
    result = program("rollback", "shop")
    assert f"since {KEPT} is given up" in result.err
    assert "Nothing in the usual tables is newer." in result.err
    assert set(since) == {KEPT}


def test_rollback_says_where_nobody_knows_since_when(program: Program) -> None:
    upgraded(program, recorded=False)
    result = program("rollback", "shop")
    assert "could not be counted: when users were let in is not on record" in result.err


def test_rollback_goes_on_where_it_cannot_be_counted(program: Program) -> None:
    upgraded(program)
    answer(program, {"code": "MOOR-410", "reason": "DatabaseUnreachable", "brief": "no", "resolution": "look"})
    result = program("rollback", "shop")
    assert "could not be counted" in result.err


def test_rollback_with_yes_asks_nothing_and_writes_the_operation(program: Program) -> None:
    upgraded(program)
    assert program("rollback", "shop", "--yes", "--no-wait").code == 0
    (asked,) = [one for one in program.operations() if one.spec.get("type") == "Rollback"]
    assert asked.spec["instanceRef"] == {"name": "shop"}
