# SPDX-License-Identifier: Apache-2.0
"""Operation documents: made once, accepted once, advanced move by move, never run twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mooring.api.quantity import Duration
from mooring.control.errors import NoAdministrator
from mooring.control.services import Services, new_id, update_status
from mooring.domain.instance.archive import dump_archive, load_archive
from mooring.domain.instance.repository import dump_repository, load_repository
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.instance.subject import dump_release, dump_subject, load_release, load_subject
from mooring.domain.model.identity import Ref
from mooring.domain.operations.accepted import Accepted
from mooring.domain.operations.build import build_plan
from mooring.domain.operations.drill import dump_scratch, load_scratch
from mooring.domain.operations.journal import StepRecord, load_records
from mooring.domain.operations.plan import OperationType
from mooring.drivers.documents import Document, Documents

KINDS: Mapping[str, OperationType] = {
    "OdooInitJob": OperationType.INIT,
    "OdooUpgradeJob": OperationType.UPGRADE,
    "OdooBackupJob": OperationType.BACKUP,
    "OdooRestoreJob": OperationType.RESTORE,
    "OdooStagingRefreshJob": OperationType.REFRESH,
}
OPERATION_KIND = "OdooOperation"
ALL_KINDS = (*KINDS, OPERATION_KIND)
NEEDS_ADMIN = frozenset({OperationType.UPGRADE, OperationType.RESTORE, OperationType.REFRESH})
ENDED = frozenset({"Succeeded", "Failed", "Cancelled", "Superseded"})


@dataclass(frozen=True)
class Operation:
    """One operation document, read."""

    doc: Document
    type: OperationType
    instance: Ref

    @property
    def phase(self) -> str:
        """`Pending`, `Running`, or how it ended."""
        return str(self.doc.status.get("phase", "Pending"))

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.phase in ENDED

    @property
    def stuck(self) -> bool:
        """Whether taking back failed and a person has to decide."""
        return bool(self.doc.status.get("stuck"))

    def due(self, now: datetime) -> bool:
        """Whether the time has come that `scheduledTime` names."""
        when = self.doc.spec.get("scheduledTime")
        return when is None or datetime.fromisoformat(when) <= now

    def overdue(self, now: datetime) -> bool:
        """Whether it runs for longer than its `deadline`."""
        limit, start = self.doc.spec.get("deadline"), self.doc.status.get("startTime")
        if limit is None or start is None:
            return False
        return now - datetime.fromisoformat(start) > Duration.parse(limit).timedelta

    @property
    def log(self) -> tuple[StepRecord, ...]:
        """Its journal."""
        return load_records(self.doc.status.get("steps", ()))

    @property
    def created(self) -> tuple[str, str]:
        """What operations are ordered by."""
        return str(self.doc.meta.get("createdAt", "")), self.doc.ref.name


def read_operation(doc: Document) -> Operation:
    """The operation of a document."""
    kind = KINDS.get(doc.ref.kind) or OperationType(doc.spec["type"])
    instance = Ref("OdooInstance", doc.ref.namespace, doc.spec["instanceRef"]["name"])
    return Operation(doc, kind, instance)


async def list_operations(services: Services, instance: Ref | None = None) -> Sequence[Operation]:
    """All operations, or those of one instance, oldest first."""
    return await operations_in(services.documents, instance)


async def operations_in(documents: Documents, instance: Ref | None = None) -> Sequence[Operation]:
    """The same from the documents alone. One instance's cost as much as there are of it, whatever others have."""
    if instance is None:
        docs = [doc for kind in ALL_KINDS for doc in await documents.list(kind)]
    else:
        docs = [doc for doc in await documents.list(owner=instance) if doc.ref.kind in ALL_KINDS]
    return sorted((read_operation(doc) for doc in docs), key=lambda one: one.created)


async def create_operation(
    services: Services, instance: Ref, kind: OperationType, spec: Mapping[str, Any]
) -> Operation:
    """Write the document of a new operation. Its name says what, when and, in its end, which of several.

    Args:
        spec: besides `instanceRef` and `type`.
    """
    doc_kind = next((name for name, one in KINDS.items() if one is kind), OPERATION_KIND)
    now, doc_id = services.clock.now(), new_id()
    name = f"{instance.name}-{kind.value.lower()}-{now:%Y%m%d%H%M%S}-{doc_id[:4]}"
    ref = Ref(doc_kind, instance.namespace, name)
    body: dict[str, Any] = {"instanceRef": {"name": instance.name}, **spec}
    if doc_kind == OPERATION_KIND:
        body["type"] = kind.value
    doc = Document(ref, doc_id, meta={"createdAt": now.isoformat()}, spec=body)
    return read_operation(await services.documents.put(doc, if_version=None))


async def accept(services: Services, operation: Operation, accepted: Accepted) -> Operation:
    """Record what the operation is carried out with, and that it runs now."""

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            **status,
            "phase": "Running",
            "startTime": rfc3339(services.clock.now()),
            "accepted": {
                "subject": dump_subject(accepted.subject) if accepted.subject else None,
                "to": dump_release(accepted.to) if accepted.to else None,
                "adminUser": accepted.admin_user,
                "replicas": [list(pair) for pair in accepted.replicas],
                "baseUrl": accepted.base_url,
                "address": accepted.address,
                "freeBytes": accepted.free_bytes,
                "previous": accepted.previous,
                "generation": accepted.generation,
                "previousKind": accepted.previous_kind.value,
                "initialized": accepted.initialized,
                "scratch": dump_scratch(accepted.scratch) if accepted.scratch else None,
                "template": accepted.template,
                "heldSince": accepted.held_since,
                "source": dump_subject(accepted.source) if accepted.source else None,
                "previousData": accepted.previous_data,
                "repository": dump_repository(accepted.repository) if accepted.repository else None,
                "archive": dump_archive(accepted.archive) if accepted.archive else None,
            },
        }

    return read_operation(await update_status(services, operation.doc, change))


def read_accepted(operation: Operation) -> Accepted:
    """What a running operation was accepted with."""
    value = operation.doc.status["accepted"]
    return Accepted(
        ref=operation.doc.ref,
        id=operation.doc.id,
        type=operation.type,
        spec=operation.doc.spec,
        subject=load_subject(value["subject"]) if value.get("subject") else None,
        to=load_release(value["to"]) if value.get("to") else None,
        admin_user=value.get("adminUser", ""),
        replicas=tuple((str(role), int(count)) for role, count in value.get("replicas", ())),
        base_url=value.get("baseUrl"),
        address=value.get("address"),
        free_bytes=value.get("freeBytes"),
        previous=value.get("previous", ""),
        generation=int(value.get("generation", 0)),
        previous_kind=OperationType(value.get("previousKind", "Upgrade")),
        initialized=value.get("initialized", True) is True,
        scratch=load_scratch(value["scratch"]) if value.get("scratch") else None,
        template=str(value.get("template", "")),
        held_since=str(value.get("heldSince", "")),
        source=load_subject(value["source"]) if value.get("source") else None,
        previous_data=value.get("previousData", True) is True,
        repository=load_repository(value["repository"]) if value.get("repository") else None,
        archive=load_archive(value["archive"]) if value.get("archive") else None,
    )


async def end(
    services: Services,
    operation: Operation,
    phase: str,
    *,
    error: Mapping[str, Any] | None = None,
    log_tail: str = "",
    stuck: bool = False,
) -> Operation:
    """Record how it ended; a stuck one stays `Running`, and says so."""

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        value = {**status, "phase": phase, "message": (error or {}).get("brief", ""), "logTail": log_tail}
        if error:
            value["error"] = dict(error)
        if stuck:
            value["stuck"] = True
        else:
            value["completionTime"] = rfc3339(services.clock.now())
        return value

    return read_operation(await update_status(services, operation.doc, change))


async def reload(services: Services, operation: Operation) -> Operation:
    """The operation as it is stored now."""
    doc = await services.documents.get(operation.doc.ref)
    return operation if doc is None else read_operation(doc)


async def request_cancel(services: Services, operation: Operation) -> Operation:
    """Ask a running operation to be taken back; a pending one is over at once."""
    if operation.phase == "Pending":
        return await end(services, operation, "Cancelled")
    return read_operation(await update_status(services, operation.doc, lambda status: {**status, "cancel": True}))


async def request_retry(services: Services, operation: Operation) -> Operation:
    """Ask a stuck operation to try its undo again."""

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**status, "stuck": False, "retries": int(status.get("retries", 0)) + 1}

    return read_operation(await update_status(services, operation.doc, change))


def superseded(operation: Operation, done: Sequence[str]) -> bool:
    """Whether a record came again that already ran: the ledger knows its id."""
    return operation.doc.id in done and operation.phase == "Pending"


def completion_time(operation: Operation) -> datetime:
    """When an operation ended, UTC."""
    return datetime.fromisoformat(operation.doc.status["completionTime"])


def check_acceptable(accepted: Accepted) -> None:
    """Refuse what its plan could not be made for, before anything is touched.

    Raises:
        NoAdministrator: a copy aside is impossible.
        MooringError: the spec's configuration is refused.
    """
    needs = needs_administrator(accepted.type, previous_data=accepted.previous_data)
    if needs and accepted.subject is not None and accepted.subject.server.admin is None:
        raise no_administrator(accepted.subject.ref, accepted.type)
    build_plan(accepted)


def needs_administrator(kind: OperationType, *, previous_data: bool) -> bool:
    """Whether an operation makes, renames or drops whole databases.

    Args:
        previous_data: a rollback would return to a replaced pair of data; else the release alone goes back.
    """
    return kind in NEEDS_ADMIN or (kind is OperationType.ROLLBACK and previous_data)


def no_administrator(instance: Ref, kind: OperationType) -> NoAdministrator:
    """The error for such an operation of an instance on whose server nobody here may create databases."""
    return NoAdministrator(
        f"{kind.value} of {instance} needs a safety copy or another database beside the present one, and nobody here may "
        "create one on its external server: there is no administrator's secret."
    )
