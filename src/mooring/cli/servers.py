# SPDX-License-Identifier: Apache-2.0
"""Finds the database server behind a name that a person typed."""

from __future__ import annotations

from mooring.api.common import PostgresAddress
from mooring.api.instance import OdooInstanceSpec
from mooring.api.server import DatabaseServerSpec
from mooring.cli.context import App
from mooring.cli.errors import NoServerHere
from mooring.cli.names import find_instance, instance_of, spec_of_document
from mooring.control.servers import find_existing_server
from mooring.control.services import server_ref
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document


async def server_of(app: App, name: str) -> Ref:
    """The managed server of the instance `name`, or the server of that name where there is no such instance.

    Raises:
        UnknownInstance: there is neither.
        NoServerHere: others run it, or it is not made yet.
    """
    ref = instance_of(app.options, name)
    own = server_ref(ref.namespace, ref.name)
    if await app.documents.get(ref) is None and await app.documents.get(own) is not None:
        where: Ref | None = own
    else:
        doc = await find_instance(app, name)
        where = await find_existing_server(await app.services(), doc.ref, spec_of_document(doc))
    server = await app.documents.get(where) if where is not None else None
    if server is None or server.spec.get("managed") is None:
        raise NoServerHere(f"The database server of {name} is not run by Mooring.")
    return server.ref


async def users_of(app: App, server: Document) -> list[str]:
    """The names of the instances that use a database server, as their records say; needs no engine."""
    names: list[str] = []
    for doc in await app.documents.list("OdooInstance"):
        database = spec_of_document(doc).database
        if doc.ref.namespace != server.ref.namespace or database.external is not None:
            continue
        own = doc.ref.name if database.managed is not None else database.server
        if own == server.ref.name or (own is None and server.spec.get("default") is True):
            names.append(doc.ref.name)
    return names


async def external_of(app: App, doc: Document, spec: OdooInstanceSpec) -> tuple[PostgresAddress, bool] | None:
    """The database server of an instance where others run it, and whether an administrator of it is known; else None."""
    if spec.database.external is not None:
        return spec.database.external, spec.database.external.admin_secret_ref is not None
    if spec.database.managed is not None:
        return None
    for one in await app.documents.list("DatabaseServer"):
        named = one.ref.name == spec.database.server if spec.database.server else one.spec.get("default") is True
        if named and one.ref.namespace == doc.ref.namespace:
            external = DatabaseServerSpec.model_validate(one.spec).external
            return None if external is None else (external, external.admin_secret_ref is not None)
    return None
