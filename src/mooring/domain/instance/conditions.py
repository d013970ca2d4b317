# SPDX-License-Identifier: Apache-2.0
"""The conditions of an instance and of a server, from what one pass knows. Pure.

They follow kstatus: `Reconciling` while Mooring works towards the spec, `Stalled` when it cannot go on by itself; never
both. Every condition is always set, and `lastTransitionTime` moves only when the status does. Called by control when it
writes a status.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mooring.domain.instance.backups import NO_BACKUP, Health
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.lifecycle import Snapshot, State
from mooring.domain.lifecycle.table import explain

KINDS = ("Ready", "Progressing", "Reconciling", "Stalled", "Degraded", "DatabaseReady", "BackupHealthy", "UpToDate")
SERVER_KINDS = ("Ready", "Reconciling", "Stalled")
UNKNOWN = "NotLookedAtYet"
_Row = tuple[bool | None, str, str]


@dataclass(frozen=True)
class Trouble:
    """What keeps an instance from being as its spec says.

    Attributes:
        reason: one CamelCase word.
        message: a sentence.
        final: only a person, or another spec, ends it; otherwise Mooring tries again.
    """

    reason: str
    message: str
    final: bool


@dataclass(frozen=True)
class Before:
    """The conditions that were written last, and by which spec and when the new ones are judged."""

    conditions: Sequence[Mapping[str, Any]]
    generation: int
    now: datetime


def decide_conditions(
    state: State,
    snapshot: Snapshot,
    *,
    operation: str | None,
    up_to_date: bool,
    before: Before,
    trouble: Trouble | None = None,
    backup: Health = NO_BACKUP,
    sick: str = "",
) -> list[dict[str, Any]]:
    """Every condition, after a whole pass.

    Args:
        operation: phase of the operation in progress; None where there is none, or a person has to decide about it.
        trouble: what the pass ran into; a stuck operation and a release that cannot be had are such.
        backup: how its backups are doing.
        sick: what proved bad of a release that users were let into a little while ago; empty where nothing did.
    """
    why = explain(state, snapshot)
    message = f"{why.message} {why.way_out}".strip()
    ready = state is State.RUNNING or (state is State.UPGRADE_FAILED and snapshot.ready)
    failed = state in (State.INIT_FAILED, State.UPGRADE_FAILED)
    stalled = operation is None and (failed or (trouble is not None and trouble.final))
    waits = state in (State.PROVISIONING, State.INITIALIZING, State.STARTING, State.DELETING)
    moving = not stalled and (operation is not None or waits or trouble is not None)
    cause = (why.reason, message) if trouble is None else (trouble.reason, trouble.message)
    progress: _Row = (moving, operation, operation) if operation else (moving, *cause)
    current: _Row = (up_to_date, "ReleaseIsCurrent" if up_to_date else "AnotherReleaseRuns", "")
    if trouble is not None and not up_to_date:
        current = (False, trouble.reason, trouble.message)
    database = snapshot.server_ready and (snapshot.provisioned or snapshot.initialized)
    degraded: _Row = (state is State.DEGRADED, why.reason if state is State.DEGRADED else "NotDegraded", message)
    if sick:
        degraded = (True, "UnhealthyAfterUpgrade", f"{sick[0].upper()}{sick[1:]}.")
    rows: dict[str, _Row] = {
        "Ready": (ready, why.reason, message),
        "Progressing": progress,
        "Reconciling": progress,
        "Stalled": (True, *cause) if stalled else (False, "NotStalled", ""),
        "Degraded": degraded,
        "DatabaseReady": (database, "Answers" if snapshot.server_ready else "ServerNotReady", ""),
        "BackupHealthy": backup,
        "UpToDate": current,
    }
    return _dated(rows, KINDS, before)


def mark_trouble(trouble: Trouble, before: Before) -> list[dict[str, Any]]:
    """The conditions of before, with what a pass ran into before it had looked at everything.

    What was not looked at stays as it was judged last; `Unknown` where it never was.
    """
    rows: dict[str, _Row] = {one["type"]: _kept(one) for one in before.conditions}
    progress: _Row = (not trouble.final, trouble.reason, trouble.message)
    rows |= {
        "Progressing": progress,
        "Reconciling": progress,
        "Stalled": (True, trouble.reason, trouble.message) if trouble.final else (False, "NotStalled", ""),
    }
    rows.setdefault("BackupHealthy", NO_BACKUP)
    rows.setdefault("Ready", (False, trouble.reason, trouble.message))
    return _dated(rows, KINDS, before)


def mark_paused(before: Before, *, ready: bool) -> list[dict[str, Any]]:
    """The conditions of an instance that is only looked at.

    Args:
        ready: everything that the spec wants answers.
    """
    rows: dict[str, _Row] = {one["type"]: _kept(one) for one in before.conditions}
    still: _Row = (False, "Paused", "It is paused: nothing is touched until spec.paused is taken out.")
    rows |= {"Ready": (ready, *still[1:]), "Progressing": still, "Reconciling": still, "Stalled": still}
    rows.setdefault("BackupHealthy", NO_BACKUP)
    return _dated(rows, KINDS, before)


def decide_server_conditions(*, ready: bool, trouble: Trouble | None, before: Before) -> list[dict[str, Any]]:
    """The conditions of a database server that Mooring runs."""
    reason = "Answers" if ready else "NotAnswering"
    text = "It answers a real login." if ready else "It does not answer a real login yet."
    stalled = trouble is not None and trouble.final
    why = (reason, text) if trouble is None else (trouble.reason, trouble.message)
    rows: dict[str, _Row] = {
        "Ready": (ready, *why),
        "Reconciling": (not ready and not stalled, *why),
        "Stalled": (True, *why) if stalled else (False, "NotStalled", ""),
    }
    return _dated(rows, SERVER_KINDS, before)


def _kept(condition: Mapping[str, Any]) -> _Row:
    truth = {"True": True, "False": False}.get(condition["status"])
    return truth, condition["reason"], condition["message"]


def _dated(rows: Mapping[str, _Row], kinds: Iterable[str], before: Before) -> list[dict[str, Any]]:
    known = {one["type"]: one for one in before.conditions}
    found: list[dict[str, Any]] = []
    for kind in kinds:
        truth, reason, message = rows.get(kind, (None, UNKNOWN, ""))
        status = "Unknown" if truth is None else "True" if truth else "False"
        last = known.get(kind)
        unchanged = last is not None and last["status"] == status
        found.append(
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastTransitionTime": last["lastTransitionTime"] if unchanged and last else rfc3339(before.now),
                "observedGeneration": before.generation,
            }
        )
    return found
