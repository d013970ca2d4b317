# SPDX-License-Identifier: Apache-2.0
"""Counts what users wrote to an instance since a time, for a person who is about to give it up. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from mooring.api.instance import OdooInstanceSpec
from mooring.control.errors import NotInitialized
from mooring.control.once import run_once
from mooring.control.servers import find_existing_server
from mooring.control.services import Services, new_id
from mooring.control.subjects import describe_subject
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.tasks import owner_connection, owner_task, task_stem
from mooring.domain.model.identity import Identity
from mooring.domain.work.written import Written, WrittenCount
from mooring.drivers.documents import Document

MOST_S = 120.0


async def count_written(services: Services, doc: Document, *, since: str, timeout_s: float) -> Written | None:
    """What was written to the instance's usual tables; None where it could not be counted.

    Args:
        doc: the instance's record.
        since: RFC 3339.
        timeout_s: seconds after which the task is ended; never more than `MOST_S`.

    Raises:
        NotInitialized: there is no data yet.
        MooringError: server, secret or release of the instance are not there.
        TimeoutExceeded: it took too long.
    """
    ledger = load_ledger(doc.status.get("ledger"))
    release = ledger.release(ledger.runs)
    if not ledger.initialized or release is None:
        raise NotInitialized(f"{doc.ref} has no data yet.")
    spec = OdooInstanceSpec.model_validate(doc.spec)
    server = await find_existing_server(services, doc.ref, spec)
    identity = Identity(services.installation, doc.id)
    subject, _ = await describe_subject(services, doc.ref, identity, spec, ledger, release, server)
    limit = min(timeout_s, MOST_S)
    document = WrittenCount(owner_connection(subject), subject.database, since)
    run = owner_task(subject, task_stem(doc.ref, f"written-{new_id()[:6]}"), document)
    task = replace(run.attempt(1), deadline=timedelta(seconds=limit))
    state = await run_once(services, task, about=doc.ref, timeout_s=limit)
    if state.phase != "succeeded" or not isinstance(state.result, Mapping):
        return None
    return Written.from_json(state.result)
