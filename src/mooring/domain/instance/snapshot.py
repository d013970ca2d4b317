# SPDX-License-Identifier: Apache-2.0
"""From documents and one observation to the snapshot that the lifecycle reads, and to the status that people read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.ledger import Ledger
from mooring.domain.lifecycle import Snapshot, State
from mooring.domain.lifecycle.table import explain
from mooring.domain.model.observed import Observed

FILESTORE = "filestore"


def wanted_replicas(spec: OdooInstanceSpec, ledger: Ledger) -> tuple[tuple[str, int], ...]:
    """((role, count), …) of what runs when nothing holds it back."""
    if ledger.stopped or spec.replicas == 0:
        return (("web", 0), ("cron", 0))
    return (("web", spec.replicas), ("cron", spec.cron.replicas))


def take_snapshot(
    spec: OdooInstanceSpec,
    ledger: Ledger,
    seen: Observed,
    *,
    generation: int,
    deleting: bool,
    server_ready: bool,
    provisioned: bool,
    pending: bool,
) -> Snapshot:
    """What the guards read.

    Args:
        generation: of the spec; a latch holds for the one at which it was set.
        pending: whether the target still has something to change.
    """
    ready = all(seen.workload(role).ready >= count for role, count in wanted_replicas(spec, ledger))
    return Snapshot(
        deleting=deleting,
        provisioned=provisioned and server_ready,
        initialized=ledger.initialized,
        init_wanted=spec.init.enabled,
        init_latched=ledger.latched.get("Init") == generation,
        upgrade_latched=ledger.latched.get("Upgrade") == generation,
        stop_wanted=ledger.stopped or spec.replicas == 0,
        ready=ready and not pending,
        server_ready=server_ready,
        data_present=not ledger.initialized or FILESTORE in seen.volumes,
    )


def decide_conditions(
    state: State,
    snapshot: Snapshot,
    *,
    operation: str | None,
    up_to_date: bool,
    previous: Mapping[str, Mapping[str, Any]],
    generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """Every condition, always set; `lastTransitionTime` moves only when the status does.

    Args:
        operation: phase of the operation in progress, if there is one.
        previous: the conditions of before, by type.
    """
    why = explain(state, snapshot)
    ready = state is State.RUNNING or (state is State.UPGRADE_FAILED and snapshot.ready)
    stalled = state in (State.INIT_FAILED, State.UPGRADE_FAILED) and operation is None
    moving = operation is not None or state in (State.PROVISIONING, State.INITIALIZING, State.STARTING, State.DELETING)
    message = f"{why.message} {why.way_out}".strip()
    rows = (
        ("Ready", ready, why.reason, message),
        ("Progressing", moving and not stalled, operation or why.reason, operation or message),
        ("Reconciling", moving and not stalled, operation or why.reason, operation or message),
        ("Stalled", stalled, why.reason if stalled else "NotStalled", message if stalled else ""),
        ("Degraded", state is State.DEGRADED, why.reason if state is State.DEGRADED else "NotDegraded", message),
        (
            "DatabaseReady",
            snapshot.server_ready and (snapshot.provisioned or snapshot.initialized),
            "Answers" if snapshot.server_ready else "ServerNotReady",
            "",
        ),
        # Backups come with a later version; a manifest that asks for them is refused.
        ("BackupHealthy", None, "NoBackupAsked", "The manifest asks for no backup."),
        ("UpToDate", up_to_date, "ReleaseIsCurrent" if up_to_date else "AnotherReleaseRuns", ""),
    )
    return [
        _condition(kind, truth, reason, text, previous.get(kind), generation, now) for kind, truth, reason, text in rows
    ]


def _condition(
    kind: str,
    truth: bool | None,
    reason: str,
    message: str,
    before: Mapping[str, Any] | None,
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    status = "Unknown" if truth is None else "True" if truth else "False"
    unchanged = before is not None and before.get("status") == status
    since = before["lastTransitionTime"] if unchanged and before else rfc3339(now)
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }


DISK_LOW_BYTES = 2 << 30


def decide_warnings(spec: OdooInstanceSpec, ledger: Ledger, seen: Observed) -> list[str]:
    """What is going to hurt if nobody looks, one sentence each."""
    free = seen.free_bytes
    if free is None:
        return []
    sentences: list[str] = []
    if free < DISK_LOW_BYTES:
        sentences.append(
            f"Less than {(free >> 28) + 1} x 256 MiB are free where the data is; Odoo loses attachments on a full disk."
        )
    asked = spec.filestore.storage_size.bytes
    if not ledger.initialized and asked > free:
        sentences.append(f"filestore.storageSize asks for {asked >> 30} GiB, and about {free >> 30} GiB are free.")
    return sentences


def rfc3339(at: datetime) -> str:
    """`2026-01-31T22:00:00Z`, whole seconds."""
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")
