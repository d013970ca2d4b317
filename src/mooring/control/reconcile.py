# SPDX-License-Identifier: Apache-2.0
"""One pass over one instance: observe, decide, converge, let its operations make a move, write down what is.

The same pass serves a command, the agent and a test; none of them waits inside it. It is safe to run at any time and to
kill at any point. The caller holds the instance's execution lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.control import operations as ops
from mooring.control.begin import begin, refuse_excluded
from mooring.control.conclude import Pass, conclude
from mooring.control.errors import UnknownInstance
from mooring.control.events import Event
from mooring.control.execute import operate
from mooring.control.health import look_after
from mooring.control.runner import hold_of, needs_live
from mooring.control.services import Services, update_status
from mooring.control.teardown import recall_memory
from mooring.control.work import Work, desired_of, is_removal, note_problem, prepare, save_ledger, snapshot_of
from mooring.domain.instance.conditions import Before, mark_paused
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.snapshot import wanted_replicas
from mooring.domain.lifecycle import State, next_state, output
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Observed
from mooring.domain.operations.conflicts import READS
from mooring.domain.operations.plan import NO_HOLD, Hold
from mooring.drivers.documents import Document, VersionConflict
from mooring.drivers.journal import JournalConflict
from mooring.errors import MooringError


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
    except (VersionConflict, JournalConflict):
        # Somebody changed the spec or asked for something meanwhile: start from what is there now.
        return Pass(State.STARTING, str(doc.status.get("phase", "")), settled=False, requeue_s=0.05)


async def _pass(services: Services, doc: Document, *, live: bool, asked: bool) -> Pass:
    if not doc.status.get("ledger"):
        doc = await recall_memory(services, doc)
    work = Work(
        doc=doc,
        spec=OdooInstanceSpec.model_validate(doc.spec),
        ledger=load_ledger(doc.status.get("ledger")),
        identity=Identity(services.installation, doc.id),
        operations=await ops.list_operations(services, doc.ref),
    )
    if work.spec.paused and not work.deleting:
        return await _paused(services, work)
    await _supersede(services, work)
    barrier = any(needs_live(one) for one in work.running)
    seen = await _look(services, work, live=live or barrier)
    snapshot = snapshot_of(work, seen, pending=False)
    goal = output(next_state(work.ledger.state, snapshot))
    work.ledger = replace(work.ledger, state=next_state(work.ledger.state, snapshot))
    await look_after(services, work, seen)
    # Before anything is rolled: an operation that begins now may be about to stop it all.
    idle = all(one.stuck or one.type in READS for one in work.running)
    if not idle:
        await refuse_excluded(services, work)
    elif await begin(services, work, seen, asked=asked, intact=snapshot.data_present):
        await save_ledger(services, work, work.ledger)  # what a release is, is asked once
        work.operations = await ops.list_operations(services, doc.ref)
        if all(one.stuck for one in work.running):  # it was refused
            return Pass(work.ledger.state, str(work.doc.status.get("phase", "")), settled=False, requeue_s=0.0)
    held = _merge([hold_of(one) for one in work.running] + _standing_holds(work))
    pending = removed = disturbed = False
    try:
        desired = desired_of(work, asked_web=goal.web, asked_cron=goal.cron, held=held)
    except MooringError as error:
        await note_problem(services, work, error)
        raise
    if desired is not None and work.deleting and not snapshot.data_present:
        desired = replace(desired, volumes=())  # a volume that is gone is not made anew to be deleted
    if desired is not None and (snapshot.data_present or work.deleting):
        for change in await services.target.converge(desired, seen):
            services.emit(Event(doc.ref, "change", f"{change.action} {change.object}: {change.reason}"))
        left = services.target.diff(desired, seen)
        pending, disturbed = bool(left), any(not change.beside for change in left)
        removed = is_removal(work) and not pending
    snapshot = replace(snapshot, ready=snapshot.ready and not disturbed)
    work.ledger = replace(work.ledger, state=next_state(work.ledger.state, snapshot))
    wanted = {one.role: one.replicas for one in desired.workloads} if desired is not None else {}
    wait_s, gone = await operate(services, work, seen, wanted, pending=pending, removed=removed)
    if gone:
        return Pass(State.DELETING, "Deleted", settled=True, requeue_s=None, gone=True)
    return await conclude(services, work, seen, snapshot, pending=pending, wait_s=wait_s)


async def _look(services: Services, work: Work, *, live: bool) -> Observed:
    """Fill `work` and observe the instance, side by side: most of a pass is waiting for the target's answers."""
    looking = asyncio.create_task(services.target.observe(work.doc.ref, live=live))
    try:
        await prepare(services, work)
    except BaseException:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        raise
    return await looking


def _standing_holds(work: Work) -> list[Hold]:
    """What stays forbidden after an operation's end, until a person releases it."""
    reason = work.ledger.cron_held
    return [Hold(cron=True, reason=reason)] if reason else []


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


async def _supersede(services: Services, work: Work) -> None:
    again = [one for one in work.waiting if ops.superseded(one, work.ledger.done)]
    for one in again:
        await ops.end(services, one, "Superseded")
    if again:
        work.operations = await ops.list_operations(services, work.doc.ref)


async def _paused(services: Services, work: Work) -> Pass:
    """Look, and touch nothing: not even the database server."""
    seen = await services.target.observe(work.doc.ref)
    wanted = wanted_replicas(work.spec, work.ledger)
    ready = work.ledger.initialized and all(seen.workload(role).ready >= count for role, count in wanted)
    now = services.clock.now()

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            **status,
            "phase": "Paused",
            "observedGeneration": work.doc.generation,
            "replicas": len(seen.workload("web").replicas),
            "readyReplicas": seen.workload("web").ready,
            "conditions": mark_paused(Before(status.get("conditions", ()), work.doc.generation, now), ready=ready),
        }

    await update_status(services, work.doc, change)
    return Pass(work.ledger.state, "Paused", settled=True, requeue_s=None)


__all__ = ["Pass", "reconcile"]
