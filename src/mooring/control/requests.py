# SPDX-License-Identifier: Apache-2.0
"""What a person asks for by a verb: the document of an operation, written like one that was applied from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mooring.api.base import API_VERSION
from mooring.api.kinds import Manifest
from mooring.api.loader import load_resource
from mooring.control.operations import Operation, read_operation
from mooring.control.services import Services, new_id
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document, VersionConflict

NAME_LENGTH = 40
TRIES = 5


def build_request(instance: Ref, kind: str, spec: Mapping[str, Any], *, verb: str) -> Manifest:
    """A manifest that asks for an operation, under a name that nobody used.

    Args:
        kind: such as `OdooUpgradeJob`.
        spec: besides `instanceRef`, as in YAML.
        verb: part of the name, in lower case.

    Raises:
        ManifestError: the spec cannot be one.
    """
    ending = f"-{verb}-{new_id()[:8]}"
    name = instance.name[: NAME_LENGTH - len(ending)].rstrip("-") + ending
    data = {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": instance.namespace},
        "spec": {"instanceRef": {"name": instance.name}, **spec},
    }
    return load_resource(data, source=f"{verb} of {instance.name}")


async def read_request(services: Services, ref: Ref) -> Operation | None:
    """The operation as it is now; None when its record is gone."""
    doc = await services.documents.get(ref)
    return None if doc is None else read_operation(doc)


async def request_deletion(services: Services, ref: Ref, *, purge: bool) -> Document | None:
    """Mark an instance for deletion; what was asked for first stays, and a purge may be added.

    Returns:
        The record as stored; None when it is gone already.

    Raises:
        VersionConflict: others keep writing to it.
    """
    for attempt in range(TRIES):
        doc = await services.documents.get(ref)
        if doc is None:
            return None
        meta = {**doc.meta, "purge": True} if purge else dict(doc.meta)
        wanted = replace(doc, deleted_at=doc.deleted_at or services.clock.now(), meta=meta)
        if wanted == doc:
            return doc
        try:
            return await services.documents.put(wanted, if_version=doc.version)
        except VersionConflict:
            if attempt == TRIES - 1:
                raise
    return None
