# SPDX-License-Identifier: Apache-2.0
"""The end of an instance: its record, its server of its own, its generated secrets. Its data only by a person's word."""

from __future__ import annotations

from dataclasses import replace

from mooring.api.instance import OdooInstanceSpec
from mooring.control import operations as ops
from mooring.control.errors import SharedResource, UnknownServer
from mooring.control.servers import find_existing_server
from mooring.control.services import Services, server_ref
from mooring.domain.instance.ledger import Ledger, dump_ledger, load_ledger
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.lifecycle import State
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.secret import SecretRef
from mooring.domain.server.desired import server_secret
from mooring.drivers.documents import Document
from mooring.drivers.secret_store import MissingSecret


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
            await _remove_server(services, own, server, purge=purge)
    if purge:
        for purpose in ("database", "odoo"):
            await _forget_secret(services, generated_secret(ref, purpose))
    await _keep_memory(services, doc, keep=not purge)
    for operation in await ops.list_operations(services, ref):
        await services.documents.delete(operation.doc.ref, if_version=operation.doc.version)
    current = await services.documents.get(ref)
    if current is not None:
        await services.documents.delete(ref, if_version=current.version)


async def forget_server(services: Services, where: Ref, *, purge: bool) -> None:
    """Remove a server that no instance uses, from the target and from the records.

    Args:
        purge: its data and its administrator's secret go, too; else they stay for a server of the same name.

    Raises:
        UnknownServer: there is no such record.
        SharedResource: instances use it.
    """
    doc = await services.documents.get(where)
    if doc is None:
        raise UnknownServer(f"{where} does not exist.")
    users: list[str] = []
    for one in await services.documents.list("OdooInstance"):
        spec = OdooInstanceSpec.model_validate(one.spec)
        if spec.database.external is None and await find_existing_server(services, one.ref, spec) == where:
            users.append(str(one.ref))
    if users:
        raise SharedResource(f"{where} is used by {', '.join(users)}.", resolution="Delete those instances first.")
    await _remove_server(services, where, doc, purge=purge)


async def _remove_server(services: Services, where: Ref, doc: Document, *, purge: bool) -> None:
    wanted = Desired(where, Identity(services.installation, doc.id), network=False)
    with services.locks.execution(where) as lock:
        # A pass that keeps the server in shape would make again what goes here; it never lasts long.
        while lock.try_acquire(command="delete", now=services.clock.now()) is not None:
            await services.clock.sleep(0.2)
        seen = await services.target.observe(where, live=True)
        while services.target.diff(wanted, seen) or seen.tasks:  # a task that still runs would outlive its record
            await services.target.converge(wanted, seen)
            await services.clock.sleep(0.3)
            seen = await services.target.observe(where, live=True)
        if purge:
            await services.target.remove_volumes(where, doc.id)
            await _forget_secret(services, server_secret(where))
        current = await services.documents.get(where)
        if current is not None:
            await services.documents.delete(where, if_version=current.version)


async def _forget_secret(services: Services, ref: SecretRef) -> None:
    try:
        await services.secrets.delete(ref)
    except MissingSecret:
        return  # a run before this one was killed after it


async def _keep_memory(services: Services, doc: Document, *, keep: bool) -> None:
    """Keep with retained data which release it belongs to, or forget what an earlier deletion kept."""
    ref = retained_ref(doc.ref)
    existing = await services.documents.get(ref)
    if existing is not None:
        await services.documents.delete(ref, if_version=existing.version)
    if keep and doc.status.get("ledger"):
        stored = await services.documents.put(Document(ref, doc.id), if_version=None)
        # Whether the data is where a manifest says then is looked at anew: another place may hold another's, or nothing.
        known = load_ledger(doc.status["ledger"])
        kept = replace(known, state=State.PROVISIONING, provisioned="", latched={}, retries={}, stopped=False)
        status = {"ledger": dump_ledger(replace(kept, initialized=False))}
        await services.documents.put_status(replace(stored, status=status), if_version=stored.version)


async def recall_memory(services: Services, doc: Document) -> Document:
    """Give an instance that took its retained data back what was known about it then."""
    ref = retained_ref(doc.ref)
    kept = await services.documents.get(ref)
    if kept is None:
        return doc
    if kept.id == doc.id:
        doc = await services.documents.put_status(replace(doc, status=kept.status), if_version=doc.version)
    await services.documents.delete(ref, if_version=kept.version)
    return doc


async def recall_ledger(services: Services, instance: Ref) -> Ledger:
    """What was known of an instance whose data was retained; an empty ledger where there is no such data."""
    kept = await services.documents.get(retained_ref(instance))
    return load_ledger(kept.status.get("ledger") if kept is not None else None)


def retained_ref(instance: Ref) -> Ref:
    """The record of an instance whose data was retained."""
    return Ref("RetainedInstance", instance.namespace, instance.name)
