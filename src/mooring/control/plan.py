# SPDX-License-Identifier: Apache-2.0
"""What `apply` would do with a manifest, without doing it: the changes of the target, and the operations that would begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mooring.api.instance import OdooInstance, OdooInstanceSpec
from mooring.api.meta import Resource
from mooring.api.server import DatabaseServer, DatabaseServerSpec
from mooring.control.accept import accept_manifests
from mooring.control.dry import Unasked, dry_services
from mooring.control.events import Event
from mooring.control.operations import list_operations
from mooring.control.plan_operations import PlannedOperation, plan_operations
from mooring.control.releases import check_version
from mooring.control.servers import describe_access, find_existing_server, find_server, server_desired
from mooring.control.services import Services, ensure_passwords
from mooring.control.subjects import describe_subject
from mooring.control.work import Work, remembered
from mooring.domain.instance.desired import decide_desired
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.snapshot import decide_disk_warnings
from mooring.domain.lifecycle import State, output
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Change
from mooring.domain.operations.plan import NO_HOLD
from mooring.domain.postgres.bootstrap import SUPERUSER
from mooring.domain.server.desired import server_secret
from mooring.drivers.documents import Document

NOT_ENFORCED = "{field} {size} is compared with the free space, not enforced."


@dataclass(frozen=True)
class ServerChanges:
    """What becomes of a managed server."""

    changes: tuple[Change, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class InstancePlan:
    """What would happen with one document.

    Attributes:
        record: `created`, `changed` or `unchanged`.
        unknown: what cannot be said before something else has happened, one sentence each.
        notes: what the user should know, such as unknown odoo.conf keys.
        servers: what becomes of the managed server of an instance; empty in what `plan_manifests` returns.
    """

    ref: Ref
    record: str
    changes: tuple[Change, ...] = ()
    operations: tuple[PlannedOperation, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    servers: Mapping[Ref, ServerChanges] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing would happen."""
        return self.record == "unchanged" and not self.changes and not self.operations and not self.unknown


async def plan_manifests(services: Services, manifests: Sequence[Resource]) -> list[InstancePlan]:
    """Check and compare; changes nothing: the manifests are written to records that are forgotten afterwards.

    Raises:
        As `accept_manifests`; also what the spec's configuration is refused for.
        UnknownServer: an instance names a server that does not exist.
    """
    events: list[Event] = []
    dry = dry_services(services, listener=events.append)
    written = await accept_manifests(dry, manifests)
    plans: list[InstancePlan] = []
    for manifest, one in zip(manifests, written, strict=True):
        if isinstance(manifest, OdooInstance):
            plan = await _plan_instance(dry, manifest.spec, one.doc, one.change)
        elif isinstance(manifest, DatabaseServer):
            plan = await _plan_server(dry, manifest.spec, one.doc.ref, one.change)
        else:
            plan = InstancePlan(one.doc.ref, one.change)
        told = tuple(event.text for event in events if event.kind == "warning" and event.ref == plan.ref)
        plans.append(replace(plan, notes=(*told, *plan.notes)))
    named = {one.ref for one in plans}
    # A server with a manifest of its own in the same file says itself what becomes of it.
    return [replace(one, servers={}, **_with_servers(one, named)) for one in plans]


def _with_servers(plan: InstancePlan, named: set[Ref]) -> dict[str, Any]:
    others = [found for ref, found in plan.servers.items() if ref not in named]
    changes = [change for found in others for change in found.changes]
    unknown = [text for found in others for text in found.unknown]
    return {"changes": (*changes, *plan.changes), "unknown": (*unknown, *plan.unknown)}


async def _plan_instance(dry: Services, spec: OdooInstanceSpec, doc: Document, record: str) -> InstancePlan:
    ref = doc.ref
    if spec.paused:
        return InstancePlan(ref, record, notes=("spec.paused: Mooring looks, and touches nothing.",))
    ledger = load_ledger(doc.status.get("ledger"))
    servers: dict[Ref, ServerChanges] = {}
    where: Ref | None = None
    if spec.database.external is None:
        fresh = await find_existing_server(dry, ref, spec) is None
        where = await find_server(dry, ref, spec)
        found = await describe_access(dry, ref, spec, where)
        if found.server.managed:
            servers[where] = await _server_changes(dry, where, fresh=fresh)
    else:
        found = await describe_access(dry, ref, spec, None)
    pinned = ledger.release(ledger.wanted) if ledger.wanted_source == (spec.image or dry.defaults.image) else None
    if pinned is not None:
        check_version(spec, pinned)
    identity = Identity(dry.installation, doc.id)
    work = Work(doc, spec, ledger, identity, await list_operations(dry, ref), access=found, pinned=pinned)
    release = ledger.release(ledger.runs) or ledger.release(ledger.wanted)
    notes: tuple[str, ...] = ()
    if release is not None:
        work.subject, notes = await describe_subject(dry, ref, identity, spec, ledger, release, where)
    seen = await dry.target.observe(ref, live=True)
    operations = plan_operations(dry, work, seen)
    changes: Sequence[Change] = ()
    unknown: list[str] = []
    if work.subject is None:
        unknown.append("The release has to be asked what it is before its processes can be planned.")
    else:
        running = output(State.RUNNING if ledger.initialized else State.PROVISIONING)
        if ledger.stopped or spec.replicas == 0:
            running = output(State.STOPPED)
        changes = dry.target.diff(remembered(work, decide_desired(work.subject, running, NO_HOLD)), seen)
        if pinned is None:
            unknown.append(f"What {spec.image or dry.defaults.image} is will be known when it was looked up.")
    notes = (*_size_notes(dry, spec), *notes, *decide_disk_warnings(spec, ledger, seen))
    return InstancePlan(ref, record, tuple(changes), operations, tuple(unknown), notes, servers)


async def _plan_server(dry: Services, spec: DatabaseServerSpec, ref: Ref, record: str) -> InstancePlan:
    if spec.managed is None:
        return InstancePlan(ref, record)
    found = await _server_changes(dry, ref, fresh=False)
    notes: list[str] = []
    if not dry.target.capabilities.enforces_size:
        notes.append(NOT_ENFORCED.format(field="storageSize", size=spec.managed.storage_size))
    users = [
        one.ref.name
        for one in await dry.documents.list("OdooInstance")
        if await find_existing_server(dry, one.ref, OdooInstanceSpec.model_validate(one.spec)) == ref
    ]
    if users and any(change.consequence != "none" for change in found.changes):
        notes.append(f"These instances use it, and their users notice: {', '.join(users)}.")
    return InstancePlan(ref, record, found.changes, unknown=found.unknown, notes=tuple(notes))


async def _server_changes(dry: Services, where: Ref, *, fresh: bool) -> ServerChanges:
    """What becomes of a managed server when its record is as `dry` has it."""
    changes = [Change("create", f"DatabaseServer {where.name}", "it is made at first need")] if fresh else []
    await ensure_passwords(dry, server_secret(where), {"user": SUPERUSER, "password": None})
    try:
        wanted = await server_desired(dry, where)
    except Unasked:
        return ServerChanges(tuple(changes), (f"The image of {where} has to be asked what it is first.",))
    if wanted is not None:
        changes += dry.target.diff(wanted, await dry.target.observe(where, live=True))
    return ServerChanges(tuple(changes))


def _size_notes(dry: Services, spec: OdooInstanceSpec) -> list[str]:
    if dry.target.capabilities.enforces_size:
        return []
    notes: list[str] = []
    managed = spec.database.managed
    if "storage_size" in spec.filestore.model_fields_set:
        notes.append(NOT_ENFORCED.format(field="filestore.storageSize", size=spec.filestore.storage_size))
    if managed is not None and "storage_size" in managed.model_fields_set:
        notes.append(NOT_ENFORCED.format(field="database.managed.storageSize", size=managed.storage_size))
    return notes


def plan_json(plans: Sequence[InstancePlan]) -> list[dict[str, Any]]:
    """The plans as JSON: kind, namespace, name, record, changes[], operations[], unknown[], notes[]."""
    return [
        {
            "kind": one.ref.kind,
            "namespace": one.ref.namespace,
            "name": one.ref.name,
            "record": one.record,
            "changes": [
                {
                    "action": change.action,
                    "object": change.object,
                    "reason": change.reason,
                    "consequence": change.consequence,
                }
                for change in one.changes
            ],
            "operations": [operation.__dict__ for operation in one.operations],
            "unknown": list(one.unknown),
            "notes": list(one.notes),
        }
        for one in plans
    ]


__all__ = ["InstancePlan", "PlannedOperation", "plan_json", "plan_manifests"]
