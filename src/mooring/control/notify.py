# SPDX-License-Identifier: Apache-2.0
"""Tells a webhook each change of phase: queued with the status that it belongs to, sent afterwards, retried, in order.

A receiver may get one twice (the id tells), and gets all of them unless it refuses for longer than `GIVE_UP_AFTER` tries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mooring.domain.instance.backups import FAILED
from mooring.domain.instance.ledger import Backups
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.model.identity import Ref

GIVE_UP_AFTER = 12
KEEP = 50
_PAUSES_S = (1, 5, 15, 60, 300)


def queue_notification(
    waiting: Sequence[Mapping[str, Any]], ref: Ref, *, before: str, after: str, now: datetime
) -> list[dict[str, Any]]:
    """The queue with one more: {id, event, body, attempts, notBefore}."""
    body = {
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "phase": after,
        "previousPhase": before,
        "time": rfc3339(now),
    }
    entry = {
        "id": f"{ref.name}-{now.timestamp():.6f}",
        "event": "PhaseChanged",
        "body": body,
        "attempts": 0,
        "notBefore": now.isoformat(),
    }
    return [*(dict(one) for one in waiting), entry][-KEEP:]


def queue_ending(
    waiting: Sequence[Mapping[str, Any]],
    ref: Ref,
    *,
    operation: str,
    name: str,
    outcome: str,
    message: str,
    now: datetime,
    backup: Backups | None = None,
) -> list[dict[str, Any]]:
    """The queue with the end of an operation.

    Args:
        backup: of a backup's end: what is remembered of it; the body says its result, and its snapshot where it made one.
    """
    body: dict[str, Any] = {
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "operation": {"type": operation, "name": name, "phase": outcome, "message": message},
        "time": rfc3339(now),
    }
    if backup is not None:
        snapshot = {} if backup.result == FAILED else {"snapshot": backup.snapshot}
        body["backup"] = {"result": backup.result, **snapshot}
    entry = {
        "id": f"{name}-{outcome}",
        "event": "OperationEnded",
        "body": body,
        "attempts": 0,
        "notBefore": now.isoformat(),
    }
    return [*(dict(one) for one in waiting), entry][-KEEP:]


def due(waiting: Sequence[Mapping[str, Any]], now: datetime) -> Mapping[str, Any] | None:
    """The first of the queue, if its time has come: order is kept, so nothing overtakes it."""
    if not waiting:
        return None
    first = waiting[0]
    return first if datetime.fromisoformat(first["notBefore"]) <= now else None


def after_attempt(
    waiting: Sequence[Mapping[str, Any]], *, sent: bool, retry: bool, now: datetime
) -> list[dict[str, Any]]:
    """The queue after the first was tried: without it, or with its next time.

    Args:
        sent: the receiver took it.
        retry: it may take it later; False is a refusal by its own words.
    """
    first, *rest = (dict(one) for one in waiting)
    attempts = int(first["attempts"]) + 1
    if sent or not retry or attempts >= GIVE_UP_AFTER:
        return rest
    pause = _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]
    return [{**first, "attempts": attempts, "notBefore": (now + timedelta(seconds=pause)).isoformat()}, *rest]
