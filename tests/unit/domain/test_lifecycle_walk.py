# SPDX-License-Identifier: Apache-2.0
"""Every state with every snapshot: the table leads somewhere, comes to rest, and never breaks a safety rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from itertools import product

import pytest

from mooring.domain.lifecycle.table import EVERYWHERE, OUTPUTS, TABLE, Snapshot, State, next_state, output

FACTS = tuple(field.name for field in fields(Snapshot))
SNAPSHOTS = tuple(
    Snapshot(**dict(zip(FACTS, values, strict=True))) for values in product((False, True), repeat=len(FACTS))
)
WALK = tuple((state, seen, next_state(state, seen)) for state in State for seen in SNAPSHOTS)

STOPS_WEB = {State.PROVISIONING, State.INITIALIZING, State.INIT_FAILED, State.STOPPED, State.DELETING}


def _faults(broken: Callable[[State, Snapshot, State], bool]) -> list[tuple[State, Snapshot, State]]:
    return [step for step in WALK if broken(*step)][:3]


def test_walk_covers_every_combination_of_facts() -> None:
    assert len(set(SNAPSHOTS)) == 2 ** len(FACTS)


def test_next_state_every_snapshot_has_a_row() -> None:
    unruled = _faults(lambda state, seen, _: not any(state in row.sources and row.guard(seen) for row in TABLE))
    assert unruled == []


def test_next_state_same_snapshot_comes_to_rest_at_once() -> None:
    assert _faults(lambda _, seen, after: next_state(after, seen) is not after) == []


def test_next_state_depends_on_the_past_only_between_starting_and_degraded() -> None:
    for seen in SNAPSHOTS:
        ends = {next_state(state, seen) for state in State}
        assert len(ends) == 1 or ends == {State.STARTING, State.DEGRADED}, seen


def test_every_state_is_reachable_from_provisioning() -> None:
    reached, edge = {State.PROVISIONING}, {State.PROVISIONING}
    while edge:
        edge = {after for state, _, after in WALK if state in edge} - reached
        reached |= edge
    assert reached == set(State)


@pytest.mark.parametrize("state", State, ids=str)
def test_every_state_has_a_way_to_running(state: State) -> None:
    assert any(before is state and after is State.RUNNING for before, _, after in WALK)


def test_every_row_decides_something() -> None:
    used = {next(row for row in TABLE if state in row.sources and row.guard(seen)) for state, seen, _ in WALK}
    assert used == set(TABLE)


def test_every_guard_is_documented_for_the_diagram() -> None:
    assert all((row.guard.__doc__ or "").strip() for row in TABLE)
    assert all(row.sources <= EVERYWHERE for row in TABLE)


def test_outputs_cover_every_state() -> None:
    assert set(OUTPUTS) == set(State)
    assert {state for state in State if not output(state).web} == STOPS_WEB


def test_deletion_asked_wins_over_everything() -> None:
    assert _faults(lambda _, seen, after: seen.deleting is not (after is State.DELETING)) == []


def test_not_initialized_never_runs_web_or_cron() -> None:
    assert _faults(lambda _, seen, after: not seen.initialized and (output(after).web or output(after).cron)) == []


def test_initialized_never_initializes_again_whatever_is_missing() -> None:
    """Data missing or server gone must never end in an init over what was there."""
    assert _faults(lambda _, seen, after: seen.initialized and output(after).operation == "Init") == []
    assert _faults(lambda _, seen, after: seen.initialized and after is State.PROVISIONING) == []


def test_init_starts_only_where_wanted_provisioned_and_not_latched() -> None:
    def broken(_: State, seen: Snapshot, after: State) -> bool:
        return after is State.INITIALIZING and not (seen.provisioned and seen.init_wanted and not seen.init_latched)

    assert _faults(broken) == []


def test_stop_wanted_wins_over_running() -> None:
    def broken(_: State, seen: Snapshot, after: State) -> bool:
        return seen.stop_wanted and (output(after).web or output(after).cron)

    assert _faults(broken) == []


def test_stop_wanted_of_initialized_is_stopped_unless_deleted() -> None:
    def broken(_: State, seen: Snapshot, after: State) -> bool:
        return seen.stop_wanted and seen.initialized and not seen.deleting and after is not State.STOPPED

    assert _faults(broken) == []


def test_failed_init_stays_failed_while_latched() -> None:
    def broken(_: State, seen: Snapshot, after: State) -> bool:
        latched = seen.init_latched and not seen.initialized and not seen.deleting
        return latched is not (after is State.INIT_FAILED)

    assert _faults(broken) == []


def test_failed_upgrade_stays_failed_while_latched_and_runs_what_ran() -> None:
    def broken(_: State, seen: Snapshot, after: State) -> bool:
        latched = seen.upgrade_latched and seen.initialized and not seen.deleting and not seen.stop_wanted
        return latched is not (after is State.UPGRADE_FAILED)

    assert _faults(broken) == []
    assert output(State.UPGRADE_FAILED).web
    assert output(State.UPGRADE_FAILED).cron


@pytest.mark.parametrize("fact", ["ready", "server_ready", "data_present"])
def test_running_needs_every_part_to_answer(fact: str) -> None:
    assert _faults(lambda _, seen, after: after is State.RUNNING and not getattr(seen, fact)) == []


def test_running_that_loses_a_part_is_degraded_not_starting() -> None:
    def broken(before: State, seen: Snapshot, after: State) -> bool:
        return before in {State.RUNNING, State.DEGRADED} and after is State.STARTING

    assert _faults(broken) == []


def test_degraded_comes_only_from_what_ran() -> None:
    def broken(before: State, _: Snapshot, after: State) -> bool:
        return after is State.DEGRADED and before not in {State.RUNNING, State.DEGRADED}

    assert _faults(broken) == []


def test_settled_states_start_nothing_by_themselves() -> None:
    assert [state for state in State if output(state).settled and output(state).operation] == []


@pytest.mark.parametrize(
    ("seen", "path"),
    [
        pytest.param(
            [
                Snapshot(server_ready=False),
                Snapshot(provisioned=True),
                Snapshot(provisioned=True, initialized=True),
                Snapshot(provisioned=True, initialized=True, ready=True),
                Snapshot(initialized=True, ready=True, server_ready=False),
                Snapshot(provisioned=True, initialized=True, ready=True),
            ],
            ["Provisioning", "Initializing", "Starting", "Running", "Degraded", "Running"],
            id="bring-up-and-server-restart",
        ),
        pytest.param(
            [
                Snapshot(provisioned=True),
                Snapshot(provisioned=True, init_latched=True),
                Snapshot(provisioned=False, server_ready=False, init_latched=True),
                Snapshot(provisioned=True),
            ],
            ["Initializing", "InitFailed", "InitFailed", "Initializing"],
            id="init-fails-and-is-asked-again",
        ),
        pytest.param(
            [
                Snapshot(initialized=True, ready=True, upgrade_latched=True),
                Snapshot(initialized=True, stop_wanted=True, upgrade_latched=True),
                Snapshot(initialized=True, upgrade_latched=True),
                Snapshot(initialized=True, ready=True),
            ],
            ["UpgradeFailed", "Stopped", "UpgradeFailed", "Running"],
            id="failed-upgrade-stopped-and-mended",
        ),
        pytest.param(
            [
                Snapshot(provisioned=True, init_wanted=False),
                Snapshot(provisioned=True, init_wanted=False, initialized=True),
            ],
            ["Provisioning", "Starting"],
            id="empty-on-purpose-until-restored",
        ),
        pytest.param(
            [Snapshot(initialized=True, ready=True), Snapshot(initialized=True, data_present=False)],
            ["Running", "Degraded"],
            id="data-lost-while-running",
        ),
    ],
)
def test_life_of_an_instance_follows_what_is_seen(seen: list[Snapshot], path: list[str]) -> None:
    state, states = State.PROVISIONING, []
    for moment in seen:
        state = next_state(state, moment)
        states.append(str(state))
    assert states == path
