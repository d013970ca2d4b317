# SPDX-License-Identifier: Apache-2.0
"""From the names that a person types to references, and to the records behind them."""

from __future__ import annotations

from mooring.api.instance import OdooInstanceSpec
from mooring.cli.context import App
from mooring.cli.options import Options
from mooring.control.errors import UnknownInstance
from mooring.control.operations import Operation, operations_in
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document


def instance_of(options: Options, name: str) -> Ref:
    """The reference of an instance: `NAME` in the namespace in force, or `NAMESPACE/NAME`."""
    namespace, slash, rest = name.partition("/")
    return Ref("OdooInstance", namespace, rest) if slash else Ref("OdooInstance", options.place, name)


async def find_instance(app: App, name: str) -> Document:
    """The record of an instance.

    Raises:
        UnknownInstance: there is none; names the nearest.
    """
    import difflib

    ref = instance_of(app.options, name)
    doc = await app.documents.get(ref)
    if doc is not None:
        return doc
    known = [str(one.ref).split(" ", 1)[1] for one in await app.documents.list("OdooInstance")]
    near = difflib.get_close_matches(str(ref).split(" ", 1)[1], known, n=1)
    hint = f"Did you mean `{near[0]}`? `mooring list` shows all." if near else None
    raise UnknownInstance(f"{ref} does not exist.", resolution=hint)


async def find_instance_or_server(app: App, name: str) -> Document:
    """The record of an instance, or of the database server of that name where there is no such instance.

    Raises:
        UnknownInstance: there is neither; names the nearest instance.
    """
    ref = instance_of(app.options, name)
    if await app.documents.get(ref) is None:
        server = await app.documents.get(Ref("DatabaseServer", ref.namespace, ref.name))
        if server is not None:
            return server
    return await find_instance(app, name)


def spec_of_document(doc: Document) -> OdooInstanceSpec:
    """The spec of an instance's record."""
    return OdooInstanceSpec.model_validate(doc.spec)


async def operations_of(app: App, instance: Ref | None = None) -> list[Operation]:
    """All operations, or those of one instance, oldest first; needs no engine."""
    return list(await operations_in(app.documents, instance))
