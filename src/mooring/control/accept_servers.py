# SPDX-License-Identifier: Apache-2.0
"""What manifests of database servers may not ask for, given the servers that there are. Reads records; changes nothing.

Called by `accept`, which raises what is found here.
"""

from __future__ import annotations

from collections.abc import Sequence

from mooring.api.meta import Resource
from mooring.api.server import DatabaseServer, DatabaseServerSpec
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document


async def find_second_defaults(services: Services, manifests: Sequence[Resource]) -> list[str]:
    """A sentence for each server that would be the second default of its namespace, once all manifests are written."""
    given = {
        Ref(one.kind, one.namespace, one.name): one.spec.default for one in manifests if isinstance(one, DatabaseServer)
    }
    if not any(given.values()):
        return []
    there = {one.ref: one.spec.get("default") is True for one in await services.documents.list("DatabaseServer")}
    defaults = sorted(ref for ref, default in {**there, **given}.items() if default)
    return [
        f"{one} and {other} would both be the default server of the namespace {one.namespace} (`default: true`)."
        for one in defaults
        for other in defaults
        if one.namespace == other.namespace
        and one != other
        and given.get(one)
        and (one < other or not given.get(other))
    ]


def find_server_changes(existing: Document, new: DatabaseServerSpec) -> list[str]:
    """A sentence for each change of a server that cannot be made."""
    old = DatabaseServerSpec.model_validate(existing.spec)
    sentences: list[str] = []
    if existing.meta.get("owner"):
        sentences.append(f"it belongs to {existing.meta['owner']}; change that instance's spec.database.managed.")
    if (old.managed is None) != (new.managed is None):
        sentences.append("spec.managed: a server cannot become one that others run, nor the other way round.")
    if old.managed is not None and new.managed is not None:
        if old.managed.version != new.managed.version:
            sentences.append(f"spec.managed.version is {old.managed.version}: a server is not upgraded in place.")
        if new.managed.storage_size.bytes < old.managed.storage_size.bytes:
            sentences.append("spec.managed.storageSize cannot shrink.")
    return sentences
