# SPDX-License-Identifier: Apache-2.0
"""Leads several instances and servers at once to where they are wanted, and collects all errors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from mooring.cli.context import App
from mooring.cli.errors import OperationNotDone, raise_all
from mooring.control.drive import drive
from mooring.control.lead_server import lead_server
from mooring.control.operations import Operation
from mooring.control.requests import read_request
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document
from mooring.errors import MooringError

RESUME = (
    "what runs in the engine goes on; the rest waits until an agent or the next command continues it. "
    "Run `{command}` again to resume."
)


async def lead(app: App, refs: Sequence[Ref], *, operations: Sequence[Ref] = ()) -> None:
    """Drive everything side by side until it is settled; then look whether what was asked for succeeded.

    Args:
        refs: instances and database servers.
        operations: documents of operations whose outcome counts.

    Raises:
        MooringError: the only error; several come as `SeveralErrors`.
    """
    app.options.resume = RESUME.format(command=app.options.words)
    services = await app.services()
    results = await asyncio.gather(
        *(_lead_one(services, ref, app=app) for ref in dict.fromkeys(refs)), return_exceptions=True
    )
    errors: list[MooringError] = []
    for result in results:
        if isinstance(result, MooringError):
            errors.append(result)
        elif isinstance(result, BaseException):
            raise result
    if not errors:
        errors = [error for ref in operations if (error := await _outcome(services, ref)) is not None]
    app.options.resume = ""
    raise_all(errors)


async def _lead_one(services: Services, ref: Ref, *, app: App) -> None:
    options = app.options
    if ref.kind == "DatabaseServer":
        await lead_server(services, ref, timeout_s=options.timeout_s)
    else:
        await drive(services, ref, command=options.words, timeout_s=options.timeout_s)


async def _outcome(services: Services, ref: Ref) -> MooringError | None:
    operation = await read_request(services, ref)
    if operation is None or operation.phase == "Succeeded":
        return None
    return outcome_error(operation)


def outcome_error(operation: Operation) -> MooringError:
    """Why an operation did not succeed."""
    status = operation.doc.status
    fault = status.get("error", {})
    brief = str(fault.get("brief") or status.get("message") or f"it is {operation.phase}.")
    details = "\n".join(text for text in (str(fault.get("details", "")), str(status.get("logTail", ""))) if text)
    return OperationNotDone(
        f"{operation.doc.ref.name}: {brief}", details=details, resolution=fault.get("resolution") or None
    )


def view(doc: Document) -> dict[str, Any]:
    """What every list shows of a record: {kind, namespace, name, phase, url, release, version, environment, created}."""
    status = doc.status
    release = status.get("release") or status.get("image") or {}
    phase = "Deleting" if doc.deleted_at is not None else status.get("phase") or "Pending"
    return {
        "kind": doc.ref.kind,
        "namespace": doc.ref.namespace,
        "name": doc.ref.name,
        "phase": phase,
        "url": status.get("url"),
        "release": release.get("image") or release.get("source"),
        "version": release.get("version"),
        "environment": status.get("environment"),
        "created": doc.meta.get("createdAt"),
    }
