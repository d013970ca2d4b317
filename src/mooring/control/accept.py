# SPDX-License-Identifier: Apache-2.0
"""From manifests to documents: everything is checked before anything is written, and all faults come at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mooring.api.instance import OdooInstance, OdooInstanceSpec
from mooring.api.jobs import OdooUpgradeJob
from mooring.api.meta import Resource
from mooring.api.operation import OdooOperation
from mooring.api.server import DatabaseServer
from mooring.control.accept_servers import find_second_defaults, find_server_changes
from mooring.control.administrators import find_without_administrator
from mooring.control.connections import find_connection_refusals
from mooring.control.errors import (
    FieldUnsupported,
    ForeignData,
    ImmutableField,
    InstancePaused,
    SharedResource,
    UnknownInstance,
)
from mooring.control.events import Event
from mooring.control.foresee import REFUSALS, find_uncarriable
from mooring.control.operations import ALL_KINDS
from mooring.control.services import Services, instance_ref, new_id
from mooring.control.teardown import recall_ledger, recall_memory
from mooring.domain.instance.environment import find_egress_faults, find_environment_change
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.support import (
    KINDS_NOT_YET,
    OPERATIONS_NOT_YET,
    find_clashes,
    find_immutable,
    find_unsupported,
    find_unsupported_operation,
)
from mooring.domain.model.identity import Ref
from mooring.domain.postgres.names import default_database_name
from mooring.drivers.documents import Document
from mooring.errors import MooringError, UsageError, raise_all


@dataclass(frozen=True)
class Written:
    """What became of one manifest."""

    doc: Document
    change: str  # created, changed, unchanged


async def accept_manifests(
    services: Services,
    manifests: Sequence[Resource],
    *,
    dry_run: bool = False,
    identities: Mapping[Ref, str] | None = None,
) -> list[Written]:
    """Check all, then write all.

    Args:
        dry_run: check only; the documents come back as they would be written.
        identities: instance ids of new instances whose data comes from a snapshot; others get one of their own.

    Raises:
        FieldUnsupported: fields that nobody honours.
        ImmutableField: changes that cannot be made.
        SharedResource: two instances would use one host, port or database, or a namespace would have two default servers.
        ForeignData: retained volumes of that name belong to another installation.
        UnknownInstance: an operation for an instance that does not exist.
        ConnectionsRefused: the instances of a server would need more connections than it gives.
        NoAdministrator: it needs a second database, and nobody here may create one.
        SeveralErrors: more than one of these, or of what `find_uncarriable` finds.
    """
    instances = [one for one in manifests if isinstance(one, OdooInstance)]
    refusals: list[MooringError] = []
    for check in (
        _refuse_unsupported(services, manifests),
        _refuse_immutable(services, manifests),
        _refuse_clashes(services, instances),
        _refuse_second_default(services, manifests),
        _refuse_orphans(services, manifests),
        _refuse_other_release(services, manifests),
    ):
        try:
            await check
        except REFUSALS as error:
            refusals.append(error)
    refusals += await find_without_administrator(services, manifests)
    for one in instances:
        refusals += await find_uncarriable(services, ref_of(one), one.spec, manifests)
    refusals += await find_connection_refusals(services, manifests)
    # A secret that is not there is missed for each of its keys.
    raise_all(list({(one.code, one.brief): one for one in refusals}.values()))
    given = identities or {}
    return [await _write(services, one, dry_run=dry_run, identity=given.get(ref_of(one))) for one in manifests]


def spec_of(manifest: Resource) -> dict[str, Any]:
    """The spec as it is stored: what was written, camelCase, defaults left out."""
    value: dict[str, Any] = manifest.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return value


def ref_of(manifest: Resource) -> Ref:
    """The reference of a manifest's document."""
    return Ref(manifest.kind, manifest.namespace, manifest.name)


async def _refuse_unsupported(services: Services, manifests: Sequence[Resource]) -> None:
    sentences: list[str] = []
    capabilities = services.target.capabilities
    for one in manifests:
        ref = ref_of(one)
        if one.kind in KINDS_NOT_YET:
            sentences.append(f"{ref}: this version of Mooring does not carry out {one.kind} yet.")
        elif isinstance(one, OdooInstance):
            found = find_unsupported(one.spec, capabilities.unsupported_fields, target=capabilities.name)
            found += find_egress_faults(one.spec, target=capabilities.name)
            sentences += [f"{ref}: {text}" for text in found]
        elif one.kind in ALL_KINDS and (found := find_unsupported_operation(one.spec)):
            sentences += [f"{ref}: {text}" for text in found]
        elif isinstance(one, OdooOperation) and one.spec.type.value in OPERATIONS_NOT_YET:
            sentences.append(f"{ref}: this version of Mooring does not carry out {one.spec.type.value} yet.")
        elif isinstance(one, DatabaseServer):
            if one.spec.cloud_native_pg is not None:
                sentences.append(f"{ref}: spec.cloudNativePG: the target {capabilities.name} cannot honour it.")
            storage_class = one.spec.managed.storage_class if one.spec.managed else None
            if storage_class is not None and "filestore.storageClass" in capabilities.unsupported_fields:
                sentences.append(f"{ref}: spec.managed.storageClass: the target {capabilities.name} cannot honour it.")
            if one.spec.allowed_namespaces:
                sentences.append(
                    f"{ref}: spec.allowedNamespaces: instances cannot name another namespace's server yet."
                )
    _raise(FieldUnsupported, sentences)


async def _refuse_immutable(services: Services, manifests: Sequence[Resource]) -> None:
    sentences: list[str] = []
    for one in manifests:
        existing = await services.documents.get(ref_of(one))
        if existing is None:
            if isinstance(one, OdooInstance):
                settled = (await recall_ledger(services, ref_of(one))).environment
                found = find_environment_change(None, one.spec, settled=settled)
                sentences += [f"{ref_of(one)}, whose data was retained: {text}" for text in found]
            continue
        ref = existing.ref
        if isinstance(one, OdooInstance):
            if existing.deleted_at is not None:
                raise SharedResource(
                    f"{ref} is being deleted.", resolution="Wait until it is gone, then apply the manifest again."
                )
            ledger = load_ledger(existing.status.get("ledger"))
            if ledger.provisioned:
                old = OdooInstanceSpec.model_validate(existing.spec)
                sentences += [
                    f"{ref}: {text}"
                    for text in find_immutable(old, one.spec, environment=ledger.environment, database=ledger.database)
                ]
        elif isinstance(one, DatabaseServer):
            sentences += [f"{ref}: {text}" for text in find_server_changes(existing, one.spec)]
        elif one.kind in ALL_KINDS and dict(existing.spec) != spec_of(one):
            sentences.append(f"{ref}: an operation cannot be changed once it is accepted.")
    _raise(ImmutableField, sentences)


async def _refuse_second_default(services: Services, manifests: Sequence[Resource]) -> None:
    sentences = await find_second_defaults(services, manifests)
    if sentences:
        raise SharedResource(
            sentences[0],
            details="\n".join(sentences[1:]),
            resolution="Take `default: true` out of one of them. To change the default, apply both manifests in one file; "
            "instances that have data stay on the server that holds it.",
        )


async def _refuse_clashes(services: Services, instances: Sequence[OdooInstance]) -> None:
    known: dict[str, tuple[str, OdooInstanceSpec, str]] = {}
    defaults = {
        one.ref.namespace: one.ref.name
        for one in await services.documents.list("DatabaseServer")
        if one.spec.get("default") is True
    }

    def place(ref: Ref, spec: OdooInstanceSpec) -> str:
        return database_place(ref, spec, default=defaults.get(ref.namespace, "default"))

    for doc in await services.documents.list("OdooInstance"):
        spec = OdooInstanceSpec.model_validate(doc.spec)
        known[str(doc.ref)] = (str(doc.ref), spec, place(doc.ref, spec))
    for one in instances:
        ref = ref_of(one)
        known[str(ref)] = (str(ref), one.spec, place(ref, one.spec))
    sentences = [
        f"{ref_of(one)} and {clash.other} would share {clash.what}."
        for one in instances
        for clash in find_clashes(str(ref_of(one)), one.spec, place(ref_of(one), one.spec), list(known.values()))
    ]
    _raise(SharedResource, sentences)


def database_place(ref: Ref, spec: OdooInstanceSpec, *, default: str = "default") -> str:
    """`server/database` as far as the spec says it; empty where only a secret knows.

    Args:
        default: name of the namespace's default server.
    """
    if spec.database.external is not None:
        name = spec.database.name
        return f"{spec.database.external.host}:{spec.database.external.port}/{name}" if name else ""
    server = "own:" + ref.name if spec.database.managed is not None else spec.database.server or default
    name = spec.database.name or default_database_name(namespace=ref.namespace, name=ref.name)
    return f"{ref.namespace}/{server}/{name}"


async def _refuse_orphans(services: Services, manifests: Sequence[Resource]) -> None:
    in_file = {ref_of(one) for one in manifests}
    for one in manifests:
        if one.kind not in ALL_KINDS:
            continue
        name = spec_of(one)["instanceRef"]["name"]
        instance = instance_ref(one.namespace, name)
        doc = await services.documents.get(instance)
        if instance not in in_file and doc is None:
            raise UnknownInstance(f"{ref_of(one)} is for {instance}, which does not exist.")
        if instance not in in_file and doc is not None and doc.spec.get("paused") is True:
            raise InstancePaused(f"{instance} is paused, and {ref_of(one)} would wait without end.")


async def _refuse_other_release(services: Services, manifests: Sequence[Resource]) -> None:
    """An upgrade to another image than the instance names would be undone by the instance's own manifest."""
    written = {ref_of(one): one.spec.image for one in manifests if isinstance(one, OdooInstance)}
    sentences: list[str] = []
    for one in manifests:
        if not isinstance(one, OdooUpgradeJob) or one.spec.image is None:
            continue
        instance = instance_ref(one.namespace, one.spec.instance_ref.name)
        doc = await services.documents.get(instance)
        image = written.get(instance) or (doc.spec.get("image") if doc else None)
        if image != one.spec.image:
            sentences.append(f"{ref_of(one)}: spec.image is {one.spec.image}, and {instance} names {image}.")
    if sentences:
        raise FieldUnsupported(
            sentences[0],
            details="\n".join(sentences),
            resolution="Change spec.image of the instance: the upgrade follows by itself.",
        )


async def _write(services: Services, manifest: Resource, *, dry_run: bool, identity: str | None) -> Written:
    ref, spec = ref_of(manifest), spec_of(manifest)
    labels = {
        "labels": dict(manifest.metadata.labels),
        "annotations": dict(manifest.metadata.annotations),
    }
    existing = await services.documents.get(ref)
    if existing is not None:
        meta = {**existing.meta, **labels}
        if dict(existing.spec) == spec and dict(existing.meta) == meta:
            return Written(existing, "unchanged")
        doc = replace(existing, spec=spec, meta=meta)
        stored = doc if dry_run else await services.documents.put(doc, if_version=existing.version)
        return Written(stored, "changed")
    doc_id = identity or new_id()
    if manifest.kind in ("OdooInstance", "DatabaseServer"):
        retained = await _retained_id(services, ref)
        if identity is not None and retained not in (None, identity):
            raise ForeignData(f"Retained data of {ref} is of another instance than the snapshot.")
        doc_id = retained or doc_id
    meta = {**labels, "createdAt": services.clock.now().isoformat()}
    doc = Document(ref, doc_id, generation=1, meta=meta, spec=spec)
    if dry_run:
        return Written(doc, "created")
    stored = await services.documents.put(doc, if_version=None)
    if manifest.kind == "OdooInstance":
        stored = await recall_memory(services, stored)
    return Written(stored, "created")


async def _retained_id(services: Services, ref: Ref) -> str | None:
    seen = await services.target.observe(ref)
    for volume in seen.volumes.values():
        if volume.identity is None or volume.identity.installation != services.installation:
            raise ForeignData(f"The volume {volume.name} is there already, and is not of this installation.")
        services.emit(Event(ref, "warning", f"{ref} takes its retained data back ({volume.name})."))
        return volume.identity.instance
    return None


def _raise(kind: type[MooringError], sentences: list[str]) -> None:
    if not sentences:
        return
    if len(sentences) == 1:
        raise kind(sentences[0])
    raise kind(f"{len(sentences)} things are refused; nothing was changed.", details="\n".join(sentences))


__all__ = ["UsageError", "Written", "accept_manifests", "database_place", "ref_of", "spec_of"]
