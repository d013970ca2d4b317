# SPDX-License-Identifier: Apache-2.0
"""How far an operation is, read from its plan and its journal alone, so that it survives every restart. Pure.

Called by `advance`, which decides the next move, and by whoever has to know what an operation holds or waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mooring.domain.operations.journal import RecordState, StepRecord
from mooring.domain.operations.plan import NO_HOLD, Hold, Plan, Step

FORWARD: frozenset[RecordState] = frozenset({"intended", "done", "failed"})
BACKWARD: frozenset[RecordState] = frozenset({"undoing", "undone", "undo-failed"})


def current_task(log: Sequence[StepRecord]) -> str | None:
    """Name of the task whose state the next move depends on; None when it depends on none."""
    return log[-1].task if log and log[-1].state in ("intended", "undoing") else None


def hold(plan: Plan, log: Sequence[StepRecord]) -> Hold:
    """What the operation forbids now: follows from the journal alone, so it survives every restart.

    The hold of the step that was intended last, or of the first before any was. While things are taken back, the strongest
    hold of what was intended, forward and back, stays in force, also when taking back is stuck. Nothing is held once the
    operation is over.
    """
    if not log:
        # Accepted: nothing may roll what the first step is about to take away.
        return plan.steps[0].hold if plan.steps else NO_HOLD
    steps = {step.name: step for step in plan.steps}
    forward = [steps[record.step] for record in log if record.state == "intended" and record.step in steps]
    if not forward:
        return NO_HOLD
    if undo_wanted(plan, log):
        if undo_left(plan, log) is None:
            return NO_HOLD
        undos = [steps[record.step].undo for record in log if record.state == "undoing" and record.step in steps]
        holds = [step.hold for step in (*forward, *undos) if step is not None]
        return Hold(
            web=any(one.web for one in holds),
            cron=any(one.cron for one in holds),
            release=next((one.release for one in holds if one.release), ""),
            reason=next((one.reason for one in reversed(holds) if one.reason), ""),
        )
    if forward_done(plan, log) or failure_of(plan, log) is not None:
        return NO_HOLD  # the latter past the point of no return: it is over, and users are in
    return forward[-1].hold


def undo_wanted(plan: Plan, log: Sequence[StepRecord]) -> bool:
    """Whether what was done is taken back: it is already, or a step failed for good before anybody was let in."""
    if any(record.state in BACKWARD for record in log):
        return True
    if past_return(plan, log):
        return False
    return failure_of(plan, log) is not None


def failure_of(plan: Plan, log: Sequence[StepRecord]) -> StepRecord | None:
    """The record of the step that failed for good; None while no step did."""
    for step in plan.steps:
        last = last_record(log, step.name, FORWARD)
        if last is not None and last.state == "failed" and not may_try_again(step, last):
            return last
    return None


def times_stuck(plan: Plan, log: Sequence[StepRecord]) -> int:
    """How often taking back failed for good."""
    undos = {step.name: step.undo for step in plan.steps}
    failed = [(undos.get(record.step), record) for record in log if record.state == "undo-failed"]
    return sum(undo is not None and not may_try_again(undo, record) for undo, record in failed)


def undo_left(plan: Plan, log: Sequence[StepRecord]) -> tuple[str, Step] | None:
    """Name of the step that is taken back next, and its undo; None when all is taken back."""
    for step in reversed(plan.steps):
        begun = any(record.step == step.name and record.state == "intended" for record in log)
        if begun and step.undo is not None and last_state(log, step.name, BACKWARD) != "undone":
            return step.name, step.undo
    return None


def past_return(plan: Plan, log: Sequence[StepRecord]) -> bool:
    """Whether users may have written since."""
    return plan.point_of_no_return is not None and last_state(log, plan.point_of_no_return, FORWARD) == "done"


def forward_done(plan: Plan, log: Sequence[StepRecord]) -> bool:
    """Whether every step that was not left out is done."""
    return all(last_state(log, step.name, FORWARD) == "done" for step in chosen(plan.steps, log))


def results_of(log: Sequence[StepRecord]) -> dict[str, Any]:
    """The results of the steps that are done, by name."""
    return {one.step: one.result for one in log if one.state == "done"}


def chosen(steps: Sequence[Step], log: Sequence[StepRecord]) -> list[Step]:
    """The steps without those that an earlier one's result leaves out; those that are not decided yet are in it."""
    results = results_of(log)
    return [step for step in steps if step.when is None or not step.when.left_out(results)]


def last_record(log: Sequence[StepRecord], name: str, states: frozenset[RecordState]) -> StepRecord | None:
    """The last record of a step in one of `states`, such as `FORWARD`."""
    return next((record for record in reversed(log) if record.step == name and record.state in states), None)


def last_state(log: Sequence[StepRecord], name: str, states: frozenset[RecordState]) -> RecordState | None:
    """That record's state."""
    record = last_record(log, name, states)
    return record.state if record else None


def may_try_again(step: Step, failed: StepRecord) -> bool:
    """Whether another attempt is allowed, and may help."""
    helps = not isinstance(failed.result, Mapping) or failed.result.get("retry", "after") != "never"
    return helps and failed.attempt < step.attempts
