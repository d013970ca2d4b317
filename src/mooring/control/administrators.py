# SPDX-License-Identifier: Apache-2.0
"""Refuses what needs a second database where nobody here may create one: before anything is written, stopped or built.

Whoever restores, imports, refreshes, upgrades or returns works beside the present data; with the owner's secret alone there
is no beside. Looks at manifests and records, never at a server. Called when manifests are accepted; `check_acceptable` looks
once more when an operation begins, for those that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

from mooring.api.instance import OdooInstance, OdooInstanceSpec
from mooring.api.jobs import OperationSpec
from mooring.api.meta import Resource
from mooring.api.operation import OdooOperation
from mooring.api.server import DatabaseServer, DatabaseServerSpec
from mooring.control.errors import NoAdministrator
from mooring.control.operations import KINDS, needs_administrator, no_administrator
from mooring.control.servers import find_existing_server
from mooring.control.services import Services, instance_ref
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import OperationType


async def find_without_administrator(services: Services, manifests: Sequence[Resource]) -> list[NoAdministrator]:
    """What of these manifests asks for a second database where nobody may create one; what was written before is left.

    Raises:
        MooringError: a store is in trouble.
    """
    found: list[NoAdministrator] = []
    for one in manifests:
        if isinstance(one, OdooInstance):
            if one.spec.staging_of is None:
                continue
            ref, kind = instance_ref(one.namespace, one.name), OperationType.REFRESH
        elif isinstance(one.spec, OperationSpec):
            if await services.documents.get(Ref(one.kind, one.namespace, one.name)) is not None:
                continue
            ref = instance_ref(one.namespace, one.spec.instance_ref.name)
            kind = OperationType(one.spec.type.value) if isinstance(one, OdooOperation) else KINDS[one.kind]
        else:
            continue
        if await _lacks_one(services, ref, kind, manifests):
            found.append(no_administrator(ref, kind))
    return found


async def _lacks_one(services: Services, ref: Ref, kind: OperationType, manifests: Sequence[Resource]) -> bool:
    doc = await services.documents.get(ref)
    way_back = load_ledger(doc.status.get("ledger")).previous if doc is not None else None
    if not needs_administrator(kind, previous_data=way_back is not None and way_back.data):
        return False
    written = next(
        (one for one in manifests if isinstance(one, OdooInstance) and instance_ref(one.namespace, one.name) == ref),
        None,
    )
    if written is not None:
        spec = written.spec
    elif doc is not None:
        spec = OdooInstanceSpec.model_validate(doc.spec)
    else:
        return False  # there is no such instance, which is refused elsewhere
    if spec.database.external is not None:
        return spec.database.external.admin_secret_ref is None
    server = await _server(services, ref, spec, manifests)
    return server is not None and server.external is not None and server.external.admin_secret_ref is None


async def _server(
    services: Services, ref: Ref, spec: OdooInstanceSpec, manifests: Sequence[Resource]
) -> DatabaseServerSpec | None:
    """The instance's server as it will be; None where it is not there yet."""
    together = [one for one in manifests if isinstance(one, DatabaseServer) and one.namespace == ref.namespace]
    where = await find_existing_server(services, ref, spec)
    name = spec.database.server or (where.name if where is not None else None)
    for one in together:
        if one.name == name or (name is None and one.spec.default):
            return one.spec
    doc = await services.documents.get(where) if where is not None else None
    return DatabaseServerSpec.model_validate(doc.spec) if doc is not None else None
