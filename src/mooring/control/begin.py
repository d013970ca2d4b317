# SPDX-License-Identifier: Apache-2.0
"""Begins operations: the one that a person asked for, or the one that the state of things asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mooring.control import operations as ops
from mooring.control.archives import find_archive
from mooring.control.events import Event
from mooring.control.moves import refuse_running_source
from mooring.control.repositories import find_repository
from mooring.control.schedules import first_seen, look_at_schedules, next_expiry, note_begun
from mooring.control.scratch import find_scratch
from mooring.control.services import Services
from mooring.control.sources import find_source
from mooring.control.subjects import ensure_admin_password
from mooring.control.template_stock import find_template
from mooring.control.work import Work, is_rotated, place_of_work, save_ledger
from mooring.domain.instance.data_outcome import not_begun, not_verified
from mooring.domain.instance.kept import next_to_go
from mooring.domain.instance.outcome import finish
from mooring.domain.instance.refreshed import refreshed
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.snapshot import rfc3339, wanted_replicas
from mooring.domain.instance.subject import PinnedRelease
from mooring.domain.lifecycle import output
from mooring.domain.model.observed import Observed
from mooring.domain.operations.accepted import Accepted
from mooring.domain.operations.backup import SCHEDULED
from mooring.domain.operations.build import USES_REPOSITORY, wants_backup
from mooring.domain.operations.choose import Asked, Begin, Create, Refuse, decide_exclusion, decide_next
from mooring.domain.operations.moves import Finished
from mooring.domain.operations.plan import PHASES, OperationType
from mooring.errors import MooringError

BACK_OFF_S = (5.0, 15.0, 60.0, 300.0)


async def begin(services: Services, work: Work, seen: Observed, *, asked: bool, intact: bool) -> bool:
    """Begin the next operation, or end one that is refused; whether there was one.

    Args:
        asked: a person asks: what failed is tried again without its pause.
        intact: the volumes that the instance had are there.
    """
    seen_first = first_seen(services, work)
    if seen_first is not None:
        await save_ledger(services, work, seen_first)
    scheduled = next((one.job for one in look_at_schedules(services, work) if one.due.now), None)
    known = work.subject is not None and work.access is not None and work.access.ready
    choice = decide_next(
        ledger=work.ledger,
        output=output(work.ledger.state),
        running=[one.type for one in work.running if not one.stuck],
        stuck=any(one.stuck for one in work.running),
        waiting=[Asked(one, one.type, one.due(services.clock.now())) for one in work.waiting],
        place=place_of_work(work),
        rotated=is_rotated(work),
        provisionable=known and (asked or _backed_off(services, work, OperationType.PROVISION)),
        wanted=work.pinned.release.digest if work.pinned else "",
        auto_upgrade=work.spec.auto_upgrade.enabled,
        generation=work.doc.generation,
        blocked=work.problem.brief if work.problem is not None else "",
        intact=intact,
        deletable=asked or _backed_off(services, work, OperationType.DELETE),
        copies=work.spec.staging_of is not None,
        scheduled=scheduled,
        expired=_expired(services, work) if asked or _backed_off(services, work, OperationType.EXPIRE) else "",
    )
    match choice:
        case Begin(waiting):
            operation: ops.Operation = waiting.key
            await _accept(services, work, operation, seen)
        case Refuse():
            await _refuse(services, choice)
        case Create(kind, spec):
            if kind is OperationType.DELETE:
                spec = {"purge": work.purging}
            if choice is scheduled:
                await save_ledger(services, work, note_begun(services, work.ledger, kind))
            operation = await ops.create_operation(services, work.doc.ref, kind, spec)
            await _accept(services, work, operation, seen)
        case None:
            return False
    return True


async def refuse_excluded(services: Services, work: Work) -> None:
    """End what was asked for and is excluded by what runs; the rest waits. For a pass in which nothing may begin."""
    running = [one.type for one in work.running if not one.stuck]
    refused = [decide_exclusion(Asked(one, one.type), running) for one in work.due(services)]
    for refusal in refused:
        if refusal is not None:
            await _refuse(services, refusal)
    if any(refused):
        work.operations = await ops.list_operations(services, work.doc.ref)


async def _refuse(services: Services, refusal: Refuse) -> None:
    error = {
        "code": "MOOR-614",
        "reason": refusal.reason,
        "brief": refusal.brief,
        "resolution": "Ask again later.",
    }
    await ops.end(services, refusal.asked.key, "Failed", error=error)


async def _accept(services: Services, work: Work, operation: ops.Operation, seen: Observed) -> None:
    previous = work.ledger.previous
    to: PinnedRelease | None = None
    if operation.type is OperationType.UPGRADE:
        to = work.pinned
    elif operation.type is OperationType.ROLLBACK and previous is not None:
        to = work.ledger.release(previous.digest)
    replicas = wanted_replicas(work.spec, work.ledger)
    if operation.type is OperationType.START:
        replicas = wanted_replicas(work.spec, replace(work.ledger, stopped=False))
    if operation.type is OperationType.RELEASE_HOLD:
        replicas = wanted_replicas(work.spec, replace(work.ledger, cron_held=""))
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
        address=endpoint.url if endpoint is not None else work.doc.status.get("url"),
        free_bytes=seen.free_bytes if work.access is not None and work.access.server.managed else None,
        previous=previous.operation if previous else "",
        previous_kind=previous.kind if previous else OperationType.UPGRADE,
        initialized=work.ledger.initialized,
        generation=work.doc.generation,
        held_since=work.ledger.cron_held_since,
        previous_data=previous.data if previous else True,
    )
    try:
        accepted = replace(accepted, repository=await _repository(services, work, operation))
        if operation.type is OperationType.INIT and work.subject is not None:
            accepted = replace(accepted, template=await find_template(services, work.subject, operation.doc.spec))
        accepted = replace(accepted, source=await find_source(services, work, operation))
        archive = await find_archive(services, work.doc.ref.namespace, operation.type, operation.doc.spec)
        accepted = replace(accepted, archive=archive)
        if operation.type is OperationType.VERIFY and operation.doc.spec.get("restore") and work.subject is not None:
            scratch = await find_scratch(services, work.subject)
            if scratch is None:
                return  # the image is still being asked; the next pass goes on
            accepted = replace(accepted, scratch=scratch)
        await refuse_running_source(services, work, operation)
        ops.check_acceptable(accepted)
    except MooringError as error:
        # Latched as any failure: what is refused now is refused in the next pass too, which would go on without end.
        failed = Finished("failed", error.to_json())
        ledger = finish(work.ledger, accepted, failed, (), generation=work.doc.generation)
        if SCHEDULED in operation.doc.spec.get("tags", ()):
            ledger = not_begun(ledger, rfc3339(services.clock.now()))
        if operation.type is OperationType.VERIFY:
            ledger = not_verified(ledger, rfc3339(services.clock.now()), operation.doc.spec, error)
        if operation.type is OperationType.REFRESH:
            at = rfc3339(services.clock.now())
            ledger = replace(ledger, refreshed=refreshed(ledger.refreshed, (), at=at, source="", error=error.to_json()))
        await save_ledger(services, work, ledger)
        await ops.end(services, operation, "Failed", error=error.to_json())
        return
    if operation.type is OperationType.INIT and work.subject is not None:
        await ensure_admin_password(services, work.subject)
    await ops.accept(services, operation, accepted)
    services.emit(Event(work.doc.ref, "phase", f"{PHASES[operation.type]} {operation.doc.ref.name}"))


async def _repository(services: Services, work: Work, operation: ops.Operation) -> RepositoryAccess | None:
    """The repository that an operation reads or writes: the one that it names, or the instance's own."""
    if operation.type not in USES_REPOSITORY:
        return None
    asked = operation.doc.spec
    if {"url", "odoo"} & set(asked.get("source", {})) or "destination" in asked:
        return None
    if operation.type is OperationType.UPGRADE and not wants_backup(work.spec, asked):
        return None
    name = asked.get("repository") or asked.get("source", {}).get("repository") or work.spec.backup.repository
    return await find_repository(services, work.doc.ref.namespace, name) if name else None


def _expired(services: Services, work: Work) -> str:
    """The operation whose replaced pair was kept long enough, where somebody here may drop it; empty for none."""
    at, first = next_expiry(work), next_to_go(work.ledger.kept)
    return first.operation if first is not None and at is not None and at <= services.clock.now() else ""


def _backed_off(services: Services, work: Work, kind: OperationType) -> bool:
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
