# SPDX-License-Identifier: Apache-2.0
"""Writes the status of a database server that Mooring runs. Looks at nothing itself.

Called by a pass over the server, and by an operation of an instance that was told the server's version.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from mooring.api.server import DatabaseServerSpec
from mooring.control.errors import ServerFailed
from mooring.control.events import Event
from mooring.control.services import Services, update_status
from mooring.domain.instance.conditions import Before, Trouble, decide_server_conditions
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.model.identity import Ref
from mooring.domain.model.observed import Observed
from mooring.drivers.documents import Document, VersionConflict


async def write_server_status(
    services: Services, doc: Document, seen: Observed, *, ready: bool, problem: ServerFailed | None
) -> None:
    """What one pass over a managed server found, as its record says it."""
    before = doc.status.get("phase")
    phase = "Running" if ready else "Provisioning" if before in (None, "Provisioning") else "Degraded"

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        since = status.get("since") if status.get("phase") == phase else rfc3339(seen.at)
        trouble = None if problem is None else Trouble(problem.reason, problem.brief, final=False)
        value = {
            **status,
            "phase": phase,
            "since": since,
            "observedGeneration": doc.generation,
            "conditions": decide_server_conditions(
                ready=ready,
                trouble=trouble,
                before=Before(status.get("conditions", ()), doc.generation, services.clock.now()),
            ),
            "resolved": DatabaseServerSpec.model_validate(doc.spec).model_dump(
                mode="json", by_alias=True, exclude_none=True
            ),
        }
        value.pop("problem", None)
        return value if problem is None else {**value, "problem": problem.to_json()}

    await update_status(services, doc, change)
    if phase != before:
        services.emit(Event(doc.ref, "phase", f"{doc.ref} is {phase}."))


async def note_version(services: Services, where: Ref, version: str) -> None:
    """Let the record of a managed server say what it told an operation that asked it."""
    doc = await services.documents.get(where)
    if doc is None or "image" not in doc.status or not version:
        return
    with contextlib.suppress(VersionConflict):  # the next operation says it again
        await update_status(services, doc, lambda status: {**status, "version": version})
