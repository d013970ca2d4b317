# SPDX-License-Identifier: Apache-2.0
"""Leads a database server that was applied by itself to where it answers: executing, or following the agent."""

from __future__ import annotations

from mooring.api.server import DatabaseServerSpec
from mooring.control.errors import UnknownServer
from mooring.control.servers import reconcile_server
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.errors import TimeoutExceeded

POLL_S = 0.5


async def lead_server(services: Services, ref: Ref, *, timeout_s: float) -> str:
    """Bring a managed server to `Running`; its phase. Servers that others run are only kept as records.

    Raises:
        UnknownServer: there is no such document.
        ServerFailed: it dies again and again.
        TimeoutExceeded: it did not answer in time.
    """
    until = services.clock.monotonic() + timeout_s
    while True:
        doc = await services.documents.get(ref)
        if doc is None:
            raise UnknownServer(f"{ref} does not exist.")
        if DatabaseServerSpec.model_validate(doc.spec).managed is None:
            return "External"
        if services.locks.agent().holder() is None:
            if (await reconcile_server(services, ref, live=True)).ready:
                return "Running"
        elif doc.status.get("phase") == "Running" and doc.status.get("observedGeneration") == doc.generation:
            return "Running"
        if services.clock.monotonic() > until:
            raise TimeoutExceeded(f"{ref} did not answer in time.")
        await services.clock.sleep(POLL_S)
