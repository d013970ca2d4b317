# SPDX-License-Identifier: Apache-2.0
"""Pings the address that watches over backups (`backup.heartbeatUrl`) after each one that is whole.

Queued with the status that it belongs to, sent afterwards, tried again with growing pauses. That nobody took it is a warning
and nothing more: no backup fails of it. The address is often a secret: only its host is ever said.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.control.events import Event
from mooring.control.services import Services, update_status
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import VersionConflict
from mooring.drivers.webhook import Outcome, ping_url
from mooring.errors import MooringError, Retry

KEY = "heartbeat"
GIVE_UP_AFTER = 12
_PAUSES_S = (5, 15, 60, 300, 900)


def queue_heartbeat(now: datetime) -> dict[str, Any]:
    """One ping that is due; it takes the place of an older one that was not taken yet."""
    return {"since": now.isoformat(), "attempts": 0, "notBefore": now.isoformat()}


def next_ping(status: Mapping[str, Any]) -> datetime | None:
    """When the waiting ping is tried; None where none waits."""
    at = (status.get(KEY) or {}).get("notBefore")
    return None if at is None else datetime.fromisoformat(at)


def heartbeat_warnings(status: Mapping[str, Any]) -> list[str]:
    """What a person is told of a ping that was not taken; nothing once one was."""
    problem = (status.get(KEY) or {}).get("problem")
    if not problem:
        return []
    given_up = next_ping(status) is None
    then = "It is tried again after the next backup." if given_up else "It is tried again."
    return [f"backup.heartbeatUrl was not reached: {problem} {then}"]


async def send_heartbeat(services: Services, ref: Ref) -> None:
    """Send the ping of `ref` if its time has come."""
    doc = await services.documents.get(ref)
    at = None if doc is None else next_ping(doc.status)
    if doc is None or at is None or at > services.clock.now():
        return
    url = OdooInstanceSpec.model_validate(doc.spec).backup.heartbeat_url
    waiting = dict(doc.status[KEY])
    left = None
    if url is not None:
        problem, retry = await _try(str(url))
        left = _after(waiting, problem=problem, retry=retry, now=services.clock.now())

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        rest = {key: item for key, item in status.items() if key != KEY}
        rest["warnings"] = [*(one for one in status.get("warnings", ()) if one not in heartbeat_warnings(status))]
        if left is not None:
            rest |= {KEY: left}
            rest["warnings"] += heartbeat_warnings(rest)
        return {key: item for key, item in rest.items() if key != "warnings" or item}

    try:
        await update_status(services, doc, change)
    except VersionConflict:
        return  # it is sent again by the next pass; whoever watches does not mind
    if left is not None:
        services.emit(Event(ref, "warning", heartbeat_warnings({KEY: left})[0]))


async def _try(url: str) -> tuple[str, bool]:
    """Why it was not taken (empty: it was), and whether it may be later."""
    try:
        delivery = await ping_url(url)
    except MooringError as error:
        return error.brief, error.retry is not Retry.NEVER
    return ("", False) if delivery.outcome is Outcome.DELIVERED else (str(delivery), delivery.retry)


def _after(waiting: Mapping[str, Any], *, problem: str, retry: bool, now: datetime) -> dict[str, Any] | None:
    """What is kept after an attempt; None where it was taken."""
    if not problem:
        return None
    attempts = int(waiting["attempts"]) + 1
    kept = {"since": waiting["since"], "attempts": attempts, "problem": problem}
    if not retry or attempts >= GIVE_UP_AFTER:
        return kept
    pause = _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]
    return kept | {"notBefore": (now + timedelta(seconds=pause)).isoformat()}
