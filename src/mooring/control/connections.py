# SPDX-License-Identifier: Apache-2.0
"""Refuses manifests with which the instances of a database server would need more connections than it gives.

Reads manifests and records, never a server: what an external one is set to was written down by the last operation that asked
it. Only what makes it worse is refused: records that are there already, and changes beside them, are left in peace. A
stopped instance counts with nothing. Called when manifests are accepted; `known_limit` by whoever describes a server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mooring.api.common import PostgresAddress
from mooring.api.instance import OdooInstance, OdooInstanceSpec
from mooring.api.meta import Resource
from mooring.api.server import DatabaseServer, DatabaseServerSpec
from mooring.control.events import Event
from mooring.control.services import Services, instance_ref, server_ref
from mooring.domain.instance.conf import decide_spec_sizing
from mooring.domain.instance.connections import (
    ASSUMED_MAX_CONNECTIONS,
    ServerLimit,
    Share,
    find_refusal,
    find_warning,
)
from mooring.domain.instance.ledger import Ledger, load_ledger
from mooring.domain.model.identity import Ref
from mooring.domain.odoo.errors import ConnectionsRefused
from mooring.domain.odoo.facts import NEWEST
from mooring.domain.postgres.conf import decide_max_connections
from mooring.domain.postgres.errors import ServerConfigRefused
from mooring.drivers.documents import Document
from mooring.errors import UsageError

DEFAULT_NAME = "default"
UNLIMITED = 10**18

Servers = Mapping[Ref, DatabaseServerSpec]


@dataclass(frozen=True)
class _Instance:
    ref: Ref
    spec: OdooInstanceSpec
    ledger: Ledger


async def find_connection_refusals(services: Services, manifests: Sequence[Resource]) -> list[ConnectionsRefused]:
    """A refusal for each server that would be asked for more than it gives; warns of those that could be.

    Raises:
        MooringError: a store is in trouble.
    """
    given = [one for one in manifests if isinstance(one, OdooInstance | DatabaseServer)]
    if not [one for one in given if not await _is_stored(services, one)]:
        return []
    docs = [one for one in await services.documents.list("OdooInstance") if one.deleted_at is None]
    server_docs = await services.documents.list("DatabaseServer")
    before = {one.ref: DatabaseServerSpec.model_validate(one.spec) for one in server_docs}
    after = before | {server_ref(one.namespace, one.name): one.spec for one in given if isinstance(one, DatabaseServer)}
    stored = {one.ref: _read(one) for one in docs}
    written = {
        ref: _Instance(ref, one.spec, stored[ref].ledger if ref in stored else Ledger())
        for one in given
        if isinstance(one, OdooInstance)
        for ref in (instance_ref(one.namespace, one.name),)
    }
    recorded = _recorded(docs, before)
    old, _ = _shares(stored.values(), before, recorded, asked=frozenset())
    new, refusals = _shares((stored | written).values(), after, recorded, asked=frozenset(written))
    for limit, shares in new.values():
        was, held = old.get(limit.name, (limit, {}))
        lower = limit.max_connections < was.max_connections
        theirs = [(shares[ref], held.get(ref)) for ref in written if ref in shares]
        ordered = [one for _, one in sorted(shares.items())]
        if lower or any(then is None or now.least > then.least for now, then in theirs):
            refusal = find_refusal(limit, ordered)
            if refusal is not None:
                refusals.append(refusal)
                continue
        warning = find_warning(limit, ordered)
        if warning is not None:
            worse = [ref for ref in written if ref in shares and _grows(shares[ref], held.get(ref))]
            about = worse or ([ref for ref in written if ref in shares] or sorted(shares) if lower else [])
            for ref in about[:1]:
                services.emit(Event(ref, "warning", warning))
    return refusals


async def _is_stored(services: Services, manifest: Resource) -> bool:
    """Whether its record says the same: nothing can be worse then, and many records need not be read."""
    doc = await services.documents.get(Ref(manifest.kind, manifest.namespace, manifest.name))
    written = manifest.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return doc is not None and dict(doc.spec) == written


def _grows(now: Share, then: Share | None) -> bool:
    return then is None or now.most > then.most


async def known_limit(services: Services, ref: Ref, address: PostgresAddress) -> int:
    """`max_connections` of an external server as an operation last read it, else PostgreSQL's default."""
    doc = await services.documents.get(ref)
    own = _noted(doc) if doc is not None else 0
    if own:
        return own
    docs = await services.documents.list("OdooInstance")
    servers = {
        one.ref: DatabaseServerSpec.model_validate(one.spec) for one in await services.documents.list("DatabaseServer")
    }
    return _recorded(docs, servers).get(_address(address), ASSUMED_MAX_CONNECTIONS)


def _recorded(docs: Sequence[Document], servers: Servers) -> dict[str, int]:
    """External server → the highest that any of its instances was told: who asked before it was raised knows less."""
    found: dict[str, int] = {}
    for doc in docs:
        noted = _noted(doc)
        address = _external(_read(doc), servers) if noted else None
        if address is not None:
            found[_address(address)] = max(noted, found.get(_address(address), 0))
    return found


def _noted(doc: Document) -> int:
    return int((doc.status.get("database") or {}).get("maxConnections") or 0)


def _read(doc: Document) -> _Instance:
    return _Instance(doc.ref, OdooInstanceSpec.model_validate(doc.spec), load_ledger(doc.status.get("ledger")))


def _address(address: PostgresAddress) -> str:
    return f"{address.host}:{address.port}"


def _server(one: _Instance, servers: Servers) -> Ref:
    """Its DatabaseServer: its own, the named one, the one with its data, the default of its namespace."""
    database, namespace = one.spec.database, one.ref.namespace
    if database.managed is not None:
        return server_ref(namespace, one.ref.name)
    if database.server is not None:
        return server_ref(namespace, database.server)
    near = [ref for ref in sorted(servers) if ref.namespace == namespace]
    holds = [ref for ref in near if one.ledger.provisioned.startswith(f"{ref}/")]
    default = [ref for ref in near if servers[ref].default]
    return next(iter([*holds, *default]), server_ref(namespace, DEFAULT_NAME))


def _external(one: _Instance, servers: Servers) -> PostgresAddress | None:
    if one.spec.database.external is not None:
        return one.spec.database.external
    found = servers.get(_server(one, servers))
    return None if found is None else found.external


def _limit(one: _Instance, servers: Servers, recorded: Mapping[str, int]) -> ServerLimit | None:
    """What its server gives; None where nobody can tell: refused elsewhere."""
    address = _external(one, servers)
    if address is not None:
        name = _address(address)
        known = recorded.get(name)
        return ServerLimit(
            name=name, max_connections=known or ASSUMED_MAX_CONNECTIONS, assumed=known is None, managed=False
        )
    where = _server(one, servers)
    found = servers.get(where)
    managed = one.spec.database.managed or (found.managed if found is not None else None)
    try:
        size = decide_max_connections(managed.parameters if managed is not None else {})
    except ServerConfigRefused:
        return None
    return ServerLimit(name=str(where), max_connections=size)


def _shares(
    instances: Iterable[_Instance], servers: Servers, recorded: Mapping[str, int], *, asked: Collection[Ref]
) -> tuple[dict[str, tuple[ServerLimit, dict[Ref, Share]]], list[ConnectionsRefused]]:
    """Server → what it gives and what each of its instances takes; and why one of those asked for does not fit alone."""
    found: dict[str, tuple[ServerLimit, dict[Ref, Share]]] = {}
    refusals: list[ConnectionsRefused] = []
    for one in instances:
        limit = _limit(one, servers, recorded)
        if limit is None or one.spec.replicas == 0 or one.ledger.stopped:
            continue
        try:
            full = _share(one, UNLIMITED)
            alone = find_refusal(limit, [full]) if full is not None else None
            share = full if alone is not None else _share(one, limit.max_connections)
        except ConnectionsRefused as error:
            alone, share = error, None
        if alone is not None and one.ref in asked:
            refusals.append(alone)
        elif share is not None:
            found.setdefault(limit.name, (limit, {}))[1][one.ref] = share
    return found, refusals


def _share(one: _Instance, max_connections: int) -> Share | None:
    """What it takes; None where its resources or series are refused elsewhere.

    Raises:
        ConnectionsRefused: a server with so many connections is too small for it alone.
    """
    known = one.ledger.release(one.ledger.runs) or one.ledger.release(one.ledger.wanted)
    series = known.facts.series if known else one.spec.version or NEWEST
    try:
        sizing = decide_spec_sizing(one.spec, series=series, max_connections=max_connections)
    except ConnectionsRefused:
        raise
    except UsageError:
        return None
    name = one.ref.name if one.ref.namespace == "default" else f"{one.ref.namespace}/{one.ref.name}"
    return Share(name=name, least=sizing.connections_least, most=sizing.connections)
