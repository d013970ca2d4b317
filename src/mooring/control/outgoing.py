# SPDX-License-Identifier: Apache-2.0
"""Counts what waits to be sent in an instance's database, for a person who decides about it. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from mooring.api.instance import OdooInstanceSpec
from mooring.control.errors import NotInitialized, OutgoingUnknown
from mooring.control.once import run_once
from mooring.control.servers import find_existing_server
from mooring.control.services import Services, new_id
from mooring.control.subjects import describe_subject
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.tasks import task_stem
from mooring.domain.model.identity import Identity
from mooring.domain.operations.release_hold import outgoing_count_task
from mooring.domain.work.neutralize import OutgoingResult
from mooring.drivers.documents import Document


async def count_outgoing(services: Services, doc: Document, *, timeout_s: float) -> OutgoingResult:
    """What waits in the database of an instance; `older` is what waits since before its data went back.

    Args:
        doc: the instance's record.
        timeout_s: seconds after which the task is ended.

    Raises:
        NotInitialized: there is no data yet.
        OutgoingUnknown: the task failed; carries its words.
        MooringError: server, secret or release of the instance are not there.
        TimeoutExceeded: it took longer than `timeout_s` seconds.
    """
    ledger = load_ledger(doc.status.get("ledger"))
    release = ledger.release(ledger.runs)
    if not ledger.initialized or release is None:
        raise NotInitialized(f"{doc.ref} has no data yet.")
    spec = OdooInstanceSpec.model_validate(doc.spec)
    identity = Identity(services.installation, doc.id)
    server = await find_existing_server(services, doc.ref, spec)
    subject, _ = await describe_subject(services, doc.ref, identity, spec, ledger, release, server)
    run = outgoing_count_task(subject, task_stem(doc.ref, f"count-{new_id()[:6]}"), since=ledger.cron_held_since)
    task = replace(run.attempt(1), deadline=timedelta(seconds=timeout_s))
    state = await run_once(services, task, about=doc.ref, timeout_s=timeout_s)
    if state.phase != "succeeded" or not isinstance(state.result, Mapping):
        fault = state.error or {}
        raise OutgoingUnknown(
            str(fault.get("brief") or "The task that counts ended without a result."),
            details="\n".join(text for text in (str(fault.get("details", "")), state.log_tail) if text),
        )
    return OutgoingResult.from_json(state.result)
