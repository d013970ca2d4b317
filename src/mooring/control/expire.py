# SPDX-License-Identifier: Apache-2.0
"""Removes the records of operations that ended and whose `ttlAfterFinished` is over.

What an instance is goes by its ledger: a record that goes takes nothing with it, and one that comes again runs nothing.
Called by the agent, and by a command that has led an instance to rest.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from mooring.api.quantity import Duration
from mooring.control.operations import Operation, list_operations
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import VersionConflict


async def forget_old(services: Services, instance: Ref) -> float | None:
    """Remove the old records of an instance; seconds until the next one is old, None when none will be."""
    now = services.clock.now()
    waits: list[float] = []
    for operation in await list_operations(services, instance):
        ends = expiry(operation)
        if ends is None:
            continue
        if ends > now:
            waits.append((ends - now).total_seconds())
            continue
        with contextlib.suppress(VersionConflict):
            await services.documents.delete(operation.doc.ref, if_version=operation.doc.version)
    return min(waits, default=None)


def expiry(operation: Operation) -> datetime | None:
    """When the record of a finished operation may go, by its `ttlAfterFinished`; None for never."""
    ttl, ended = operation.doc.spec.get("ttlAfterFinished"), operation.doc.status.get("completionTime")
    if not operation.ended or ttl is None or ended is None:
        return None
    return datetime.fromisoformat(ended) + timedelta(seconds=Duration.parse(ttl).seconds)
