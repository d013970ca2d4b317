# SPDX-License-Identifier: Apache-2.0
"""How an operation goes forward, back, and ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mooring.domain.model.observed import Observed, Replica, WorkloadSeen
from mooring.domain.operations.advance import advance
from mooring.domain.operations.journal import StepRecord
from mooring.domain.operations.moves import Cancel, Finished, Purge, Record, Seen, Start, Wait
from mooring.domain.operations.plan import NO_HOLD, Gone, Hold, Plan, Ready, RemoveVolumes, Step, When
from mooring.domain.operations.progress import hold
from mooring.domain.task import TaskState

from .operation_world import SHOP, START, World, note, plan, run, step, task

QUIET = Hold(web=True, cron=True, reason="data is replaced")
THREE = plan(step("copy", undo=True), step("change", undo=True), step("check", undo=True), cleanup=(step("sweep"),))


def test_advance_every_task_succeeds_ends_in_order_with_cleanup() -> None:
    end, world = run(THREE)
    assert end == Finished("succeeded")
    assert world.started() == ["copy-1", "change-1", "check-1", "sweep-1"]


def test_advance_result_of_a_task_is_recorded() -> None:
    _, world = run(plan(step("copy")))
    assert [record.result for record in world.log] == [None, {"of": "copy-1"}]


def test_advance_empty_plan_succeeds_at_once() -> None:
    end, world = run(plan())
    assert (end, world.log) == (Finished("succeeded"), [])


@pytest.mark.parametrize(
    ("key", "tasks"),
    [
        pytest.param("of", ["look-1", "copy-1", "sweep-1"], id="there is something"),
        pytest.param("nothing", ["look-1"], id="there is nothing"),
    ],
)
def test_advance_steps_that_a_result_leaves_out_are_passed_over(key: str, tasks: list[str]) -> None:
    when = When("look", key)
    end, world = run(
        plan(
            step("look"),
            replace(step("copy", undo=True), when=when),
            replace(note("switch"), when=when),
            cleanup=(replace(step("sweep"), when=when),),
            no_return="switch",
        )
    )
    assert end == Finished("succeeded")
    assert world.started() == tasks


def test_advance_cancel_lets_a_note_that_was_intended_be_recorded() -> None:
    # Its effect is written before its record: taking back what it already counts as done would part the two.
    world = World(plan(step("copy", undo=True), note("switch"), no_return="switch"))
    while world.states()[-1:] != ["switch intended"]:
        world.move()
    seen = replace(world.look(), cancelled=True)
    move = advance(world.plan, world.log, seen, world.now)
    assert isinstance(move, Record)
    assert (move.record.step, move.record.state) == ("switch", "done")


def test_advance_cancel_passes_over_steps_that_are_left_out() -> None:
    chosen = plan(step("look"), replace(step("copy"), when=When("look", "nothing")), step("last"))
    _, world = run(chosen, cancel_at=4)
    assert "copy" not in {record.step for record in world.log}
    assert world.log[-1].state == "failed"


@pytest.mark.parametrize(
    ("failing", "tasks"),
    [
        pytest.param("copy-1", ["copy-1", "undo-copy-1", "sweep-1"], id="first"),
        pytest.param("change-1", ["copy-1", "change-1", "undo-change-1", "undo-copy-1", "sweep-1"], id="middle"),
        pytest.param(
            "check-1",
            ["copy-1", "change-1", "check-1", "undo-check-1", "undo-change-1", "undo-copy-1", "sweep-1"],
            id="last",
        ),
    ],
)
def test_advance_task_fails_undoes_what_was_begun_from_the_last(failing: str, tasks: list[str]) -> None:
    end, world = run(THREE, outcomes={failing: "fail"})
    assert end == Finished("failed", {"reason": "Broke", "brief": failing}, f"log {failing}")
    assert world.started() == tasks


def test_advance_step_without_undo_is_passed_over() -> None:
    _, world = run(plan(step("copy", undo=True), step("look"), step("change")), outcomes={"change-1": "fail"})
    assert world.started() == ["copy-1", "look-1", "change-1", "undo-copy-1"]


@pytest.mark.parametrize(
    ("outcomes", "tasks", "outcome"),
    [
        pytest.param({"copy-1": "fail"}, ["copy-1", "copy-2"], "succeeded", id="second-attempt-helps"),
        pytest.param(
            {"copy-1": "fail", "copy-2": "fail", "copy-3": "fail"},
            ["copy-1", "copy-2", "copy-3", "undo-copy-1"],
            "failed",
            id="attempts-used-up",
        ),
        pytest.param({"copy-1": "never"}, ["copy-1", "undo-copy-1"], "failed", id="retry-cannot-help"),
        pytest.param(
            {"copy-1": "fail", "copy-2": "never"},
            ["copy-1", "copy-2", "undo-copy-1"],
            "failed",
            id="second-attempt-shows-that-retry-cannot-help",
        ),
    ],
)
def test_advance_failed_task_is_tried_as_often_as_it_may(outcomes: Any, tasks: list[str], outcome: str) -> None:
    end, world = run(plan(step("copy", undo=True, attempts=3)), outcomes=outcomes)
    assert (end.outcome, world.started()) == (outcome, tasks)


def test_advance_cleanup_is_tried_as_often_as_it_may() -> None:
    end, world = run(plan(cleanup=(step("sweep", attempts=2),)), outcomes={"sweep-1": "fail"})
    assert (end.outcome, world.started()) == ("succeeded", ["sweep-1", "sweep-2"])


@pytest.mark.parametrize(
    ("outcomes", "outcome"),
    [
        pytest.param({"sweep-1": "fail"}, "succeeded", id="after-success"),
        pytest.param({"sweep-1": "fail", "change-1": "fail"}, "failed", id="after-undo"),
    ],
)
def test_advance_cleanup_fails_changes_no_outcome_and_the_next_runs(outcomes: Any, outcome: str) -> None:
    of = replace(THREE, cleanup=(step("sweep"), step("tell")))
    end, world = run(of, outcomes=outcomes)
    assert end.outcome == outcome
    assert (end.error or {}).get("brief") == (None if outcome == "succeeded" else "change-1")
    assert world.states()[-4:] == ["sweep intended", "sweep failed", "tell intended", "tell done"]


@pytest.mark.parametrize(
    ("outcomes", "tasks"),
    [
        pytest.param({}, ["sweep-1", "tell-1"], id="after-success"),
        pytest.param({"change-1": "fail"}, ["tell-1"], id="after-undo"),
    ],
)
def test_advance_cleanup_for_success_alone_is_left_out_after_a_failure(outcomes: Any, tasks: list[str]) -> None:
    of = replace(THREE, cleanup=(replace(step("sweep"), after_success=True), step("tell")))
    _, world = run(of, outcomes=outcomes)
    assert [one for one in world.started() if one.startswith(("sweep", "tell"))] == tasks


# Cancelling


def test_advance_cancelled_before_anything_begun_undoes_nothing() -> None:
    end, world = run(THREE, cancel_at=0)
    assert end.outcome == "cancelled"
    assert world.started() == ["sweep-1"]


@pytest.mark.parametrize("at", range(16))
def test_advance_cancelled_at_any_move_undoes_exactly_what_was_begun(at: int) -> None:
    of = replace(THREE, cleanup=())
    end, world = run(of, cancel_at=at)
    begun = [record.step for record in world.log if record.state == "intended"]
    undone = [record.step for record in world.log if record.state == "undone"]
    if end.outcome == "succeeded":
        assert (begun, undone) == (["copy", "change", "check"], [])
    else:
        assert end.outcome == "cancelled"
        assert undone == begun[::-1]
        assert end.error is not None
        assert end.error["reason"] == "Cancelled"


def test_advance_cancelled_while_a_task_runs_waits_for_its_end() -> None:
    world = World(THREE, cancel_at=2)
    moves = [world.move() for _ in range(4)]
    assert isinstance(moves[1], Start)
    assert moves[2] == Cancel("copy-1")
    assert isinstance(moves[3], Record)
    assert world.states() == ["copy intended", "copy failed"]


def test_advance_cancelled_between_two_attempts_is_cancelled_not_failed() -> None:
    of = plan(step("copy", undo=True, attempts=2))
    failed = next(
        at for at in range(20) if World(of, outcomes={"copy-1": "fail"}).states() is not None and _failed_after(of, at)
    )
    end, world = run(of, outcomes={"copy-1": "fail"}, cancel_at=failed)
    assert end.outcome == "cancelled"
    assert world.started() == ["copy-1", "undo-copy-1"]


def _failed_after(of: Plan, moves: int) -> bool:
    world = World(of, outcomes={"copy-1": "fail"})
    for _ in range(moves):
        world.move()
    return world.states()[-1:] == ["copy failed"]


def test_advance_cancelled_after_the_last_step_succeeds() -> None:
    of = plan(step("copy", undo=True), cleanup=(step("sweep"),))
    world = World(of)
    while world.states()[-1:] != ["copy done"]:
        world.move()
    world.cancel_at = len(world.moves)
    assert world.run() == Finished("succeeded")


def test_advance_cancelled_past_the_point_of_no_return_goes_on() -> None:
    of = plan(step("copy", undo=True), note("let-in"), step("tell"), no_return="let-in")
    world = World(of)
    while world.states()[-1:] != ["let-in done"]:
        world.move()
    world.cancel_at = len(world.moves)
    assert world.run() == Finished("succeeded")
    assert world.started() == ["copy-1", "tell-1"]


# The point of no return


def test_advance_failure_past_the_point_of_no_return_undoes_nothing_and_holds_nothing() -> None:
    of = plan(
        step("copy", undo=True),
        note("let-in"),
        step("tell", undo=True, hold=Hold(cron=True)),
        no_return="let-in",
    )
    end, world = run(of, outcomes={"tell-1": "fail"})
    assert end.outcome == "failed"
    assert world.started() == ["copy-1", "tell-1"]
    assert hold(of, world.log) == NO_HOLD


def test_advance_failure_past_the_point_of_no_return_still_uses_its_attempts() -> None:
    of = plan(note("let-in"), step("tell", attempts=2), no_return="let-in")
    end, world = run(of, outcomes={"tell-1": "fail"})
    assert (end.outcome, world.started()) == ("succeeded", ["tell-1", "tell-2"])


def test_advance_step_of_no_return_that_fails_is_undone() -> None:
    of = plan(step("copy", undo=True), step("let-in"), no_return="let-in")
    end, world = run(of, outcomes={"let-in-1": "fail"})
    assert (end.outcome, world.started()) == ("failed", ["copy-1", "let-in-1", "undo-copy-1"])


# An undo that fails


def _stuck(**given: Any) -> World:
    of = plan(step("copy", undo=True, hold=QUIET), step("change", undo=True, **given), step("check"))
    world = World(of, outcomes={"check-1": "fail", "undo-change-1": "fail"})
    assert world.run() == Finished("stuck", {"reason": "Broke", "brief": "undo-change-1"}, "log undo-change-1")
    return world


def test_advance_undo_fails_is_stuck_and_keeps_the_hold() -> None:
    world = _stuck()
    assert hold(world.plan, world.log) == QUIET
    assert "undo-copy-1" not in world.started()
    assert world.run().outcome == "stuck"


def test_advance_stuck_undo_asked_again_goes_on_and_lets_go() -> None:
    world = _stuck()
    world.retries = 1
    end = world.run()
    assert (end.outcome, (end.error or {})["brief"]) == ("failed", "check-1")
    assert world.started()[-2:] == ["undo-change-2", "undo-copy-1"]
    assert hold(world.plan, world.log) == NO_HOLD


def test_advance_stuck_undo_asked_again_fails_again_stays_stuck() -> None:
    world = _stuck()
    world.outcomes = {"undo-change-2": "fail", "undo-copy-1": "ok"}
    world.retries = 1
    assert world.run().outcome == "stuck"
    world.retries = 2
    assert world.run().outcome == "failed"
    assert world.started()[-3:] == ["undo-change-2", "undo-change-3", "undo-copy-1"]


def test_advance_one_request_to_retry_serves_one_stuck_undo_only() -> None:
    world = _stuck()
    world.outcomes = {"undo-copy-1": "fail"}
    world.retries = 1
    assert world.run().outcome == "stuck"
    assert world.started()[-1] == "undo-copy-1"


def test_advance_undo_that_retry_cannot_help_is_stuck_at_once() -> None:
    of = plan(step("copy", undo=True, undo_attempts=3), step("change"))
    world = World(of, outcomes={"change-1": "fail", "undo-copy-1": "never"})
    assert world.run().outcome == "stuck"
    assert world.started()[-1] == "undo-copy-1"
    world.retries = 1
    assert world.run().outcome == "failed"


def test_advance_undo_is_tried_as_often_as_it_may() -> None:
    of = plan(step("copy", undo=True, undo_attempts=2), step("change"))
    end, world = run(of, outcomes={"change-1": "fail", "undo-copy-1": "fail"})
    assert (end.outcome, world.started()[-1]) == ("failed", "undo-copy-2")


# Holds


def test_hold_follows_the_step_that_was_intended_last() -> None:
    old = Hold(cron=True, release="old")
    of = plan(step("a"), step("b", hold=QUIET), step("c", hold=old), step("d"))
    world = World(of)
    held = {}
    while not isinstance(world.move(), Finished):
        held[world.states()[-1]] = hold(of, world.log)
    assert held == {
        "a intended": NO_HOLD,
        "a done": NO_HOLD,
        "b intended": QUIET,
        "b done": QUIET,
        "c intended": old,
        "c done": old,
        "d intended": NO_HOLD,
        "d done": NO_HOLD,
    }


def test_hold_ends_with_the_last_step_not_with_the_cleanup() -> None:
    of = plan(step("a", hold=QUIET), cleanup=(step("sweep", hold=QUIET),))
    world = World(of)
    while world.states()[-1:] != ["sweep intended"]:
        world.move()
    assert hold(of, world.log) == NO_HOLD


def test_hold_while_taken_back_is_the_strongest_of_what_was_begun() -> None:
    of = plan(
        step("a", undo=True, hold=Hold(cron=True, release="old")),
        step("b", undo=True, hold=Hold(web=True)),
        step("c", hold=Hold(reason="weak")),
    )
    world = World(of, outcomes={"c-1": "fail"})
    while world.states()[-1:] != ["a undoing"]:
        world.move()
    assert hold(of, world.log) == Hold(web=True, cron=True, release="old", reason="weak")


def test_hold_of_an_undo_is_in_force_while_it_runs() -> None:
    back = Step("undo-a", "test", task("undo-a"), hold=Hold(web=True, reason="back"))
    of = plan(Step("a", "test", task("a"), undo=back))
    world = World(of, outcomes={"a-1": "fail"})
    while world.states()[-1:] != ["a undoing"]:
        world.move()
    assert hold(of, world.log) == Hold(web=True, reason="back")


def test_hold_stays_between_two_attempts() -> None:
    of = plan(step("a", hold=QUIET, attempts=2))
    world = World(of, outcomes={"a-1": "fail"})
    while world.states()[-1:] != ["a failed"]:
        world.move()
    assert hold(of, world.log) == QUIET


# Barriers


def _seen(*replicas: Replica, after: timedelta, live: bool = True, pending: bool = False) -> Seen:
    web = {"web": WorkloadSeen("web", replicas)}
    return Seen(Observed(SHOP, START + after, live=live, workloads=web), {}, pending=pending)


def _at_barrier(action: Gone | Ready, seen: Seen, *, waited: timedelta = timedelta(seconds=5)) -> Any:
    of = plan(Step("barrier", "test", action, hold=QUIET, deadline=timedelta(minutes=2)))
    return advance(of, [StepRecord("barrier", 1, START, "intended")], seen, START + waited)


SOON = timedelta(seconds=1)
UP = Replica("web-0", running=True, ready=True)
DOWN = Replica("web-0", running=False, ready=False, exit_code=0)
GONE = Gone(("web",))
READY = Ready((("web", 1),))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(_seen(after=SOON, live=False), id="cached"),
        pytest.param(_seen(after=-SOON), id="older-than-the-intention"),
        pytest.param(_seen(after=timedelta()), id="as-old-as-the-intention"),
        pytest.param(_seen(UP, after=SOON), id="still-running"),
        pytest.param(_seen(DOWN, after=SOON), id="stopped-but-may-be-restarted"),
        pytest.param(_seen(after=SOON, pending=True), id="hold-not-carried-out"),
    ],
)
def test_gone_waits_for_a_live_look(seen: Seen) -> None:
    move = _at_barrier(GONE, seen)
    assert isinstance(move, Wait)
    assert move.live


@pytest.mark.parametrize("action", [pytest.param(GONE, id="gone"), pytest.param(READY, id="ready")])
@pytest.mark.parametrize(
    ("after", "at_once"), [pytest.param(-SOON, True, id="before the step"), pytest.param(SOON, False, id="after it")]
)
def test_barrier_looks_again_at_once_only_where_its_look_was_before_the_step(
    action: Gone | Ready, after: timedelta, *, at_once: bool
) -> None:
    move = _at_barrier(action, _seen(replace(UP, ready=False), after=after))
    assert isinstance(move, Wait)
    assert (move.seconds == 0.0) is at_once


def test_gone_live_and_newer_and_empty_is_done() -> None:
    move = _at_barrier(GONE, _seen(after=SOON))
    assert isinstance(move, Record)
    assert move.record.state == "done"


def test_gone_too_slow_fails_and_names_what_is_left() -> None:
    move = _at_barrier(GONE, _seen(UP, after=timedelta(minutes=3)), waited=timedelta(minutes=3))
    assert isinstance(move, Record)
    assert move.record.state == "failed"
    assert "web-0" in move.record.result["brief"]


DIES = Replica("web-0", running=True, ready=False, restarts=3, log_tail="ImportError")


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(_seen(after=SOON), id="none"),
        pytest.param(_seen(replace(UP, ready=False), after=SOON), id="not-answering"),
        pytest.param(_seen(replace(UP, running=False), after=SOON), id="not-running"),
        pytest.param(_seen(UP, after=SOON, pending=True), id="changes-pending"),
        pytest.param(_seen(UP, after=-SOON), id="seen-before-the-intention"),
        pytest.param(_seen(replace(DIES, restarts=2), after=SOON), id="died-twice"),
        pytest.param(_seen(DIES, after=SOON, pending=True), id="what-dies-is-about-to-be-replaced"),
        pytest.param(_seen(DIES, after=-SOON), id="what-died-before"),
    ],
)
def test_ready_waits(seen: Seen) -> None:
    assert isinstance(_at_barrier(READY, seen), Wait)


def test_ready_answers_without_pending_changes_is_done() -> None:
    move = _at_barrier(READY, _seen(UP, after=SOON))
    assert isinstance(move, Record)
    assert move.record.state == "done"


def test_ready_replica_that_keeps_dying_fails_with_its_log() -> None:
    move = _at_barrier(READY, _seen(DIES, after=SOON))
    assert isinstance(move, Record)
    assert (move.record.state, move.record.log_tail) == ("failed", "ImportError")
    assert "web-0" in move.record.result["brief"]


@pytest.mark.parametrize(
    ("seen", "named"),
    [
        pytest.param(_seen(after=SOON), "web", id="not-ready"),
        pytest.param(_seen(UP, after=SOON, pending=True), "changes", id="changes-pending"),
    ],
)
def test_ready_too_slow_fails_and_names_what_it_waited_for(seen: Seen, named: str) -> None:
    move = _at_barrier(READY, seen, waited=timedelta(minutes=3))
    assert isinstance(move, Record)
    assert move.record.state == "failed"
    assert f"not ready: {named}" in move.record.result["brief"]


def test_ready_fails_in_a_run_undoes_and_keeps_the_log() -> None:
    of = plan(step("copy", undo=True), Step("up", "test", READY))
    end, world = run(of, dying=["web"])
    assert (end.outcome, end.log_tail) == ("failed", "why")
    assert world.started() == ["copy-1", "undo-copy-1"]


def test_gone_then_ready_in_a_run_sees_both() -> None:
    of = plan(Step("down", "test", Gone(("web", "cron")), hold=QUIET), Step("up", "test", Ready((("web", 1),))))
    end, world = run(of)
    assert end == Finished("succeeded")
    assert world.states() == ["down intended", "down done", "up intended", "up done"]


def test_gone_of_a_process_that_stays_fails_at_its_deadline() -> None:
    of = plan(Step("down", "test", Gone(("web",)), hold=QUIET), step("swap"))
    end, world = run(of, stubborn=["web"])
    assert end.outcome == "failed"
    assert world.started() == []


# Other actions, and what failures carry


def test_purge_is_carried_out_before_it_is_recorded() -> None:
    world = World(plan(Step("purge", "test", RemoveVolumes())))
    moves = [world.move() for _ in range(4)]
    assert isinstance(moves[1], Purge)
    assert world.states() == ["purge intended", "purge done"]


def test_purge_killed_after_it_is_purged_again() -> None:
    world = World(plan(Step("purge", "test", RemoveVolumes())), kills={1: "after"})
    assert world.run() == Finished("succeeded")
    assert sum(isinstance(move, Purge) for move in world.moves) == 2


@pytest.mark.parametrize("phase", ["absent", "pending"])
def test_task_not_yet_running_is_started_or_adopted(phase: Any) -> None:
    log = [StepRecord("copy", 2, START, "intended", "copy-2")]
    seen = Seen(Observed(SHOP, START), {"copy-2": TaskState(phase)})
    move = advance(plan(step("copy", attempts=2)), log, seen, START)
    assert isinstance(move, Start)
    assert (move.task.name, move.task.fence) == ("copy-2", 2)


ERROR_KEYS = {"code", "reason", "brief", "details", "resolution", "retry"}


def _error(**given: Any) -> Mapping[str, str]:
    end, _ = run(**given)
    assert end.error is not None
    return end.error


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"of": plan(step("a")), "cancel_at": 1}, "Cancelled", id="cancelled"),
        pytest.param({"of": plan(Step("a", "test", READY)), "dying": ["web"]}, "ReplicaDies", id="dies"),
        pytest.param({"of": plan(Step("a", "test", GONE, hold=QUIET)), "stubborn": ["web"]}, "StepTooSlow", id="slow"),
    ],
)
def test_failure_that_advance_finds_is_a_whole_error_object(given: Any, reason: str) -> None:
    error = _error(**given)
    assert set(error) == ERROR_KEYS
    assert error["reason"] == reason
    assert error["brief"].endswith(".")
    assert error["resolution"].endswith(".")


def test_failed_task_without_an_error_gets_one() -> None:
    log = [StepRecord("a", 1, START, "intended", "a-1")]
    seen = Seen(Observed(SHOP, START), {"a-1": TaskState("failed", exit_code=137, log_tail="Killed")})
    move = advance(plan(step("a")), log, seen, START)
    assert isinstance(move, Record)
    assert set(move.record.result) == ERROR_KEYS
    assert move.record.log_tail == "Killed"
