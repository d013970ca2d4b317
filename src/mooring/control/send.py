# SPDX-License-Identifier: Apache-2.0
"""Sends what `notify` queued. One at a time, in order; never in the way of the pass that queued it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.control.events import Event
from mooring.control.heartbeat import send_heartbeat
from mooring.control.notify import GIVE_UP_AFTER, after_attempt, due
from mooring.control.services import Services, update_status
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.drivers.documents import VersionConflict
from mooring.drivers.webhook import Outcome, post_webhook
from mooring.errors import MooringError, Retry


async def send_due(services: Services, ref: Ref) -> None:
    """Send every notification of `ref` and its heartbeat, if their time has come; what fails is tried again later."""
    await _send_notifications(services, ref)
    await send_heartbeat(services, ref)


async def _send_notifications(services: Services, ref: Ref) -> None:
    while True:
        doc = await services.documents.get(ref)
        if doc is None:
            return
        waiting = doc.status.get("notifications", ())
        entry = due(waiting, services.clock.now())
        webhook = OdooInstanceSpec.model_validate(doc.spec).webhook
        if entry is None or webhook is None:
            return
        try:
            delivery = await post_webhook(
                str(webhook.url),
                entry["body"],
                event=entry.get("event", "PhaseChanged"),
                delivery=entry["id"],
                token=await _token(services, ref),
            )
            sent, retry, problem = delivery.outcome is Outcome.DELIVERED, delivery.retry, str(delivery)
        except MooringError as error:
            sent, retry, problem = False, error.retry is not Retry.NEVER, error.brief
        if not sent:
            last = not retry or int(entry["attempts"]) + 1 >= GIVE_UP_AFTER
            then = "It is given up." if last else "It is tried again."
            services.emit(Event(ref, "warning", f"A notification was not taken: {problem} {then}"))
        queue = after_attempt(waiting, sent=sent, retry=retry, now=services.clock.now())

        def change(status: Mapping[str, Any], queue: list[dict[str, Any]] = queue) -> Mapping[str, Any]:
            return {**status, "notifications": queue}

        try:
            await update_status(services, doc, change)
        except VersionConflict:
            return
        if not sent:
            return


async def _token(services: Services, ref: Ref) -> SecretValue | None:
    doc = await services.documents.get(ref)
    webhook = OdooInstanceSpec.model_validate(doc.spec).webhook if doc is not None else None
    if webhook is None or webhook.secret_token_secret_ref is None:
        return None
    given = webhook.secret_token_secret_ref
    if given.file is not None:
        return await services.secrets.value(SecretKey(SecretRef(ref.namespace, f"file:{given.file}"), "value"))
    return await services.secrets.value(SecretKey(SecretRef(ref.namespace, given.name or ""), given.key or ""))
