# SPDX-License-Identifier: Apache-2.0
"""Database servers: which one an instance uses, and one pass of keeping a managed one in shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mooring.api.common import ManagedPostgres, PostgresAddress
from mooring.api.instance import OdooInstanceSpec
from mooring.api.meta import SecretRef as ApiSecretRef
from mooring.api.server import DatabaseServerSpec, ManagedServer
from mooring.control.connections import known_limit
from mooring.control.errors import FieldUnsupported, NamespaceNotAllowed, ServerFailed, UnknownServer
from mooring.control.events import Event
from mooring.control.probes import ask
from mooring.control.server_status import write_server_status
from mooring.control.services import Services, ensure_passwords, new_id, server_ref, update_status
from mooring.domain.instance.ledger import load_ledger
from mooring.domain.instance.subject import ServerAccess
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Observed
from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.postgres.bootstrap import SUPERUSER, server_user
from mooring.domain.postgres.conf import decide_max_connections
from mooring.domain.server.desired import (
    ROLE,
    USERS_FILE,
    ServerSubject,
    decide_server,
    server_host,
    server_probe_task,
    server_secret,
)
from mooring.drivers.documents import Document

DEFAULT_NAME = "default"
RESTARTS_THAT_FAIL = 3


@dataclass(frozen=True)
class ServerPass:
    """What one pass over a server found.

    Attributes:
        ready: it answers a real login.
        max_connections: what it is set to.
        identity: of its objects.
    """

    ready: bool
    max_connections: int
    identity: Identity


@dataclass(frozen=True)
class Access:
    """How an instance reaches its server, and whether the server answers; `admin_user` is its administrator's role."""

    server: ServerAccess
    ready: bool
    admin_user: str = ""


def secret_ref(namespace: str, ref: ApiSecretRef) -> SecretRef:
    """The reference that a manifest wrote."""
    return SecretRef(namespace, ref.name if ref.name is not None else f"file:{ref.file}")


async def access(services: Services, ref: Ref, spec: OdooInstanceSpec) -> Access:
    """The server of an instance, kept in shape by one pass when Mooring runs it.

    Raises:
        UnknownServer, NamespaceNotAllowed: the spec names one that is not there or not for it.
        MissingSecret: a secret of an external server is missing.
        ServerFailed: a managed server dies again and again.
    """
    where = None if spec.database.external is not None else await find_server(services, ref, spec)
    found = await describe_access(services, ref, spec, where)
    if where is None or not found.server.managed:
        return found
    state = await reconcile_server(services, where)
    return replace(found, ready=state.ready)


async def describe_access(services: Services, ref: Ref, spec: OdooInstanceSpec, where: Ref | None) -> Access:
    """How `ref` reaches its server, without touching it; a managed one counts as not ready.

    Args:
        where: its DatabaseServer; None for an external database, or a default that is not made yet.

    Raises:
        UnknownServer, NamespaceNotAllowed, MissingSecret: as `access`.
    """
    external = spec.database.external
    if external is not None:
        own = secret_ref(ref.namespace, external.secret_ref)
        admin = None if external.admin_secret_ref is None else secret_ref(ref.namespace, external.admin_secret_ref)
        return await _external(services, ref, None, external, admin, own)
    where = where or server_ref(ref.namespace, DEFAULT_NAME)
    doc = await services.documents.get(where)
    if doc is None:
        raise UnknownServer(f"{where} does not exist, and {ref} wants to use it.")
    written = DatabaseServerSpec.model_validate(doc.spec)
    if where.namespace != ref.namespace and not {"*", ref.namespace} & set(written.allowed_namespaces):
        raise NamespaceNotAllowed(f"{where} does not serve the namespace {ref.namespace}.")
    if written.external is not None:
        given = written.external.admin_secret_ref
        admin = None if given is None else secret_ref(where.namespace, given)
        return await _external(services, ref, where, written.external, admin, admin)
    if written.managed is None:
        raise FieldUnsupported(f"{where}: cloudNativePG is for Kubernetes.")
    server = ServerAccess(
        ref=where,
        identity=Identity(services.installation, doc.id),
        host=server_host(where),
        admin=server_secret(where),
        max_connections=decide_max_connections(written.managed.parameters),
        sslmode="disable",
    )
    return Access(server, ready=False, admin_user=SUPERUSER)


async def _external(
    services: Services,
    ref: Ref,
    where: Ref | None,
    address: PostgresAddress,
    admin: SecretRef | None,
    trust: SecretRef | None,
) -> Access:
    keys = await services.secrets.read(trust) if trust is not None else {}
    server = ServerAccess(
        ref=where,
        identity=None,
        host=str(address.host),
        port=address.port,
        sslmode=address.ssl_mode.value,
        admin=admin,
        root_certificate=trust if "sslrootcert" in keys else None,
        max_connections=await known_limit(services, ref, address),
    )
    return Access(server, ready=True, admin_user=await _admin_user(services, admin))


async def find_existing_server(services: Services, ref: Ref, spec: OdooInstanceSpec) -> Ref | None:
    """As `find_server`, without making one; None where it would be made, and for an external database."""
    if spec.database.external is not None:
        return None
    if spec.database.managed is not None or spec.database.server is not None:
        where = server_ref(ref.namespace, spec.database.server or ref.name)
        return where if await services.documents.get(where) is not None else None
    return await _default_server(services, ref)


async def _default_server(services: Services, ref: Ref) -> Ref | None:
    """The server that holds the instance's data, else the namespace's default: another default moves no database."""
    docs = [one for one in await services.documents.list("DatabaseServer") if one.ref.namespace == ref.namespace]
    instance = await services.documents.get(ref)
    place = load_ledger(instance.status.get("ledger")).provisioned if instance is not None else ""
    settled = next((one.ref for one in docs if place.startswith(f"{one.ref}/")), None)
    return settled or next((one.ref for one in docs if one.spec.get("default") is True), None)


async def find_server(services: Services, ref: Ref, spec: OdooInstanceSpec) -> Ref:
    """Which DatabaseServer it is: its own, the named one, the default; made where it is made at first need."""
    if spec.database.managed is not None:
        where = server_ref(ref.namespace, ref.name)
        await _ensure_document(services, where, {"managed": _dump(spec.database.managed)}, owner=ref)
        return where
    if spec.database.server is not None:
        return server_ref(ref.namespace, spec.database.server)
    found = await _default_server(services, ref)
    if found is not None:
        return found
    where = server_ref(ref.namespace, DEFAULT_NAME)
    await _ensure_document(services, where, {"default": True, "managed": {}}, owner=None)
    return where


async def reconcile_server(services: Services, where: Ref, *, live: bool = False) -> ServerPass:
    """One pass: secret, image, converge, look whether it answers.

    Raises:
        ServerFailed: it dies again and again; with the end of its log.
        UnknownServer: it has no document, or is not managed.
    """
    doc = await services.documents.get(where)
    spec = DatabaseServerSpec.model_validate(doc.spec) if doc is not None else None
    if doc is None or spec is None or spec.managed is None:
        raise UnknownServer(f"{where} is not a server that Mooring runs.")
    identity = Identity(services.installation, doc.id)
    secret = server_secret(where)
    await ensure_passwords(services, secret, {"user": SUPERUSER, "password": None})
    lock = services.locks.execution(where)
    with lock:
        # Several instances share a server; whoever comes second leaves the work to the first and only looks.
        alone = lock.try_acquire(command="server", now=services.clock.now()) is None
        subject, doc = await _subject(services, doc, spec.managed, identity, secret)
        if subject is None:
            return ServerPass(ready=False, max_connections=200, identity=identity)
        desired = decide_server(subject)
        seen = await services.target.observe(where, live=live)
        for change in await services.target.converge(desired, seen) if alone else ():
            services.emit(Event(where, "change", f"{change.action} {change.object}: {change.reason}"))
        ready = _is_ready(services, desired, seen)
        problem = _problem(where, seen)
        if alone:
            await write_server_status(services, doc, seen, ready=ready, problem=problem)
    if problem is not None:
        raise problem
    return ServerPass(ready=ready, max_connections=subject.max_connections, identity=identity)


async def server_desired(services: Services, where: Ref) -> Desired | None:
    """What is wanted of a managed server, for `plan` and `render`; None while its image is not known."""
    doc = await services.documents.get(where)
    if doc is None:
        return None
    spec = DatabaseServerSpec.model_validate(doc.spec)
    if spec.managed is None:
        return None
    subject, _ = await _subject(
        services, doc, spec.managed, Identity(services.installation, doc.id), server_secret(where)
    )
    return None if subject is None else decide_server(subject)


async def _subject(
    services: Services, doc: Document, managed: ManagedServer, identity: Identity, secret: SecretRef
) -> tuple[ServerSubject | None, Document]:
    source = managed.image or f"{services.defaults.postgres_image}:{managed.version}"
    pin = doc.status.get("image", {})
    if pin.get("source") != source:
        resolved = await services.target.resolve(Release(image=source))
        passwd = await _users(services, doc.ref, identity, resolved)
        if passwd is None:
            return None, doc
        uid, gid = server_user(passwd)
        pin = {
            "source": source,
            "reference": resolved.reference,
            "digest": resolved.digest,
            "user": [uid, gid],
        }
        doc = await update_status(services, doc, lambda status: {**status, "image": pin})
    version = await services.secrets.version(secret, "password")
    return (
        ServerSubject(
            ref=doc.ref,
            identity=identity,
            spec=managed,
            image=ResolvedRelease(pin["source"], pin["reference"], pin["digest"]),
            user=(int(pin["user"][0]), int(pin["user"][1])),
            password=SecretKey(secret, "password", version),
            written=json.dumps(doc.spec, sort_keys=True),
        ),
        doc,
    )


async def _users(services: Services, where: Ref, identity: Identity, image: ResolvedRelease) -> str | None:
    """The text of an image's /etc/passwd, by a task where it cannot be read without; None while that runs."""
    content = await services.target.read_image_file(image, USERS_FILE, place=where, identity=identity)
    return (
        content.decode(errors="replace") if content else await ask(services, server_probe_task(where, identity, image))
    )


def _problem(where: Ref, seen: Observed) -> ServerFailed | None:
    for one in seen.workload(ROLE).replicas:
        if not one.ready and one.restarts >= RESTARTS_THAT_FAIL:
            return ServerFailed(f"{where} ended {one.restarts} times after its start.", details=one.log_tail)
    return None


def _is_ready(services: Services, desired: Desired, seen: Observed) -> bool:
    return seen.workload(ROLE).ready >= 1 and not services.target.diff(desired, seen)


async def _ensure_document(services: Services, where: Ref, spec: Mapping[str, Any], *, owner: Ref | None) -> None:
    existing = await services.documents.get(where)
    if existing is None:
        seen = await services.target.observe(where)
        kept = next((one.identity for one in seen.volumes.values() if one.identity is not None), None)
        meta = {"owner": str(owner)} if owner else {}
        doc = Document(where, kept.instance if kept else new_id(), meta=meta, spec=dict(spec))
        await services.documents.put(doc, if_version=None)
        return
    if owner is not None and existing.meta.get("owner") == str(owner) and existing.spec != spec:
        await services.documents.put(replace(existing, spec=dict(spec)), if_version=existing.version)


async def _admin_user(services: Services, admin: SecretRef | None) -> str:
    if admin is None:
        return ""
    return (await services.secrets.value(SecretKey(admin, "user"))).reveal()


def _dump(managed: ManagedPostgres) -> dict[str, Any]:
    value: dict[str, Any] = managed.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return value
