# SPDX-License-Identifier: Apache-2.0
"""Carries out the moves of an operation: the only place where a journal grows.

The order in each move is what makes a kill harmless: an intention is recorded before anything happens; the ledger changes
before the step that changed it is recorded as done; a task's remains are removed after its result is recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from mooring.control.events import Event
from mooring.control.operations import Operation, read_accepted, read_operation
from mooring.control.scratch import remove_scratch, serve_scratch
from mooring.control.services import Services
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.outcome import note_done
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.model.identity import Ref
from mooring.domain.model.observed import Observed
from mooring.domain.operations.accepted import Accepted
from mooring.domain.operations.advance import advance
from mooring.domain.operations.build import build_plan
from mooring.domain.operations.drill import PLACE, SERVER
from mooring.domain.operations.journal import StepRecord, dump_record
from mooring.domain.operations.moves import Cancel, Clear, Finished, Purge, Record, Seen, Serve, Start, Wait
from mooring.domain.operations.plan import Gone, Hold, Note, Plan, ScratchServer, Step
from mooring.domain.operations.progress import current_task, hold
from mooring.domain.task import TaskState

MOVES_A_PASS = 100
SERVER_WAIT_S = 0.5
REMOVE_OBJECTS = "remove-objects"
_STATES = {
    "intended": "started",
    "done": "done",
    "failed": "failed",
    "undoing": "undoing",
    "undone": "undone",
    "undo-failed": "failed",
}

SaveLedger = Callable[[Ledger], Awaitable[None]]


@dataclass(frozen=True)
class Advance:
    """How far an operation came in this pass.

    Attributes:
        outcome: how it ended; None while it goes on.
        wait_s: seconds after which to look again; 0 is at once: the hold changed.
    """

    operation: Operation
    accepted: Accepted
    ledger: Ledger
    outcome: Finished | None = None
    wait_s: float = 0.0


def hold_of(operation: Operation) -> Hold:
    """What a running operation forbids now."""
    return hold(build_plan(read_accepted(operation)), operation.log)


def needs_live(operation: Operation) -> bool:
    """Whether its next move reads a barrier, which is never read from a cache."""
    log = operation.log
    if not log or log[-1].state not in ("intended", "undoing"):
        return True
    step = _step(build_plan(read_accepted(operation)), log[-1].step)
    return step is not None and isinstance(step.action, Gone)


async def run_moves(
    services: Services,
    operation: Operation,
    ledger: Ledger,
    observed: Observed,
    *,
    wanted: Mapping[str, int],
    pending: bool,
    removed: bool,
    save: SaveLedger,
    server_ready: bool,
) -> Advance:
    """Move by move until the world has to follow.

    Args:
        operation: a running one.
        observed: the instance in this pass.
        wanted: replicas that are wanted now, by role.
        pending: the target still has something to change.
        removed: nothing of the instance is left but its volumes.
        save: writes the ledger, before the record that it belongs to.
        server_ready: the database server answers; until it does no task starts, as after a reboot it would only fail.

    Raises:
        JournalConflict: another runner wrote; nothing was done twice.
    """
    accepted = read_accepted(operation)
    plan = build_plan(accepted)
    instance = operation.instance
    purged = served = cleared = False
    scratch = next((step.action.server for step in plan.steps if isinstance(step.action, ScratchServer)), None)
    for _ in range(MOVES_A_PASS):
        log = operation.log
        name = current_task(log)
        tasks: dict[str, TaskState] = {} if name is None else {name: await services.target.task(name)}
        seen = Seen(
            observed,
            tasks,
            wanted=wanted,
            pending=pending,
            purged=purged,
            served=served,
            cleared=cleared,
            cancelled=bool(operation.doc.status.get("cancel")),
            overdue=operation.overdue(services.clock.now()),
            retries=int(operation.doc.status.get("retries", 0)),
        )
        move = advance(plan, log, seen, services.clock.now())
        match move:
            case Start(task):
                if not server_ready:
                    return Advance(operation, accepted, ledger, wait_s=SERVER_WAIT_S)
                # After a reboot, too, the server of a drill answers before its tasks begin.
                aside = scratch if task.place.kind in (PLACE, SERVER) else None
                if aside is not None and not await serve_scratch(services, aside):
                    return Advance(operation, accepted, ledger, wait_s=SERVER_WAIT_S)
                await services.target.start(task)
                return Advance(operation, accepted, ledger, wait_s=0.2)
            case Cancel(task_name):
                await services.target.cancel(task_name)
                return Advance(operation, accepted, ledger, wait_s=0.5)
            case Purge():
                identity = accepted.subject.identity.instance if accepted.subject else ""
                await services.target.remove_volumes(instance, identity)
                purged = True
            case Serve(server):
                served = await serve_scratch(services, server)
                if not served:
                    return Advance(operation, accepted, ledger, wait_s=SERVER_WAIT_S)
            case Clear(gone):
                cleared = await remove_scratch(services, gone)
                if not cleared:
                    return Advance(operation, accepted, ledger, wait_s=SERVER_WAIT_S)
            case Wait(_, seconds, _):
                return Advance(operation, accepted, ledger, wait_s=seconds)
            case Finished():
                for record in log:
                    if record.task:
                        await services.target.forget(record.task)
                return Advance(operation, accepted, ledger, outcome=move)
            case Record(record):
                if record.state == "done" and record.step == REMOVE_OBJECTS and not removed:
                    return Advance(operation, accepted, ledger, wait_s=0.3)
                step = _step(plan, record.step)
                if record.state == "done" and step is not None and isinstance(step.action, Note):
                    ledger = note_done(ledger, accepted, record.step, at=rfc3339(record.at), log=log)
                    await save(ledger)
                before = hold(plan, log)
                operation = await _append(services, operation, record)
                services.emit(step_event(instance, plan, record))
                if record.task and record.state not in ("intended", "undoing"):
                    await services.target.forget(record.task)
                changed = hold(plan, operation.log) != before
                if (changed and not _over(plan, operation, seen, services)) or record.step == REMOVE_OBJECTS:
                    return Advance(operation, accepted, ledger)
    return Advance(operation, accepted, ledger, wait_s=0.1)


def _over(plan: Plan, operation: Operation, seen: Seen, services: Services) -> bool:
    """Whether nothing is left to do but to say how it ended: then no hold has to be carried out first."""
    return isinstance(advance(plan, operation.log, seen, services.clock.now()), Finished)


async def _append(services: Services, operation: Operation, record: StepRecord) -> Operation:
    doc = await services.journal.append(operation.doc.ref, dump_record(record), expect=len(operation.log))
    return read_operation(doc)


def step_event(instance: Ref, plan: Plan, record: StepRecord) -> Event:
    """What is told of a record: of a step that begins, or is taken back, also why."""
    step = _step(plan, record.step)
    undo = step.undo if step is not None and record.state in ("undoing", "undone", "undo-failed") else None
    reason = undo.reason if undo is not None else step.reason if step is not None else ""
    text = f"{record.step}: {reason}" if record.state in ("intended", "undoing") else f"{record.step} {record.state}"
    if record.state in ("failed", "undo-failed") and isinstance(record.result, dict):
        text = f"{record.step} failed: {record.result.get('brief', '')}"
    return Event(instance, "step", text, step=record.step, state=_STATES[record.state])


def _step(plan: Plan, name: str) -> Step | None:
    return next((step for step in (*plan.steps, *plan.cleanup) if step.name == name), None)
