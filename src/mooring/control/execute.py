# SPDX-License-Identifier: Apache-2.0
"""Lets the operations of an instance move, and writes down what became of those that ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mooring.control import operations as ops
from mooring.control.events import Event
from mooring.control.heartbeat import KEY as HEARTBEAT
from mooring.control.heartbeat import queue_heartbeat
from mooring.control.notify import queue_ending
from mooring.control.rotate import follow_rotation
from mooring.control.runner import run_moves
from mooring.control.send import send_due
from mooring.control.server_status import note_version
from mooring.control.services import Services, update_status
from mooring.control.teardown import forget_instance
from mooring.control.work import Work, save_ledger
from mooring.domain.instance.backups import COMPLETE
from mooring.domain.instance.ledger import Ledger, dump_ledger
from mooring.domain.instance.outcome import finish
from mooring.domain.instance.status import Measured, describe_database, read_measured
from mooring.domain.model.observed import Observed
from mooring.domain.operations.moves import Finished
from mooring.domain.operations.plan import OperationType


async def operate(
    services: Services, work: Work, seen: Observed, wanted: Mapping[str, int], *, pending: bool, removed: bool
) -> tuple[float | None, bool]:
    """Let every running operation move.

    Args:
        seen: the instance in this pass.
        wanted: replicas that are wanted now, by role.
        pending: the target still has something to change.
        removed: nothing of the instance is left but its volumes.

    Returns:
        Seconds after which to look again (None: nothing runs), and whether the instance was deleted.
    """
    waits: list[float] = []
    wait_s = await follow_rotation(services, work)
    if wait_s is not None:
        return wait_s, False
    for operation in work.running:
        if operation.stuck:
            continue

        async def save(ledger: Ledger) -> None:
            await save_ledger(services, work, ledger)

        result = await run_moves(
            services,
            operation,
            work.ledger,
            seen,
            wanted=wanted,
            pending=pending,
            removed=removed,
            save=save,
            server_ready=work.access is None or work.access.ready,
        )
        work.ledger = result.ledger
        if result.outcome is None:
            waits.append(result.wait_s)
            continue
        outcome = result.outcome
        work.ledger = finish(
            work.ledger, result.accepted, outcome, result.operation.log, generation=work.doc.generation
        )
        measured = read_measured(result.operation.log)
        await _save_end(services, work, operation, outcome, measured)
        server = work.subject.server.ref if work.subject is not None else None
        if measured is not None and server is not None:
            await note_version(services, server, measured.server_version)
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
        services.emit(Event(work.doc.ref, "phase" if outcome.outcome == "succeeded" else "warning", text))
        if operation.type is OperationType.DELETE and outcome.outcome == "succeeded":
            await send_due(services, work.doc.ref)  # the record goes now, and the queue with it
            await forget_instance(services, work.doc, work.spec, purge=operation.doc.spec.get("purge") is True)
            return None, True
        waits.append(0.0)
    if waits:
        work.operations = await ops.list_operations(services, work.doc.ref)
    return (min(waits) if waits else None), False


async def _save_end(
    services: Services, work: Work, operation: ops.Operation, outcome: Finished, measured: Measured | None
) -> None:
    """The ledger after an operation's end, what it measured, and the word that the webhook gets, in one write."""
    ledger, now = work.ledger, services.clock.now()

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        value = {**status, "ledger": dump_ledger(ledger)}
        if measured is not None and work.subject is not None:
            value["database"] = {**describe_database(work.subject), **measured.describe()}
        if work.spec.webhook is not None:
            value["notifications"] = queue_ending(
                status.get("notifications", ()),
                work.doc.ref,
                operation=operation.type.value,
                name=operation.doc.ref.name,
                outcome=outcome.outcome,
                message=(outcome.error or {}).get("brief", ""),
                backup=ledger.backups if operation.type is OperationType.BACKUP else None,
                now=now,
            )
        whole = operation.type is OperationType.BACKUP and outcome.outcome == "succeeded"
        if whole and ledger.backups.result == COMPLETE and work.spec.backup.heartbeat_url is not None:
            value[HEARTBEAT] = queue_heartbeat(now)
        return value

    work.doc = await update_status(services, work.doc, change)
