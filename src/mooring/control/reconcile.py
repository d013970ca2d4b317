# SPDX-License-Identifier: Apache-2.0
"""One pass over one instance: observe, decide, converge, let its operations make a move, write down what is.

The same pass serves a command, the agent and a test; none of them waits inside it. It is safe to run at any time and to
kill at any point. The caller holds the instance's execution lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.control import operations as ops
from mooring.control.errors import OperationFailed, OperationStuck, SeriesMismatch, UnknownInstance
from mooring.control.events import Event
from mooring.control.notify import queue_ending, queue_notification
from mooring.control.releases import pin_release
from mooring.control.runner import REMOVE_OBJECTS, hold_of, needs_live, run_moves
from mooring.control.servers import Access, access
from mooring.control.services import Services, update_status
from mooring.control.subjects import build_subject
from mooring.control.teardown import forget_instance
from mooring.domain.instance.desired import decide_desired, nothing
from mooring.domain.instance.ledger import Ledger, dump_ledger, load_ledger
from mooring.domain.instance.outcome import finish, place_of
from mooring.domain.instance.snapshot import decide_conditions, rfc3339, take_snapshot, wanted_replicas
from mooring.domain.instance.subject import PinnedRelease, Subject
from mooring.domain.lifecycle import Snapshot, State, is_settled, next_state, output
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Observed
from mooring.domain.operations.advance import Finished
from mooring.domain.operations.build import Accepted
from mooring.domain.operations.choose import Asked, Begin, Create, Refuse, decide_next
from mooring.domain.operations.plan import NO_HOLD, PHASES, Hold, OperationType
from mooring.drivers.documents import Document, VersionConflict
from mooring.errors import MooringError

MOVING_S = 0.3
STARTING_S = 0.5
BACK_OFF_S = (5.0, 15.0, 60.0, 300.0)
ROLES = ("web", "cron")


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


@dataclass
class _Work:
    """The instance during one pass."""

    doc: Document
    spec: OdooInstanceSpec
    ledger: Ledger
    identity: Identity
    operations: Sequence[ops.Operation]
    subject: Subject | None = None
    access: Access | None = None
    pinned: PinnedRelease | None = None
    problem: MooringError | None = None

    @property
    def deleting(self) -> bool:
        return self.doc.deleted_at is not None

    @property
    def running(self) -> list[ops.Operation]:
        return [one for one in self.operations if one.phase == "Running"]

    @property
    def waiting(self) -> list[ops.Operation]:
        return [one for one in self.operations if one.phase == "Pending"]

    def due(self, services: Services) -> list[ops.Operation]:
        """Those of them whose time has come."""
        now = services.clock.now()
        return [one for one in self.waiting if one.due(now)]


async def reconcile(services: Services, ref: Ref, *, live: bool = False, asked: bool = False) -> Pass:
    """One pass.

    Args:
        live: bypass the target's caches and compare the files inside replicas.
        asked: a person asks: what failed is tried again without its pause.

    Raises:
        UnknownInstance: there is no such document.
        MooringError: the target or a store is in trouble; the next pass tries again.
    """
    doc = await services.documents.get(ref)
    if doc is None:
        raise UnknownInstance(f"{ref} does not exist.")
    try:
        return await _pass(services, doc, live=live, asked=asked)
    except VersionConflict:
        # Somebody changed the spec or asked for something meanwhile: start from what is there now.
        return Pass(State.STARTING, str(doc.status.get("phase", "")), settled=False, requeue_s=0.05)


async def _pass(services: Services, doc: Document, *, live: bool, asked: bool) -> Pass:
    work = _Work(
        doc=doc,
        spec=OdooInstanceSpec.model_validate(doc.spec),
        ledger=load_ledger(doc.status.get("ledger")),
        identity=Identity(services.installation, doc.id),
        operations=await ops.list_operations(services, doc.ref),
    )
    if work.spec.paused and not work.deleting:
        return await _paused(services, work)
    await _supersede(services, work)
    await _prepare(services, work)
    barrier = any(needs_live(one) for one in work.running)
    seen = await services.target.observe(doc.ref, live=live or barrier)
    held = _merge([hold_of(one) for one in work.running])
    snapshot = _snapshot(work, seen, pending=False)
    goal = output(next_state(work.ledger.state, snapshot))
    work.ledger = replace(work.ledger, state=next_state(work.ledger.state, snapshot))
    # Before anything is rolled: an operation that begins now may be about to stop it all.
    idle = all(one.stuck for one in work.running)
    if idle and work.problem is None and await _begin(services, work, seen, asked=asked):
        return Pass(work.ledger.state, str(work.doc.status.get("phase", "")), settled=False, requeue_s=0.0)
    pending, removed = False, True
    desired = _desired(work, asked_web=goal.web, asked_cron=goal.cron, held=held)
    if desired is not None and snapshot.data_present:
        for change in await services.target.converge(desired, seen):
            services.emit(Event(doc.ref, "change", f"{change.action} {change.object}: {change.reason}"))
        pending = bool(services.target.diff(desired, seen))
        removed = _is_removal(work) and not pending
    snapshot = replace(snapshot, ready=snapshot.ready and not pending)
    work.ledger = replace(work.ledger, state=next_state(work.ledger.state, snapshot))
    wait_s, gone = await _operate(services, work, seen, pending=pending, removed=removed)
    if gone is not None:
        return gone
    return await _conclude(services, work, seen, snapshot, desired, pending=pending, wait_s=wait_s)


async def _prepare(services: Services, work: _Work) -> None:
    """Release, server, secrets. A new release that cannot be had does not disturb one that runs."""
    ref = work.doc.ref
    if work.deleting and not work.ledger.provisioned and not work.ledger.releases:
        return
    try:
        # A person who asks for an upgrade means what the name stands for now.
        fresh = any(one.type is OperationType.UPGRADE for one in work.waiting)
        pinning = await pin_release(services, ref, work.identity, work.spec, work.ledger, fresh=fresh)
        work.ledger, work.pinned = pinning.ledger, pinning.pinned
    except MooringError as error:
        if not work.ledger.initialized and not work.deleting:
            await _note_problem(services, work, error)
            raise
        work.problem = error
    current = work.ledger.release(work.ledger.runs) if work.ledger.runs else work.pinned
    if work.ledger.initialized and current is not None and work.pinned is not None:
        try:
            _check_series(current, work.pinned)
        except SeriesMismatch as error:
            work.problem, work.pinned = error, None
    try:
        work.access = await access(services, ref, work.spec)
        if current is not None:
            work.subject = await build_subject(
                services, ref, work.identity, work.spec, work.ledger, current, work.access
            )
    except MooringError as error:
        if work.deleting and work.doc.meta.get("purge") is not True:
            work.access = work.subject = None  # what cannot be reached is left as it is; its data stays anyhow
            return
        await _note_problem(services, work, error)
        raise


def _check_series(current: PinnedRelease, wanted: PinnedRelease) -> None:
    if current.facts.series != wanted.facts.series:
        raise SeriesMismatch(
            f"The database is of Odoo {current.facts.series}, and {wanted.release.source} is Odoo "
            f"{wanted.facts.series}: `-u` cannot move it there."
        )


def _snapshot(work: _Work, seen: Observed, *, pending: bool) -> Snapshot:
    place = _place(work)
    return take_snapshot(
        work.spec,
        work.ledger,
        seen,
        generation=work.doc.generation,
        deleting=work.deleting,
        server_ready=work.access is not None and work.access.ready,
        provisioned=bool(place) and work.ledger.provisioned == place,
        pending=pending,
    )


def _place(work: _Work) -> str:
    if work.subject is None:
        return ""
    return place_of(Accepted(work.doc.ref, "", OperationType.PROVISION, {}, work.subject))


def _rotated(work: _Work) -> bool:
    """Whether the owner's password was changed here and Mooring is who changes it on the server."""
    subject = work.subject
    if subject is None or subject.server.admin is None or not work.ledger.owner_version:
        return False
    return subject.key(subject.owner_secret, "password").version != work.ledger.owner_version


def _is_removal(work: _Work) -> bool:
    """Whether a deletion has come to the point where everything but volumes goes."""
    return any(
        record.step == REMOVE_OBJECTS for one in work.running if one.type is OperationType.DELETE for record in one.log
    )


def _desired(work: _Work, *, asked_web: bool, asked_cron: bool, held: Hold) -> Desired | None:
    if work.subject is None:
        return Desired(work.doc.ref, work.identity, network=False) if work.deleting else None
    subject = work.subject
    if held.release and (fixed := work.ledger.release(held.release)) is not None:
        subject = replace(subject, release=fixed)
    asked = replace(output(State.RUNNING), web=asked_web, cron=asked_cron)
    desired = decide_desired(subject, asked, held)
    return nothing(desired) if _is_removal(work) else desired


def _merge(holds: Sequence[Hold]) -> Hold:
    given = [one for one in holds if one]
    if not given:
        return NO_HOLD
    return Hold(
        web=any(one.web for one in given),
        cron=any(one.cron for one in given),
        release=next((one.release for one in given if one.release), ""),
        reason="; ".join(one.reason for one in given if one.reason),
    )


async def _operate(
    services: Services, work: _Work, seen: Observed, *, pending: bool, removed: bool
) -> tuple[float | None, Pass | None]:
    """Let every running operation move; returns when to look again, or the last pass of a deleted instance."""
    waits: list[float] = []
    for operation in work.running:
        if operation.stuck:
            continue

        async def save(ledger: Ledger) -> None:
            await _save_ledger(services, work, ledger)

        result = await run_moves(services, operation, work.ledger, seen, pending=pending, removed=removed, save=save)
        work.ledger = result.ledger
        if result.outcome is None:
            waits.append(result.wait_s)
            continue
        outcome = result.outcome
        work.ledger = finish(
            work.ledger, result.accepted, outcome, result.operation.log, generation=work.doc.generation
        )
        await _save_end(services, work, operation, outcome)
        phase = {"succeeded": "Succeeded", "failed": "Failed", "cancelled": "Cancelled", "stuck": "Running"}
        await ops.end(
            services,
            await ops.reload(services, result.operation),
            phase[outcome.outcome],
            error=outcome.error,
            log_tail=outcome.log_tail,
            stuck=outcome.outcome == "stuck",
        )
        text = f"{operation.type} {outcome.outcome}"
        kind = "phase" if outcome.outcome == "succeeded" else "warning"
        services.emit(Event(work.doc.ref, "phase" if kind == "phase" else "warning", text))
        if operation.type is OperationType.DELETE and outcome.outcome == "succeeded":
            await forget_instance(services, work.doc, work.spec, purge=operation.doc.spec.get("purge") is True)
            return None, Pass(State.DELETING, "Deleted", settled=True, requeue_s=None, gone=True)
        waits.append(0.0)
    if waits:
        work.operations = await ops.list_operations(services, work.doc.ref)
    return (min(waits) if waits else None), None


async def _save_end(services: Services, work: _Work, operation: ops.Operation, outcome: Finished) -> None:
    """The ledger after an operation's end, and the word that the webhook gets, in one write."""
    ledger, now = work.ledger, services.clock.now()

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        value = {**status, "ledger": dump_ledger(ledger)}
        if work.spec.webhook is not None:
            value["notifications"] = queue_ending(
                status.get("notifications", ()),
                work.doc.ref,
                operation=operation.type.value,
                name=operation.doc.ref.name,
                outcome=outcome.outcome,
                message=(outcome.error or {}).get("brief", ""),
                now=now,
            )
        return value

    work.doc = await update_status(services, work.doc, change)


async def _save_ledger(services: Services, work: _Work, ledger: Ledger) -> None:
    work.ledger = ledger
    work.doc = await update_status(services, work.doc, lambda status: {**status, "ledger": dump_ledger(ledger)})


async def _begin(services: Services, work: _Work, seen: Observed, *, asked: bool) -> bool:
    """Begin the next operation, or end one that is refused; whether there was one."""
    known = work.subject is not None and work.access is not None and work.access.ready
    choice = decide_next(
        ledger=work.ledger,
        output=output(work.ledger.state),
        running=[one.type for one in work.running if not one.stuck],
        stuck=any(one.stuck for one in work.running),
        waiting=[Asked(one, one.type, one.due(services.clock.now())) for one in work.waiting],
        place=_place(work),
        rotated=_rotated(work),
        provisionable=known and (asked or _backed_off(services, work, OperationType.PROVISION)),
        wanted=work.pinned.release.digest if work.pinned else "",
        auto_upgrade=work.spec.auto_upgrade.enabled,
        generation=work.doc.generation,
    )
    match choice:
        case Begin(waiting):
            operation: ops.Operation = waiting.key
            await _accept(services, work, operation, seen)
        case Refuse(waiting, reason, brief):
            error = {"code": "MOOR-614", "reason": reason, "brief": brief, "resolution": "Ask again later."}
            await ops.end(services, waiting.key, "Failed", error=error)
        case Create(kind, spec):
            if kind is OperationType.DELETE:
                spec = {"purge": work.doc.meta.get("purge") is True}
            operation = await ops.create_operation(services, work.doc.ref, kind, spec)
            await _accept(services, work, operation, seen)
        case None:
            return False
    return True


async def _accept(services: Services, work: _Work, operation: ops.Operation, seen: Observed) -> None:
    previous = work.ledger.previous
    to: PinnedRelease | None = None
    if operation.type is OperationType.UPGRADE:
        to = work.pinned
    elif operation.type is OperationType.ROLLBACK and previous is not None:
        to = work.ledger.release(previous.digest)
    replicas = wanted_replicas(work.spec, work.ledger)
    if operation.type is OperationType.START:
        replicas = wanted_replicas(work.spec, replace(work.ledger, stopped=False))
    endpoint = seen.endpoints.get("http")
    hosts = work.spec.ingress.hosts if work.spec.ingress else ()
    accepted = Accepted(
        ref=operation.doc.ref,
        id=operation.doc.id,
        type=operation.type,
        spec=operation.doc.spec,
        subject=work.subject,
        to=to,
        admin_user=work.access.admin_user if work.access else "",
        replicas=replicas,
        base_url=endpoint.url if endpoint is not None and hosts else None,
        previous=previous.operation if previous else "",
    )
    try:
        ops.check_acceptable(accepted)
    except MooringError as error:
        await ops.end(services, operation, "Failed", error=error.to_json())
        return
    await ops.accept(services, operation, accepted)
    services.emit(Event(work.doc.ref, "phase", f"{PHASES[operation.type]} {operation.doc.ref.name}"))


def _backed_off(services: Services, work: _Work, kind: OperationType) -> bool:
    """Whether the pause after the last failure of `kind` is over; it grows with each failure in a row."""
    tries = work.ledger.retries.get(kind.value, 0)
    if not tries:
        return True
    last = next((one for one in reversed(work.operations) if one.type is kind and one.ended), None)
    if last is None or "completionTime" not in last.doc.status:
        return True
    pause = BACK_OFF_S[min(tries, len(BACK_OFF_S)) - 1]
    ended_at = ops.completion_time(last)
    return services.clock.now() - ended_at >= timedelta(seconds=pause)


async def _conclude(
    services: Services,
    work: _Work,
    seen: Observed,
    snapshot: Snapshot,
    desired: Desired | None,
    *,
    pending: bool,
    wait_s: float | None,
) -> Pass:
    running = work.running
    state = work.ledger.state
    phase = PHASES[running[-1].type] if running else state.value
    up_to_date = work.pinned is None or not work.ledger.runs or work.ledger.runs == work.pinned.release.digest
    before = str(work.doc.status.get("phase", ""))
    now = services.clock.now()

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        value = _status(work, seen, snapshot, status, phase=phase, up_to_date=up_to_date, desired=desired)
        value["conditions"] = decide_conditions(
            state,
            snapshot,
            operation=phase if running else None,
            up_to_date=up_to_date,
            previous={one["type"]: one for one in status.get("conditions", ())},
            generation=work.doc.generation,
            now=now,
        )
        if phase != before and work.spec.webhook is not None:
            value["notifications"] = queue_notification(
                status.get("notifications", ()), work.doc.ref, before=before, after=phase, now=now
            )
        return value

    work.doc = await update_status(services, work.doc, change)
    if phase != before:
        services.emit(Event(work.doc.ref, "phase", f"{work.doc.ref} is {phase}."))
    error = _final_error(work)
    known_data = work.ledger.initialized
    busy = bool(running) and not all(one.stuck for one in running)
    # A release that is still being asked what it is may mean an upgrade, and one that was just asked has not begun it.
    known = work.problem is not None or (work.pinned is not None and (up_to_date or not _upgradable(work)))
    settled = known and not busy and not work.due(services) and not pending and is_settled(state, snapshot)
    if work.problem is not None and not busy:
        return Pass(state, phase, settled=True, requeue_s=BACK_OFF_S[2], error=work.problem)
    if error is not None and not busy and not work.due(services) and (is_settled(state, snapshot) or not known_data):
        return Pass(state, phase, settled=True, requeue_s=None, error=error)
    if settled:
        return Pass(state, phase, settled=True, requeue_s=None)
    if busy:
        return Pass(state, phase, settled=False, requeue_s=MOVING_S if wait_s is None else wait_s)
    return Pass(state, phase, settled=False, requeue_s=MOVING_S if pending else STARTING_S)


def _upgradable(work: _Work) -> bool:
    """Whether a release that does not run yet will be taken up by itself."""
    latched = work.ledger.latched.get(OperationType.UPGRADE.value) == work.doc.generation
    return work.ledger.initialized and work.spec.auto_upgrade.enabled and not latched and not work.deleting


def _final_error(work: _Work) -> MooringError | None:
    """The failure that the instance is left with, if it is."""
    stuck = next((one for one in work.running if one.stuck), None)
    if stuck is not None:
        return _operation_error(OperationStuck, stuck)
    last = next((one for one in reversed(work.operations) if one.ended), None)
    if last is None or last.phase != "Failed":
        return None
    latched = work.ledger.latched.get(last.type.value) == work.doc.generation
    waits_for_retry = last.type is OperationType.PROVISION and not work.ledger.provisioned
    if latched or waits_for_retry or last.type not in (OperationType.INIT, OperationType.UPGRADE):
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


def _status(
    work: _Work,
    seen: Observed,
    snapshot: Snapshot,
    status: Mapping[str, Any],
    *,
    phase: str,
    up_to_date: bool,
    desired: Desired | None,
) -> dict[str, Any]:
    del snapshot, up_to_date, desired
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
        "problem": work.problem.to_json() if work.problem else None,
        "operation": _operation_status(work),
        "previous": work.ledger.previous.digest if work.ledger.previous else None,
    }
    if work.subject is not None:
        server = work.subject.server
        value["database"] = {
            "server": server.ref.name if server.ref else server.host,
            "name": work.subject.database,
        }
        value["environment"] = work.subject.environment
    return {key: item for key, item in value.items() if item is not None}


def _operation_status(work: _Work) -> dict[str, Any] | None:
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


async def _note_problem(services: Services, work: _Work, error: MooringError) -> None:
    """Let status say what keeps the pass from going on."""

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            **status,
            "phase": status.get("phase", State.PROVISIONING.value),
            "problem": error.to_json(),
            "ledger": dump_ledger(work.ledger),
        }

    work.doc = await update_status(services, work.doc, change)


async def _supersede(services: Services, work: _Work) -> None:
    again = [one for one in work.waiting if ops.superseded(one, work.ledger.done)]
    for one in again:
        await ops.end(services, one, "Superseded")
    if again:
        work.operations = await ops.list_operations(services, work.doc.ref)


async def _paused(services: Services, work: _Work) -> Pass:
    await update_status(services, work.doc, lambda status: {**status, "phase": "Paused"})
    return Pass(work.ledger.state, "Paused", settled=True, requeue_s=None)


__all__ = ["Pass", "reconcile", "rfc3339"]
