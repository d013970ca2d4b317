# SPDX-License-Identifier: Apache-2.0
"""The end of a pass: status and conditions are written, and it is said whether waiting changes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mooring.control import operations as ops
from mooring.control.errors import OperationFailed, OperationStuck
from mooring.control.events import Event
from mooring.control.heartbeat import heartbeat_warnings, next_ping
from mooring.control.notify import queue_notification
from mooring.control.outcomes import OUTCOME, dump_outcome
from mooring.control.schedules import look_at_schedules, next_expiry
from mooring.control.services import Services, update_status
from mooring.control.work import Work, trouble_of
from mooring.domain.instance.backups import decide_backup_health, render_last_backup
from mooring.domain.instance.conditions import Before, Trouble, decide_conditions
from mooring.domain.instance.desired import WEB
from mooring.domain.instance.ledger import Ledger, dump_ledger
from mooring.domain.instance.refreshed import render_last_refresh
from mooring.domain.instance.snapshot import decide_warnings
from mooring.domain.instance.status import describe_database, render_previous, render_resolved
from mooring.domain.instance.verified import render_last_verify
from mooring.domain.lifecycle import Snapshot, State, is_settled
from mooring.domain.model.observed import Observed
from mooring.domain.operations.advance import RESTARTS_THAT_FAIL
from mooring.domain.operations.choose import GIVES_DATA, is_held_back, lacks_restore
from mooring.domain.operations.conflicts import READS
from mooring.domain.operations.errors import ReplicaDies
from mooring.domain.operations.plan import PHASES, OperationType
from mooring.errors import MooringError

MOVING_S = 0.3
STARTING_S = 0.5
PROBLEM_S = 60.0


@dataclass(frozen=True)
class Pass:
    """What a pass came to.

    Attributes:
        phase: what users read.
        settled: nothing changes by waiting.
        requeue_s: seconds after which to look again; None when only a change outside matters.
        error: why it is not as it is wanted, if that is so and settled.
        gone: the instance is no more.
    """

    state: State
    phase: str
    settled: bool
    requeue_s: float | None
    error: MooringError | None = None
    gone: bool = False


async def conclude(
    services: Services,
    work: Work,
    seen: Observed,
    snapshot: Snapshot,
    *,
    pending: bool,
    wait_s: float | None,
) -> Pass:
    """Write status, conditions, what the pass came to and what the webhook is told; say what waiting would bring.

    Args:
        pending: the target still has something to change.
        wait_s: when the operations in progress want to be looked at.
    """
    running = work.running
    state = work.ledger.state
    phase = PHASES[running[-1].type] if running else state.value
    # A backup runs beside an instance that is as it is wanted.
    changing = any(not one.stuck and one.type not in READS for one in running)
    before = str(work.doc.status.get("phase", ""))
    now = services.clock.now()
    warned = {text.split(" ")[0] for text in work.doc.status.get("warnings", ())}
    result = _judge(services, work, seen, snapshot, phase=phase, pending=pending, wait_s=wait_s)

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        value = _status(services, work, seen, status, phase=phase)
        value[OUTCOME] = dump_outcome(generation=work.doc.generation, settled=result.settled, error=result.error)
        value["conditions"] = decide_conditions(
            state,
            snapshot,
            operation=phase if changing else None,
            up_to_date=_up_to_date(work) and work.problem is None,
            before=Before(status.get("conditions", ()), work.doc.generation, now),
            trouble=_trouble(work),
            sick=work.ledger.watch.sick if work.ledger.watch is not None else "",
            backup=decide_backup_health(work.spec.backup, work.ledger.backups, now=now, checked=work.ledger.verified),
        )
        if phase != before and work.spec.webhook is not None:
            value["notifications"] = queue_notification(
                status.get("notifications", ()), work.doc.ref, before=before, after=phase, now=now
            )
        return value

    work.doc = await update_status(services, work.doc, change)
    if phase != before:
        services.emit(Event(work.doc.ref, "phase", f"{work.doc.ref} is {phase}."))
    for text in work.doc.status.get("warnings", ()):
        if text.split(" ")[0] not in warned:
            services.emit(Event(work.doc.ref, "warning", text))
    return result


def _judge(
    services: Services,
    work: Work,
    seen: Observed,
    snapshot: Snapshot,
    *,
    phase: str,
    pending: bool,
    wait_s: float | None,
) -> Pass:
    state = work.ledger.state
    error = final_error(work.ledger, work.operations, generation=work.doc.generation, deleting=work.deleting)
    stuck = any(one.stuck for one in work.running)
    busy = bool(work.running) and not all(one.stuck for one in work.running)
    # A release that is still being asked what it is may mean an upgrade, and one that was just asked has not begun it.
    known = work.problem is not None or (work.pinned is not None and (_up_to_date(work) or not _upgradable(work)))
    if wait_s is not None and not busy:
        return Pass(state, phase, settled=False, requeue_s=0.0)  # one ended: the state of before it means nothing now
    idle = not busy and not work.due(services)
    settled = known and idle and not pending and is_settled(state, snapshot)
    if work.deleting:
        if error is not None and idle:
            return Pass(state, phase, settled=True, requeue_s=PROBLEM_S, error=error)
    elif work.problem is not None and idle and not pending:
        return Pass(state, phase, settled=True, requeue_s=PROBLEM_S, error=work.problem)
    elif error is not None and idle and (stuck or is_settled(state, snapshot) or _has_no_data(work.ledger)):
        return Pass(state, phase, settled=True, requeue_s=_later(services, work), error=error)
    elif idle and not pending and not settled and (dying := _dying(seen)) is not None:
        return Pass(state, phase, settled=True, requeue_s=PROBLEM_S, error=dying)
    if settled:
        return Pass(state, phase, settled=True, requeue_s=_later(services, work))
    if busy:
        return Pass(state, phase, settled=False, requeue_s=MOVING_S if wait_s is None else wait_s)
    return Pass(state, phase, settled=False, requeue_s=MOVING_S if pending else STARTING_S)


def _has_no_data(ledger: Ledger) -> bool:
    """Whether it waits for a person: neither its place nor a restore could be had."""
    return not ledger.provisioned or lacks_restore(ledger)


def _dying(seen: Observed) -> ReplicaDies | None:
    """The error for a process that ends again and again: waiting longer shows nothing new."""
    for role in ("web", "cron"):
        for one in seen.workload(role).replicas:
            if not one.ready and one.restarts >= RESTARTS_THAT_FAIL:
                return ReplicaDies(f"{one.name} ended {one.restarts} times after its start.", details=one.log_tail)
    return None


def _trouble(work: Work) -> Trouble | None:
    """A stuck operation before a problem: nothing else begins until a person has decided about it."""
    stuck = next((one for one in work.running if one.stuck), None)
    error = _operation_error(OperationStuck, stuck) if stuck is not None else work.problem
    if error is None and lacks_restore(work.ledger) and not work.running:
        error = final_error(work.ledger, work.operations, generation=work.doc.generation, deleting=work.deleting)
    return None if error is None else trouble_of(error)


def _up_to_date(work: Work) -> bool:
    return work.pinned is None or not work.ledger.runs or work.ledger.runs == work.pinned.release.digest


def _later(services: Services, work: Work) -> float | None:
    """Seconds until something waits no longer: an operation, a schedule, or a notification to send again."""
    now = services.clock.now()
    times = [datetime.fromisoformat(one.doc.spec["scheduledTime"]) for one in work.waiting if not one.due(now)]
    times += [one.due.next for one in look_at_schedules(services, work)]
    times += [at for at in (next_expiry(work),) if at is not None and at > now]
    times += [datetime.fromisoformat(one["notBefore"]) for one in work.doc.status.get("notifications", ())[:1]]
    times += [at for at in (next_ping(work.doc.status),) if at is not None]
    if work.ledger.watch is not None:
        times.append(work.ledger.watch.next_look())
    return max(0.1, (min(times) - now).total_seconds()) if times else None


def _upgradable(work: Work) -> bool:
    """Whether a release that does not run yet will be taken up by itself."""
    held_back = is_held_back(work.ledger, work.doc.generation)
    return work.ledger.initialized and work.spec.auto_upgrade.enabled and not held_back and not work.deleting


def final_error(
    ledger: Ledger, operations: Sequence[ops.Operation], *, generation: int, deleting: bool
) -> MooringError | None:
    """The failure that the instance is left with, if it is: what keeps it from being as it is wanted.

    A verb that failed is not among them: who asked for it reads its record.
    """
    stuck = next((one for one in operations if one.stuck and not one.ended), None)
    if stuck is not None and not deleting:
        return _operation_error(OperationStuck, stuck)
    for kind in (
        OperationType.DELETE,
        OperationType.PROVISION,
        OperationType.RESTORE,
        OperationType.REFRESH,
        OperationType.INIT,
        OperationType.UPGRADE,
    ):
        last = next((one for one in reversed(operations) if one.ended and one.type is kind), None)
        match kind:
            case OperationType.DELETE:
                matters = deleting
            case OperationType.PROVISION:
                matters = not ledger.provisioned and not deleting
            case OperationType.RESTORE | OperationType.REFRESH:
                matters = lacks_restore(ledger) and not deleting
            case _:
                matters = ledger.latched.get(kind.value) == generation and not deleting
        cancelled = kind in GIVES_DATA and last is not None and last.phase == "Cancelled"
        if matters and last is not None and (last.phase == "Failed" or cancelled):
            return _operation_error(OperationFailed, last)
    return None


def _operation_error(kind: type[MooringError], operation: ops.Operation) -> MooringError:
    status = operation.doc.status
    fault = status.get("error", {})
    brief = fault.get("brief") or status.get("message") or "it says no more"
    details = "\n".join(text for text in (fault.get("details", ""), status.get("logTail", "")) if text)
    return kind(
        f"{operation.type} {operation.doc.ref.name} failed ({fault.get('code', 'MOOR-001')}): {brief}",
        details=details,
        resolution=fault.get("resolution"),
    )


def _status(services: Services, work: Work, seen: Observed, status: Mapping[str, Any], *, phase: str) -> dict[str, Any]:
    value = dict(status)
    release = work.ledger.release(work.ledger.runs) or work.pinned
    endpoint = seen.endpoints.get("http")
    value |= {
        "phase": phase,
        "observedGeneration": work.doc.generation,
        "ledger": dump_ledger(work.ledger),
        "url": endpoint.url if endpoint else None,
        "replicas": len(seen.workload("web").replicas),
        "readyReplicas": seen.workload("web").ready,
        "release": None
        if release is None
        else {
            "image": release.release.source,
            "digest": release.release.digest,
            "version": release.facts.series,
        },
        "warnings": [*decide_warnings(work.spec, work.ledger, seen), *heartbeat_warnings(status)] or None,
        "problem": work.problem.to_json() if work.problem else None,
        "operation": _operation_status(work),
        "previous": render_previous(work.ledger, work.spec.backup.keep_previous.timedelta),
        "lastBackup": render_last_backup(work.ledger.backups),
        "lastVerify": render_last_verify(work.ledger.verified),
        "lastRefresh": render_last_refresh(work.ledger.refreshed),
        "selector": services.target.selector(work.doc.ref, role=WEB),
    }
    if work.subject is not None:
        before, database = status.get("database") or {}, describe_database(work.subject)
        # What was measured of it stays; of another one it says nothing.
        value["database"] = before if {**before, **database} == before else database
        value["environment"] = work.subject.environment
        image = work.ledger.wanted_source or work.spec.image or services.defaults.image
        value["resolved"] = render_resolved(work.subject, image=image, port=endpoint.port if endpoint else None)
    return {key: item for key, item in value.items() if item is not None}


def _operation_status(work: Work) -> dict[str, Any] | None:
    running = work.running
    if not running:
        return None
    one = running[-1]
    log = one.log
    return {
        "kind": one.type.value,
        "name": one.doc.ref.name,
        "step": log[-1].step if log else "",
        "startedAt": one.doc.status.get("startTime", ""),
    }
