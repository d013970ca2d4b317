# SPDX-License-Identifier: Apache-2.0
"""Finds the instance that another one is copied from, as it is now. Reads records and secrets, touches nothing of it.

What is found stays with the operation: a change of the source's manifest does not change what is being copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mooring.api.instance import OdooInstanceSpec
from mooring.control.errors import UnknownInstance
from mooring.control.operations import Operation, list_operations
from mooring.control.servers import find_server
from mooring.control.services import Services, instance_ref
from mooring.control.subjects import describe_subject
from mooring.control.work import Work
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.subject import Subject
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.operations.conflicts import CHANGES_CODE, REPLACES_DATA
from mooring.domain.operations.plan import OperationType
from mooring.domain.work.live_copy_errors import SourceNotNamed, SourceOutOfReach, SourceUnavailable

# What a copy taken meanwhile would be half of.
_IN_THE_WAY = REPLACES_DATA | CHANGES_CODE | {OperationType.DELETE}


async def find_source(services: Services, work: Work, operation: Operation) -> Subject | None:
    """The instance that `operation` copies; None for an operation that copies none.

    Raises:
        SourceNotNamed: it needs one, and neither it nor the instance names one.
        UnknownInstance: there is none of that name.
        SourceOutOfReach: it is the instance itself, or of another namespace.
        SourceUnavailable: it has no data yet, is going, or is being changed.
        MooringError: its server or a secret of it cannot be found.
    """
    if not copies_instance(operation.type, operation.doc.spec):
        return None
    ref = source_ref(work.doc.ref, work.spec, operation.doc.spec)
    doc = await services.documents.get(ref)
    if doc is None:
        raise UnknownInstance(f"{ref}, which {work.doc.ref} is to be a copy of, does not exist.")
    ledger = load_ledger(doc.status.get("ledger"))
    release = ledger.release(ledger.runs)
    if doc.deleted_at is not None or not ledger.initialized or release is None:
        why = "is being deleted" if doc.deleted_at is not None else "has no data yet"
        raise SourceUnavailable(f"{ref} {why}: there is nothing to copy.")
    running = [
        one.type.value
        for one in await list_operations(services, ref)
        if one.phase == "Running" and one.type in _IN_THE_WAY
    ]
    if running:
        raise SourceUnavailable(f"{ref} is being changed ({', '.join(running)}): a copy would be half of it.")
    spec = OdooInstanceSpec.model_validate(doc.spec)
    server = None if spec.database.external is not None else await find_server(services, ref, spec)
    identity = Identity(services.installation, doc.id)
    found, _ = await describe_subject(services, ref, identity, spec, ledger, release, server)
    return found


def copies_instance(kind: OperationType, asked: Mapping[str, Any]) -> bool:
    """Whether an operation of this type and spec copies another instance."""
    return kind is OperationType.REFRESH or (kind is OperationType.RESTORE and "instance" in asked.get("source", {}))


def source_ref(ref: Ref, spec: OdooInstanceSpec, asked: Mapping[str, Any]) -> Ref:
    """Which instance that is: the one that is named, else the one that the copy is of.

    Args:
        ref: the instance that gets the copy.
        spec: its own.
        asked: the operation's.

    Raises:
        SourceNotNamed: neither names one.
        SourceOutOfReach: it is `ref` itself, or of another namespace.
    """
    source = asked.get("source") or {}
    given: Mapping[str, Any] | None = source.get("instance", source) or None
    if given is None and spec.staging_of is not None:
        given = spec.staging_of.model_dump(mode="json", by_alias=True, exclude_none=True)
    if given is None:
        raise SourceNotNamed(f"Nothing says what {ref} is a copy of.")
    found = instance_ref(given.get("namespace") or ref.namespace, given["name"])
    if found == ref:
        raise SourceOutOfReach(f"{ref} cannot be a copy of itself.", resolution="Name another instance.")
    if found.namespace != ref.namespace:
        raise SourceOutOfReach(f"{found} is in another namespace than {ref}: its data is not handed out.")
    return found
