# SPDX-License-Identifier: Apache-2.0
"""The runner's mind: one move from a plan, its journal and what is seen now. It never waits and never acts.

The story of an operation, as its journal tells it:

    forward   each step is recorded as intended, carried out, and recorded as done.
    undo      a step failed for good (or a person cancelled): the undo of every step that was intended, the last first.
              Not after the point of no return: then users may have written, and only a person throws that away.
    cleanup   after either: what is no longer needed goes; a failure here is told, and changes nothing.

A kill between any two moves loses nothing: the same call with the same journal gives the same move again, tasks are
adopted by their name, and a barrier is read anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, assert_never

from mooring.domain.model.observed import Observed
from mooring.domain.operations.errors import OperationCancelled, OperationOverdue, ReplicaDies, StepTooSlow, TaskFailed
from mooring.domain.operations.journal import RecordState, StepRecord
from mooring.domain.operations.plan import (
    NO_HOLD,
    Gone,
    Hold,
    Note,
    Plan,
    Ready,
    RemoveVolumes,
    RunTask,
    ScratchGone,
    ScratchServer,
    Step,
)
from mooring.domain.server.desired import ServerSubject
from mooring.domain.task import TaskSpec, TaskState
from mooring.domain.work.verify_errors import DrillUnready
from mooring.errors import MooringError

POLL_S = 0.3
RESTARTS_THAT_FAIL = 3


@dataclass(frozen=True)
class Start:
    """Start this task, or adopt it."""

    task: TaskSpec


@dataclass(frozen=True)
class Cancel:
    """Ask this task to end."""

    task: str


@dataclass(frozen=True)
class Purge:
    """Remove the owner's volumes, then come again."""


@dataclass(frozen=True)
class Serve:
    """Keep this scratch server in shape, then come again."""

    server: ServerSubject


@dataclass(frozen=True)
class Clear:
    """Remove what a drill made, then come again."""

    gone: ScratchGone


@dataclass(frozen=True)
class Record:
    """Append this record, then come again at once."""

    record: StepRecord


@dataclass(frozen=True)
class Wait:
    """Nothing to do but to look again: live when a barrier needs it, at once when the last look was before the step."""

    reason: str
    seconds: float = POLL_S
    live: bool = False


@dataclass(frozen=True)
class Finished:
    """The operation is over.

    Attributes:
        outcome: `stuck` is a failed undo: the hold stays until a person retries.
        error: the error object of what failed first; None after success.
        log_tail: end of that task's log.
    """

    outcome: Literal["succeeded", "failed", "cancelled", "stuck"]
    error: Mapping[str, str] | None = None
    log_tail: str = ""


Move = Start | Cancel | Purge | Serve | Clear | Record | Wait | Finished


@dataclass(frozen=True)
class Seen:
    """What a move is decided from.

    Attributes:
        observed: the owner, this pass.
        tasks: state of each task that `current_task` named; others may be missing.
        wanted: replicas that are wanted now, by role: fewer than the plan expects are enough where the spec changed since
            it was accepted, or the instance is being deleted. None knows nothing: the plan counts.
        pending: whether `target.diff` still finds something to change.
        purged: `Purge` was carried out in this pass.
        served: the scratch server answered in this pass.
        cleared: `Clear` was carried out in this pass, and nothing is left.
        cancelled: a person asked to cancel.
        overdue: it runs for longer than its deadline.
        retries: how often a person asked to try a stuck undo again.
    """

    observed: Observed
    tasks: Mapping[str, TaskState]
    wanted: Mapping[str, int] | None = None
    pending: bool = False
    purged: bool = False
    served: bool = False
    cleared: bool = False
    cancelled: bool = False
    overdue: bool = False
    retries: int = 0


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
        return (
            plan.steps[0].hold if plan.steps else NO_HOLD
        )  # accepted: nothing may roll what the first step is about to take away
    steps = {step.name: step for step in plan.steps}
    forward = [steps[record.step] for record in log if record.state == "intended" and record.step in steps]
    if not forward:
        return NO_HOLD
    if _undo_wanted(plan, log):
        if _undo_left(plan, log) is None:
            return NO_HOLD
        undos = [steps[record.step].undo for record in log if record.state == "undoing" and record.step in steps]
        holds = [step.hold for step in (*forward, *undos) if step is not None]
        return Hold(
            web=any(one.web for one in holds),
            cron=any(one.cron for one in holds),
            release=next((one.release for one in holds if one.release), ""),
            reason=next((one.reason for one in reversed(holds) if one.reason), ""),
        )
    if _forward_done(plan, log) or _failure(plan, log) is not None:
        return NO_HOLD  # the latter past the point of no return: it is over, and users are in
    return forward[-1].hold


def advance(plan: Plan, log: Sequence[StepRecord], seen: Seen, now: datetime) -> Move:
    """The next move. Pure: the same arguments give the same move.

    Args:
        plan: the operation's plan.
        log: its journal so far.
        seen: the world in this pass.
        now: UTC.
    """
    if _undo_wanted(plan, log):
        return _undo(plan, log, seen, now)
    if (seen.cancelled or seen.overdue) and not _past_return(plan, log) and not _forward_done(plan, log):
        return _cancel(plan, log, seen, now)
    for step in _chosen(plan.steps, log):
        last = _last_record(log, step.name, _FORWARD)
        if last is not None and last.state == "done":
            continue
        if last is None:
            return Record(_intention(step, 1, now))
        if last.state == "failed":
            if _may_try_again(step, last):
                return Record(_intention(step, last.attempt + 1, now))
            return _finished(plan, log)  # past the point of no return
        return _carry_out(step, last, log, seen, now, done="done", failed="failed")
    return _clean_up(plan, log, seen, now)


_FORWARD: frozenset[RecordState] = frozenset({"intended", "done", "failed"})
_BACKWARD: frozenset[RecordState] = frozenset({"undoing", "undone", "undo-failed"})


def _cancel(plan: Plan, log: Sequence[StepRecord], seen: Seen, now: datetime) -> Move:
    step = next(step for step in _chosen(plan.steps, log) if _last(log, step.name, _FORWARD) != "done")
    last = _last_record(log, step.name, _FORWARD)
    if last is not None and last.state == "intended" and isinstance(step.action, Note):
        # Its effect may be written down already: the record follows, and then it is seen whether cancelling helps.
        return _carry_out(step, last, log, seen, now, done="done", failed="failed")
    if last is not None and last.state == "intended" and last.task:
        state = seen.tasks.get(last.task, TaskState("absent"))
        if state.phase in ("pending", "running"):
            return Cancel(last.task)
    attempt, task = (last.attempt, last.task) if last else (1, None)
    error: MooringError = OperationCancelled("The operation was cancelled.")
    if seen.overdue and not seen.cancelled:
        error = OperationOverdue("The operation took longer than its deadline allows.")
    return Record(StepRecord(step.name, attempt, now, "failed", task, error.to_json()))


def _undo(plan: Plan, log: Sequence[StepRecord], seen: Seen, now: datetime) -> Move:
    step = _undo_left(plan, log)
    if step is None:
        return _clean_up(plan, log, seen, now)
    if step.undo is None:  # pragma: no cover - _undo_left gives steps with an undo only
        raise AssertionError(step.name)
    last = _last_record(log, step.name, _BACKWARD)
    if last is None:
        return Record(_intention(step.undo, 1, now, name=step.name, state="undoing"))
    if last.state == "undo-failed":
        if _may_try_again(step.undo, last) or _times_stuck(plan, log) <= seen.retries:
            return Record(_intention(step.undo, last.attempt + 1, now, name=step.name, state="undoing"))
        return Finished("stuck", last.result, last.log_tail)
    return _carry_out(step.undo, last, log, seen, now, done="undone", failed="undo-failed")


def _clean_up(plan: Plan, log: Sequence[StepRecord], seen: Seen, now: datetime) -> Move:
    failed = _failure(plan, log) is not None
    for step in _chosen(plan.cleanup, log):
        if failed and step.after_success:
            continue
        last = _last_record(log, step.name, _FORWARD)
        if last is None:
            return Record(_intention(step, 1, now))
        if last.state == "intended":
            return _carry_out(step, last, log, seen, now, done="done", failed="failed")
        if last.state == "failed" and _may_try_again(step, last):
            return Record(_intention(step, last.attempt + 1, now))
    return _finished(plan, log)


def _finished(plan: Plan, log: Sequence[StepRecord]) -> Finished:
    failure = _failure(plan, log)
    if failure is None:
        return Finished("succeeded")
    cancelled = isinstance(failure.result, Mapping) and failure.result.get("reason") == OperationCancelled.reason
    return Finished("cancelled" if cancelled else "failed", failure.result, failure.log_tail)


def _carry_out(
    step: Step,
    last: StepRecord,
    log: Sequence[StepRecord],
    seen: Seen,
    now: datetime,
    *,
    done: RecordState,
    failed: RecordState,
) -> Move:
    def record(state: RecordState, result: Any = None, log_tail: str = "") -> Record:
        return Record(StepRecord(last.step, last.attempt, now, state, last.task, result, log_tail))

    match step.action:
        case RunTask():
            named = step.action.attempt(last.attempt, _results(log))
            state = seen.tasks.get(named.name, TaskState("absent"))
            match state.phase:
                case "absent":
                    return Start(named)
                case "pending" | "running":
                    if state.phase == "pending":
                        return Start(named)
                    return Wait(f"{step.name} runs")
                case "succeeded":
                    return record(done, state.result)
                case "failed":
                    return record(failed, dict(state.error or _no_error(step).to_json()), state.log_tail)
        case Gone(roles):
            left = [name for role in roles for name in _names(seen.observed, role)]
            if seen.observed.live and _newer(seen, last) and not seen.pending and not left:
                return record(done)
            if now - last.at > step.deadline:
                what = ", ".join(left) or ("changes that are not carried out" if seen.pending else "unknown")
                return record(failed, _too_slow(step, f"still there: {what}").to_json())
            looked = seen.observed.live and _newer(seen, last)
            return Wait(f"{', '.join(roles)} stop", seconds=POLL_S if looked else 0.0, live=True)
        case Ready(counts):
            fresh = _newer(seen, last) and not seen.pending  # else what is seen is about to be replaced
            counts = tuple((role, _wanted(seen, role, count)) for role, count in counts)
            waiting = [role for role, wanted in counts if seen.observed.workload(role).ready < wanted]
            if fresh and not waiting:
                return record(done)
            broken = _broken(seen.observed, counts) if fresh else None
            if broken is not None:
                name, log_tail = broken
                return record(failed, _dies(step, name).to_json(), log_tail)
            what = ", ".join(waiting) or "changes"
            if now - last.at > step.deadline:
                return record(failed, _too_slow(step, f"not ready: {what}").to_json())
            newer = _newer(seen, last)
            return Wait(f"{what} not ready yet", seconds=POLL_S if newer else 0.0, live=not newer)
        case RemoveVolumes():
            return record(done) if seen.purged else Purge()
        case ScratchServer(server):
            if seen.served:
                return record(done)
            if now - last.at > step.deadline:
                error = DrillUnready(f"The scratch server did not answer within {step.deadline}.")
                return record(failed, error.to_json())
            return Serve(server)
        case ScratchGone():
            if seen.cleared:
                return record(done)
            if now - last.at > step.deadline:
                return record(failed, _too_slow(step, "what the drill made is still there").to_json())
            return Clear(step.action)
        case Note():
            return record(done)
    assert_never(step.action)


def _intention(
    step: Step, attempt: int, now: datetime, *, name: str | None = None, state: RecordState = "intended"
) -> StepRecord:
    task = step.action.name(attempt) if isinstance(step.action, RunTask) else None
    return StepRecord(name or step.name, attempt, now, state, task)


def _undo_wanted(plan: Plan, log: Sequence[StepRecord]) -> bool:
    if any(record.state in _BACKWARD for record in log):
        return True
    if _past_return(plan, log):
        return False
    return _failure(plan, log) is not None


def _failure(plan: Plan, log: Sequence[StepRecord]) -> StepRecord | None:
    """The record of the step that failed for good; None while no step did."""
    for step in plan.steps:
        last = _last_record(log, step.name, _FORWARD)
        if last is not None and last.state == "failed" and not _may_try_again(step, last):
            return last
    return None


def _times_stuck(plan: Plan, log: Sequence[StepRecord]) -> int:
    undos = {step.name: step.undo for step in plan.steps}
    failed = [(undos.get(record.step), record) for record in log if record.state == "undo-failed"]
    return sum(undo is not None and not _may_try_again(undo, record) for undo, record in failed)


def _undo_left(plan: Plan, log: Sequence[StepRecord]) -> Step | None:
    for step in reversed(plan.steps):
        begun = any(record.step == step.name and record.state == "intended" for record in log)
        if begun and step.undo is not None and _last(log, step.name, _BACKWARD) != "undone":
            return step
    return None


def _past_return(plan: Plan, log: Sequence[StepRecord]) -> bool:
    return plan.point_of_no_return is not None and _last(log, plan.point_of_no_return, _FORWARD) == "done"


def _forward_done(plan: Plan, log: Sequence[StepRecord]) -> bool:
    return all(_last(log, step.name, _FORWARD) == "done" for step in _chosen(plan.steps, log))


def _results(log: Sequence[StepRecord]) -> dict[str, Any]:
    return {one.step: one.result for one in log if one.state == "done"}


def _chosen(steps: Sequence[Step], log: Sequence[StepRecord]) -> list[Step]:
    """The steps without those that an earlier one's result leaves out; those that are not decided yet are in it."""
    results = _results(log)
    return [step for step in steps if step.when is None or not step.when.left_out(results)]


def _last_record(log: Sequence[StepRecord], name: str, states: frozenset[RecordState]) -> StepRecord | None:
    return next((record for record in reversed(log) if record.step == name and record.state in states), None)


def _last(log: Sequence[StepRecord], name: str, states: frozenset[RecordState]) -> RecordState | None:
    record = _last_record(log, name, states)
    return record.state if record else None


def _may_try_again(step: Step, failed: StepRecord) -> bool:
    helps = not isinstance(failed.result, Mapping) or failed.result.get("retry", "after") != "never"
    return helps and failed.attempt < step.attempts


def _wanted(seen: Seen, role: str, planned: int) -> int:
    return planned if seen.wanted is None else min(planned, seen.wanted.get(role, 0))


def _newer(seen: Seen, record: StepRecord) -> bool:
    return seen.observed.at > record.at


def _names(observed: Observed, role: str) -> list[str]:
    return [replica.name for replica in observed.workload(role).replicas]


def _broken(observed: Observed, counts: Sequence[tuple[str, int]]) -> tuple[str, str] | None:
    for role, _ in counts:
        for replica in observed.workload(role).replicas:
            if not replica.ready and replica.restarts >= RESTARTS_THAT_FAIL:
                return replica.name, replica.log_tail
    return None


def _no_error(step: Step) -> TaskFailed:
    return TaskFailed(f"The step {step.name} failed without saying why.")


def _too_slow(step: Step, detail: str) -> StepTooSlow:
    minutes = step.deadline.total_seconds() / 60
    return StepTooSlow(f"The step {step.name} did not end within {minutes:g} minutes; {detail}.")


def _dies(step: Step, name: str) -> ReplicaDies:
    return ReplicaDies(f"The step {step.name} failed: {name} ended {RESTARTS_THAT_FAIL} times after its start.")
