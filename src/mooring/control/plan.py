# SPDX-License-Identifier: Apache-2.0
"""What `apply` would do with a manifest, without doing it: the changes of the target, and the operations that would begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mooring.api.instance import OdooInstance, OdooInstanceSpec
from mooring.api.meta import Resource
from mooring.api.server import DatabaseServerSpec
from mooring.control.accept import accept_manifests, ref_of
from mooring.control.releases import check_version
from mooring.control.servers import find_existing_server, server_desired
from mooring.control.services import Services
from mooring.control.subjects import describe_subject
from mooring.domain.instance.desired import decide_desired
from mooring.domain.instance.ledger import Ledger, load_ledger
from mooring.domain.lifecycle import State, output
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Change
from mooring.domain.operations.plan import NO_HOLD
from mooring.drivers.documents import Document


@dataclass(frozen=True)
class PlannedOperation:
    """An operation that would begin, and what it means for users."""

    type: str
    reason: str
    consequence: str


@dataclass(frozen=True)
class InstancePlan:
    """What would happen with one document.

    Attributes:
        record: `created`, `changed` or `unchanged`.
        unknown: what cannot be said before something else has happened, one sentence each.
        notes: what the user should know, such as unknown odoo.conf keys.
    """

    ref: Ref
    record: str
    changes: tuple[Change, ...] = ()
    operations: tuple[PlannedOperation, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing would happen."""
        return self.record == "unchanged" and not self.changes and not self.operations and not self.unknown


async def plan_manifests(services: Services, manifests: Sequence[Resource]) -> list[InstancePlan]:
    """Check and compare; changes nothing.

    Raises:
        As `accept_manifests`; also what the spec's configuration is refused for.
    """
    written = await accept_manifests(services, manifests, dry_run=True)
    plans: list[InstancePlan] = []
    for manifest, one in zip(manifests, written, strict=True):
        ref = ref_of(manifest)
        if isinstance(manifest, OdooInstance):
            plans.append(await _plan_instance(services, ref, manifest.spec, one.doc, one.change))
        else:
            plans.append(InstancePlan(ref, one.change, notes=_notes_of(manifest)))
    return plans


async def _plan_instance(
    services: Services, ref: Ref, spec: OdooInstanceSpec, doc: Document, record: str
) -> InstancePlan:
    existing = await services.documents.get(ref)
    ledger = load_ledger(existing.status.get("ledger")) if existing else Ledger()
    if spec.paused:
        return InstancePlan(ref, record, notes=("spec.paused: Mooring looks, and touches nothing.",))
    operations = _operations(services, spec, ledger, generation=_generation(existing, doc))
    changes: list[Change] = []
    unknown: list[str] = []
    server = await find_existing_server(services, ref, spec)
    if server is None and spec.database.external is None:
        changes.append(Change("create", "DatabaseServer default", "no server is the default yet"))
    elif server is not None:
        wanted = await server_desired(services, server)
        if wanted is not None:
            changes += services.target.diff(wanted, await services.target.observe(server, live=True))
    release = ledger.release(ledger.runs) or ledger.release(ledger.wanted)
    if release is None:
        unknown.append("The release has to be asked what it is before its processes can be planned.")
        return InstancePlan(ref, record, tuple(changes), operations, tuple(unknown))
    check_version(spec, release)
    subject, notes = await describe_subject(
        services, ref, Identity(services.installation, doc.id), spec, ledger, release, server
    )
    running = output(State.RUNNING if ledger.initialized else State.PROVISIONING)
    if ledger.stopped or spec.replicas == 0:
        running = output(State.STOPPED)
    desired = decide_desired(subject, running, NO_HOLD)
    seen = await services.target.observe(ref, live=True)
    changes += services.target.diff(desired, seen)
    return InstancePlan(ref, record, tuple(changes), operations, tuple(unknown), tuple(notes))


def _operations(
    services: Services, spec: OdooInstanceSpec, ledger: Ledger, *, generation: int
) -> tuple[PlannedOperation, ...]:
    if not ledger.initialized:
        steps = [PlannedOperation("Provision", "role and database are made", "none")]
        if spec.init.enabled:
            modules = ", ".join(spec.init.modules)
            steps.append(PlannedOperation("Init", f"Odoo installs {modules}", "none"))
        return tuple(steps)
    wanted = spec.image or services.defaults.image
    if wanted == ledger.wanted_source:
        return ()
    if not spec.auto_upgrade.enabled:
        return ()
    del generation
    return (PlannedOperation("Upgrade", f"{ledger.wanted_source} becomes {wanted}, -u all", "downtime"),)


def _generation(existing: Document | None, doc: Document) -> int:
    return doc.generation if existing is None else existing.generation


def _notes_of(manifest: Resource) -> tuple[str, ...]:
    spec = manifest.spec
    if isinstance(spec, DatabaseServerSpec) and spec.managed is not None:
        size = spec.managed.storage_size
        return (f"storageSize {size} is compared with the free space, not enforced.",)
    return ()


def plan_json(plans: Sequence[InstancePlan]) -> list[dict[str, Any]]:
    """The plans as JSON: kind, namespace, name, record, changes[], operations[], unknown[], notes[]."""
    return [
        {
            "kind": one.ref.kind,
            "namespace": one.ref.namespace,
            "name": one.ref.name,
            "record": one.record,
            "changes": [change.__dict__ for change in one.changes],
            "operations": [operation.__dict__ for operation in one.operations],
            "unknown": list(one.unknown),
            "notes": list(one.notes),
        }
        for one in plans
    ]


__all__ = ["InstancePlan", "PlannedOperation", "plan_json", "plan_manifests"]
