# SPDX-License-Identifier: Apache-2.0
"""The end of an instance: its record, its server of its own, its generated secrets. Its data only by a person's word."""

from __future__ import annotations

from mooring.api.instance import OdooInstanceSpec
from mooring.control import operations as ops
from mooring.control.services import Services, server_ref
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity
from mooring.domain.server.desired import server_secret
from mooring.drivers.documents import Document


async def forget_instance(services: Services, doc: Document, spec: OdooInstanceSpec, *, purge: bool) -> None:
    """Remove what belongs to the instance alone. Safe to repeat: the record of the instance goes last.

    Args:
        purge: its data was removed; then the secrets that were made for it go too. Else they stay with the data.
    """
    ref = doc.ref
    if spec.database.managed is not None:
        own = server_ref(ref.namespace, ref.name)
        server = await services.documents.get(own)
        if server is not None and server.meta.get("owner") == str(ref):
            wanted = Desired(own, Identity(services.installation, server.id), network=False)
            while services.target.diff(wanted, seen := await services.target.observe(own, live=True)):
                await services.target.converge(wanted, seen)
                await services.clock.sleep(0.3)
            if purge:
                await services.target.remove_volumes(own, server.id)
                await services.secrets.delete(server_secret(own))
            await services.documents.delete(own, if_version=server.version)
    if purge:
        for purpose in ("database", "odoo"):
            await services.secrets.delete(generated_secret(ref, purpose))
    for operation in await ops.list_operations(services, ref):
        await services.documents.delete(operation.doc.ref, if_version=operation.doc.version)
    current = await services.documents.get(ref)
    if current is not None:
        await services.documents.delete(ref, if_version=current.version)
