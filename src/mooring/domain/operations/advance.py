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
from datetime import datetime
from typing import Any, assert_never

from mooring.domain.model.observed import Observed
from mooring.domain.operations.errors import OperationCancelled, OperationOverdue, ReplicaDies, StepTooSlow, TaskFailed
from mooring.domain.operations.journal import RecordState, StepRecord
from mooring.domain.operations.moves import (
    POLL_S,
    Cancel,
    Clear,
    Finished,
    Move,
    Purge,
    Record,
    Seen,
    Serve,
    Start,
    Wait,
)
from mooring.domain.operations.plan import (
    Gone,
    Note,
    Plan,
    Ready,
    RemoveVolumes,
    RunTask,
    ScratchGone,
    ScratchServer,
    Step,
)
from mooring.domain.operations.progress import (
    BACKWARD,
    FORWARD,
    chosen,
    failure_of,
    forward_done,
    last_record,
    last_state,
    may_try_again,
    past_return,
    results_of,
    times_stuck,
    undo_left,
    undo_wanted,
)
from mooring.domain.task import TaskState
from mooring.domain.work.verify_errors import DrillUnready
from mooring.errors import MooringError

RESTARTS_THAT_FAIL = 3


def advance(plan: Plan, log: Sequence[StepRecord], seen: Seen, now: datetime) -> Move:
    """The next move. Pure: the same arguments give the same move.

    Args:
        plan: the operation's plan.
        log: its journal so far.
        seen: the world in this pass.
        now: UTC.
    """
    if undo_wanted(plan, log):
        return _undo(plan, log, seen, now)
    if (seen.cancelled or seen.overdue) and not past_return(plan, log) and not forward_done(plan, log):
        return _cancel(plan, log, seen, now)
    for step in chosen(plan.steps, log):
        last = last_record(log, step.name, FORWARD)
        if last is not None and last.state == "done":
            continue
        if last is None:
            return Record(_intention(step, 1, now))
        if last.state == "failed":
            if may_try_again(step, last):
                return Record(_intention(step, last.attempt + 1, now))
            return _finished(plan, log)  # past the point of no return
        return _carry_out(step, last, log, seen, now, done="done", failed="failed")
    return _clean_up(plan, log, seen, now)


def _cancel(plan: Plan, log: Sequence[StepRecord], seen: Seen, now: datetime) -> Move:
    step = next(step for step in chosen(plan.steps, log) if last_state(log, step.name, FORWARD) != "done")
    last = last_record(log, step.name, FORWARD)
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
    left = undo_left(plan, log)
    if left is None:
        return _clean_up(plan, log, seen, now)
    name, undo = left
    last = last_record(log, name, BACKWARD)
    if last is None:
        return Record(_intention(undo, 1, now, name=name, state="undoing"))
    if last.state == "undo-failed":
        if may_try_again(undo, last) or times_stuck(plan, log) <= seen.retries:
            return Record(_intention(undo, last.attempt + 1, now, name=name, state="undoing"))
        return Finished("stuck", last.result, last.log_tail)
    return _carry_out(undo, last, log, seen, now, done="undone", failed="undo-failed")


def _clean_up(plan: Plan, log: Sequence[StepRecord], seen: Seen, now: datetime) -> Move:
    failed = failure_of(plan, log) is not None
    for step in chosen(plan.cleanup, log):
        if failed and step.after_success:
            continue
        last = last_record(log, step.name, FORWARD)
        if last is None:
            return Record(_intention(step, 1, now))
        if last.state == "intended":
            return _carry_out(step, last, log, seen, now, done="done", failed="failed")
        if last.state == "failed" and may_try_again(step, last):
            return Record(_intention(step, last.attempt + 1, now))
    return _finished(plan, log)


def _finished(plan: Plan, log: Sequence[StepRecord]) -> Finished:
    failure = failure_of(plan, log)
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
            named = step.action.attempt(last.attempt, results_of(log))
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
