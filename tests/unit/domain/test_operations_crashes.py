# SPDX-License-Identifier: Apache-2.0
"""Any plan, any outcome, killed between any two moves: the same end, and no rule of safety broken on the way.

The rules that hold at every move stand in `operation_world.World`; here are those of the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mooring.domain.operations.moves import Finished
from mooring.domain.operations.plan import (
    NO_HOLD,
    Action,
    Gone,
    Hold,
    Note,
    OperationType,
    Plan,
    Ready,
    RemoveVolumes,
    Step,
)
from mooring.domain.operations.progress import hold

from .operation_world import Loss, Outcome, World, step, task

MOST_ATTEMPTS = 3
HOLDS = st.builds(
    Hold, web=st.booleans(), cron=st.booleans(), release=st.sampled_from(["", "old"]), reason=st.just("r")
)


def _actions(name: str) -> st.SearchStrategy[Action]:
    return st.one_of(
        st.just(task(name)),
        st.just(task(name)),
        st.sampled_from([Gone(("web",)), Gone(("web", "cron"))]),
        st.sampled_from([Ready((("web", 1),)), Ready((("cron", 1), ("web", 1)))]),
        st.just(Note()),
        st.just(RemoveVolumes()),
    )


@st.composite
def _steps(draw: st.DrawFn, prefix: str, most: int, *, undo: bool) -> tuple[Step, ...]:
    return tuple(
        Step(
            name,
            "test",
            draw(_actions(name)),
            hold=draw(HOLDS),
            undo=step(f"undo-{name}", attempts=draw(st.integers(1, 2)), hold=draw(HOLDS))
            if undo and draw(st.booleans())
            else None,
            attempts=draw(st.integers(1, MOST_ATTEMPTS)),
        )
        for name in (f"{prefix}{number}" for number in range(draw(st.integers(0, most))))
    )


@dataclass(frozen=True)
class Scenario:
    """A plan and how the world treats it."""

    plan: Plan
    outcomes: dict[str, Outcome]
    cancel_at: int | None
    dying: tuple[str, ...]
    stubborn: tuple[str, ...]

    def world(self, kills: dict[int, Loss] | None = None) -> World:
        """A fresh world for this scenario."""
        return World(
            self.plan,
            outcomes=self.outcomes,
            cancel_at=self.cancel_at,
            kills=kills or {},
            dying=self.dying,
            stubborn=self.stubborn,
        )


@st.composite
def _scenarios(draw: st.DrawFn, *, cancels: bool = True) -> Scenario:
    steps = draw(_steps("s", 4, undo=True))
    names = [one.name for one in steps]
    of = Plan(
        OperationType.UPGRADE,
        steps,
        cleanup=draw(_steps("c", 2, undo=False)),
        point_of_no_return=draw(st.sampled_from([None, None, *names])),
    )
    stems = [*names, *(f"undo-{name}" for name in names), "c0", "c1"]
    tasks = st.sampled_from([f"{stem}-{attempt}" for stem in stems for attempt in range(1, MOST_ATTEMPTS + 1)])
    ends: list[Outcome] = ["fail", "fail", "never"]
    roles = st.lists(st.sampled_from(["web", "cron"]), unique=True, max_size=1).map(tuple)
    return Scenario(
        of,
        outcomes=draw(st.dictionaries(tasks, st.sampled_from(ends), max_size=8)),
        cancel_at=draw(st.none() | st.integers(0, 30)) if cancels else None,
        dying=draw(roles),
        stubborn=draw(roles),
    )


LOSSES: list[Loss] = ["before", "after"]
KILLS = st.dictionaries(st.integers(0, 40), st.sampled_from(LOSSES), max_size=10)


def _check_end(world: World, end: Finished) -> None:
    of, log = world.plan, world.log
    steps = {one.name: one for one in of.steps}
    last = {record.step: record.state for record in log if record.state in ("intended", "done", "failed")}
    begun = list(dict.fromkeys(record.step for record in log if record.state == "intended" and record.step in steps))
    undone = [record.step for record in log if record.state == "undone"]
    to_undo = [name for name in reversed(begun) if steps[name].undo is not None]
    let_in = of.point_of_no_return is not None and last.get(of.point_of_no_return) == "done"

    assert begun == list(steps)[: len(begun)], "steps begin in order, none is passed over"
    assert all(times == 1 for times in world.made.values()), "no task was made twice"
    assert (end.outcome == "succeeded") is (all(last.get(name) == "done" for name in steps) and end.outcome != "stuck")
    assert (end.error is None) is (end.outcome == "succeeded")
    match end.outcome:
        case "stuck":
            assert undone == to_undo[: len(undone)]
            assert len(undone) < len(to_undo)
            for name in begun:
                assert hold(of, log).web >= steps[name].hold.web
                assert hold(of, log).cron >= steps[name].hold.cron
        case "succeeded":
            assert undone == []
            assert hold(of, log) == NO_HOLD
        case "failed" | "cancelled":
            assert undone == ([] if let_in else to_undo)
            assert hold(of, log) == NO_HOLD
            assert not (let_in and end.outcome == "cancelled")


@settings(deadline=None, max_examples=300)
@given(_scenarios(), KILLS)
def test_any_plan_with_any_kills_ends_within_its_rules(scenario: Scenario, kills: dict[int, Loss]) -> None:
    world = scenario.world(kills)
    _check_end(world, world.run())


@settings(deadline=None, max_examples=200)
@given(_scenarios(cancels=False), KILLS)
def test_killed_run_ends_as_the_one_that_was_not(scenario: Scenario, kills: dict[int, Loss]) -> None:
    whole, killed = scenario.world(), scenario.world(kills)
    assert killed.run() == whole.run()
    assert killed.states() == whole.states()
    assert killed.made == whole.made


@settings(deadline=None, max_examples=100)
@given(_scenarios(), KILLS)
def test_stuck_run_that_is_asked_again_until_it_works_ends_with_everything_undone(
    scenario: Scenario, kills: dict[int, Loss]
) -> None:
    world = scenario.world(kills)
    end = world.run()
    while end.outcome == "stuck":
        world.retries += 1
        assert world.retries < 20
        end = world.run()
    _check_end(world, end)


FULL = Plan(
    OperationType.UPGRADE,
    (
        Step("stop", "test", Gone(("web", "cron")), hold=Hold(web=True, cron=True)),
        step("copy", hold=Hold(web=True, cron=True), undo=True, attempts=2),
        step("change", hold=Hold(web=True, cron=True, release="new"), undo=True),
        Step("serve", "test", Ready((("web", 1),)), hold=Hold(cron=True)),
        Step("let-in", "test", Note()),
    ),
    cleanup=(step("sweep"),),
    point_of_no_return="let-in",
)
ENDS: dict[str, dict[str, Outcome]] = {
    "good": {},
    "second-attempt": {"copy-1": "fail"},
    "bad": {"change-1": "fail"},
    "stuck": {"change-1": "fail", "undo-copy-1": "fail"},
}


@pytest.mark.parametrize("outcomes", [pytest.param(value, id=name) for name, value in ENDS.items()])
@pytest.mark.parametrize("loss", LOSSES)
def test_upgrade_killed_at_every_single_move_ends_the_same(outcomes: dict[str, Outcome], loss: Loss) -> None:
    whole = World(FULL, outcomes=outcomes)
    end = whole.run()
    for number in range(len(whole.moves)):
        killed = World(FULL, outcomes=outcomes, kills={number: loss})
        assert killed.run() == end
        assert (killed.states(), killed.made) == (whole.states(), whole.made)


@pytest.mark.parametrize("outcomes", [pytest.param(value, id=name) for name, value in ENDS.items()])
def test_upgrade_cancelled_at_every_single_move_is_undone_or_finished(outcomes: dict[str, Outcome]) -> None:
    whole = World(FULL, outcomes=outcomes)
    whole.run()
    for number in range(len(whole.moves)):
        world = World(FULL, outcomes=outcomes, cancel_at=number)
        _check_end(world, world.run())
