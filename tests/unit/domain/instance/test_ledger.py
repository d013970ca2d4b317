# SPDX-License-Identifier: Apache-2.0
"""The ledger: what is written is read, by this version and by those before and after; and how operations change it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.instance.ledger import Ledger, Previous, dump_ledger, load_ledger
from mooring.domain.instance.outcome import finish, note_done, place_of
from mooring.domain.lifecycle import State
from mooring.domain.operations.accepted import Accepted
from mooring.domain.operations.exchange import MARK
from mooring.domain.operations.journal import StepRecord
from mooring.domain.operations.moves import Finished
from mooring.domain.operations.plan import OperationType
from mooring.domain.operations.provision import PROVISION
from mooring.domain.operations.restore import LET_IN
from mooring.domain.operations.upgrade import SWITCH
from mooring.domain.work.errors import NoRoomLeft, NotEnoughSpace
from tests.unit.domain.instance.subjects import SHOP, ledger, release, subject

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = "2026-01-01T00:00:00Z"
NEXT = release("next")
names = st.text(min_size=0, max_size=8)
counts = st.dictionaries(st.sampled_from(["Init", "Upgrade", "Provision"]), st.integers(0, 9))
ledgers = st.builds(
    Ledger,
    state=st.sampled_from(State),
    environment=names,
    database=names,
    provisioned=names,
    owner_version=names,
    initialized=st.booleans(),
    wanted_source=names,
    wanted=names,
    runs=names,
    releases=st.sampled_from([{}, {"sha256:next": NEXT}]),
    stopped=st.booleans(),
    latched=counts,
    retries=counts,
    previous=st.none() | st.builds(Previous, names, names, st.sampled_from(OperationType), names, names),
    cron_held_since=names,
    done=st.lists(names, max_size=4).map(tuple),
)


def accepted(kind: OperationType, *, op: str = "op-1", generation: int = 3, **given: Any) -> Accepted:
    """An operation of this type; an upgrade leads to `next`."""
    to = NEXT if kind is OperationType.UPGRADE else release() if kind is OperationType.ROLLBACK else None
    return Accepted(SHOP, op, kind, {}, **{"subject": subject(), "to": to, "generation": generation, **given})


def record(step: str, result: Any = None) -> StepRecord:
    """A step that was done."""
    return StepRecord(step, 1, NOW, "done", None, result)


@given(ledgers)
def test_ledger_written_and_read_is_the_same(one: Ledger) -> None:
    assert load_ledger(json.loads(json.dumps(dump_ledger(one)))) == one


def test_ledger_of_a_later_version_is_read_without_what_is_not_known() -> None:
    value = {**dump_ledger(ledger()), "moonPhase": "full", "shards": [1]}
    assert load_ledger(value) == ledger()


@pytest.mark.parametrize("lost", sorted(dump_ledger(Ledger())))
def test_ledger_of_an_earlier_version_is_read_with_defaults(lost: str) -> None:
    value = {key: item for key, item in dump_ledger(ledger()).items() if key != lost}
    assert load_ledger(value) == replace(ledger(), **{lost: getattr(Ledger(), lost)})


@pytest.mark.parametrize("nothing", [None, {}])
def test_ledger_of_nothing_is_empty(nothing: Any) -> None:
    assert load_ledger(nothing) == Ledger()


def test_ledger_forgets_releases_that_nothing_refers_to() -> None:
    kept = ledger().with_release(NEXT)
    assert set(kept.releases) == {release().release.digest, NEXT.release.digest}
    moved = replace(kept, runs=NEXT.release.digest, wanted=NEXT.release.digest)
    assert set(moved.with_release(NEXT).releases) == {NEXT.release.digest}
    back = replace(moved, previous=Previous(release().release.digest, "op"))
    assert set(replace(back, releases=kept.releases).with_release(NEXT).releases) == set(kept.releases)


def test_ledger_remembers_the_last_hundred_operations() -> None:
    one = Ledger()
    for number in range(150):
        one = one.finished(str(number))
    assert one.done == tuple(str(number) for number in range(50, 150))
    assert one.finished("60").done[-1] == "60"


# Outcomes

OUTCOMES = [Finished("succeeded"), Finished("failed"), Finished("cancelled"), Finished("stuck")]
TYPES = [
    OperationType.PROVISION,
    OperationType.INIT,
    OperationType.UPGRADE,
    OperationType.STOP,
    OperationType.START,
    OperationType.RESTART,
    OperationType.ROLLBACK,
    OperationType.DELETE,
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda one: one.outcome)
@pytest.mark.parametrize("kind", TYPES)
def test_finish_applied_twice_is_finish_applied_once(kind: OperationType, outcome: Finished) -> None:
    once = finish(ledger(), accepted(kind), outcome, (), generation=3)
    assert finish(once, accepted(kind), outcome, (), generation=4) == once


@pytest.mark.parametrize("kind", [OperationType.INIT, OperationType.UPGRADE])
@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_failure_is_latched_for_the_spec_that_failed(kind: OperationType, outcome: Any) -> None:
    after = finish(ledger(), accepted(kind, generation=3), Finished(outcome), (), generation=5)
    assert after.latched == {kind.value: 3}
    assert after.retries == {kind.value: 1}


def test_failure_of_an_operation_that_wrote_no_generation_is_latched_for_the_present_spec() -> None:
    after = finish(ledger(), accepted(OperationType.UPGRADE, generation=0), Finished("failed"), (), generation=5)
    assert after.latched == {"Upgrade": 5}


def test_stuck_operation_is_not_over() -> None:
    assert finish(ledger(), accepted(OperationType.UPGRADE), Finished("stuck"), (), generation=3) == ledger()


def test_upgrade_that_succeeds_unlatches() -> None:
    before = ledger(latched={"Upgrade": 3, "Rollback": 3}, retries={"Upgrade": 2})
    after = finish(before, accepted(OperationType.UPGRADE), Finished("succeeded"), (), generation=3)
    assert (after.latched, after.retries) == ({}, {})


@pytest.mark.parametrize(
    ("result", "left"),
    [
        pytest.param({"dropped": []}, True, id="room for both"),
        pytest.param({"dropped": ["mooring_safety_1"]}, False, id="dropped to make room"),
        pytest.param(NotEnoughSpace("full").to_json(), True, id="refused before anything was dropped"),
        pytest.param(NoRoomLeft("full").to_json(), False, id="dropped in vain"),
    ],
)
@pytest.mark.parametrize("step", ["copy-database", "copy-filestore"])
def test_failed_upgrade_leaves_the_one_before_to_return_to_unless_its_copies_went(
    step: str, result: dict[str, object], *, left: bool
) -> None:
    before = ledger(previous=Previous("sha256:older", "op-0"))
    records = (record("stop"), replace(record(step), result=result), record("migrate"))
    after = finish(before, accepted(OperationType.UPGRADE), Finished("failed"), records, generation=3)
    assert (after.previous is not None) == left


def test_switch_moves_the_data_to_the_new_release_and_remembers_the_way_back() -> None:
    after = note_done(ledger(), accepted(OperationType.UPGRADE), SWITCH, at=AT)
    assert (after.runs, after.previous) == (NEXT.release.digest, Previous(release().release.digest, "op-1"))
    assert after.release(release().release.digest) is not None
    assert note_done(after, accepted(OperationType.UPGRADE), SWITCH, at=AT) == after


def test_switch_to_where_a_name_moved_pins_the_name_there() -> None:
    before = ledger(wanted_source=NEXT.release.source)
    assert note_done(before, accepted(OperationType.UPGRADE), SWITCH, at=AT).wanted == NEXT.release.digest
    other = ledger(wanted_source="odoo:other")
    assert note_done(other, accepted(OperationType.UPGRADE), SWITCH, at=AT).wanted == release().release.digest


def test_rollback_returns_once_and_holds_the_release_that_was_left_back() -> None:
    before = ledger(runs=NEXT.release.digest, previous=Previous(release().release.digest, "op-0"))
    asked = replace(accepted(OperationType.ROLLBACK), previous="op-0")
    after = note_done(before, asked, MARK, at=AT)
    assert (after.runs, after.previous) == (release().release.digest, None)
    assert note_done(after, asked, MARK, at=AT) == after
    ended = finish(after, accepted(OperationType.ROLLBACK), Finished("succeeded"), (), generation=9)
    assert ended.latched == {"Rollback": 3}


UPGRADED = "its data went back to before the upgrade"
RESTORED = "its data went back to before the restore"


@pytest.mark.parametrize(
    ("environment", "previous", "now", "held"),
    [
        pytest.param("Production", Previous("d", "op-0"), "", UPGRADED, id="upgrade"),
        pytest.param("Staging", Previous("d", "op-0"), "", "", id="staging"),
        pytest.param("Production", Previous("d", "op-0", OperationType.RESTORE), "since", "", id="restore"),
        pytest.param("Production", Previous("d", "op-0", OperationType.RESTORE), "", RESTORED, id="cron ran since"),
        pytest.param(
            "Production", Previous("d", "op-0", OperationType.RESTORE, "first", "then"), "two", "first", id="second"
        ),
    ],
)
def test_rollback_holds_cron_where_production_went_back_in_time(
    environment: str, previous: Previous, now: str, held: str
) -> None:
    before = ledger(environment=environment, previous=previous, cron_held=now)
    asked = replace(accepted(OperationType.ROLLBACK), previous="op-0", previous_kind=previous.kind)
    after = note_done(before, asked, MARK, at=AT)
    assert after.cron_held == held
    since = {UPGRADED: AT, RESTORED: AT, "first": previous.cron_held_since}
    assert after.cron_held_since == since.get(held, "")
    assert note_done(after, asked, MARK, at=AT) == after
    assert load_ledger(dump_ledger(before)) == before


@pytest.mark.parametrize("initialized", [True, False], ids=["over data", "from nothing"])
def test_restore_lets_in_once_and_can_be_returned_from_where_there_was_something(*, initialized: bool) -> None:
    source = {"source": {"snapshot": "s1"}}
    asked = replace(accepted(OperationType.RESTORE), spec=source, initialized=initialized)
    before = ledger(initialized=initialized, cron_held="earlier", cron_held_since="then")
    after = note_done(before, asked, LET_IN, at=AT)
    assert (after.initialized, after.runs, bool(after.cron_held)) == (True, release().release.digest, True)
    assert after.cron_held_since == AT
    kept = Previous(before.runs, asked.id, OperationType.RESTORE, "earlier", "then") if initialized else None
    assert after.previous == kept
    assert note_done(after, asked, LET_IN, at=AT) == after


@pytest.mark.parametrize(("kind", "stopped"), [(OperationType.STOP, True), (OperationType.START, False)])
def test_stop_and_start_are_remembered(kind: OperationType, *, stopped: bool) -> None:
    assert note_done(ledger(stopped=not stopped), accepted(kind), MARK, at=AT).stopped is stopped


@pytest.mark.parametrize(
    ("found", "initialized"),
    [
        pytest.param({"initialized": False}, False, id="empty"),
        pytest.param({"initialized": True, "pendingModules": []}, True, id="retained"),
        pytest.param({"initialized": True, "pendingModules": ["sale"]}, False, id="half initialized"),
        pytest.param(None, False, id="unknown"),
    ],
)
def test_provision_settles_where_and_what_and_takes_up_whole_data(found: Any, *, initialized: bool) -> None:
    done = accepted(OperationType.PROVISION)
    after = finish(Ledger(), done, Finished("succeeded"), (record(PROVISION, found),), generation=1)
    assert after.provisioned == place_of(done)
    assert (after.database, after.environment, after.owner_version) == ("default_shop", "Production", "v-owner")
    assert (after.initialized, after.runs) == (initialized, release().release.digest if initialized else "")


def test_provision_of_an_instance_that_runs_keeps_what_it_runs() -> None:
    before = ledger(runs=NEXT.release.digest)
    found = record(PROVISION, {"initialized": True, "pendingModules": []})
    after = finish(before, accepted(OperationType.PROVISION), Finished("succeeded"), (found,), generation=1)
    assert after.runs == NEXT.release.digest
