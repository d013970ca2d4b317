# SPDX-License-Identifier: Apache-2.0
"""Manifests at the edge: text to resources with all faults at once, and resources back to text.

Does no I/O: it is handed bytes. What it returns is valid in itself and within its file; whether it fits the world is
decided elsewhere. Called by the command line (files) and by `control` (stored documents).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from pydantic import ValidationError

from mooring.api.base import API_VERSION
from mooring.api.errors import Fault, ManifestError
from mooring.api.explain import explain, nearest, path_text, place_of, shown_value
from mooring.api.kinds import KINDS, Manifest
from mooring.api.meta import Resource
from mooring.api.nodes import Node, node_of, parse_documents
from mooring.api.uniqueness import find_clashes

MAX_EXPLAINED = 500
"""Faults of one document that are explained; looking for the nearest name of each takes time."""

_FOREIGN = {"cloud.alterway.fr/v1alpha1": "read on Kubernetes only, by the operator; here write an OdooInstance"}


@dataclass(frozen=True)
class Located:
    """A resource and where each part of it was written.

    Attributes:
        resource: what was read.
        source: the file's name.
        node: the document's tree.
    """

    resource: Manifest
    source: str
    node: Node = field(repr=False, compare=False)

    def fault(self, location: Sequence[str | int], message: str, *, allowed: tuple[str, ...] = ()) -> Fault:
        """A fault that points at a field, for rules that need more than the file.

        Args:
            location: names as in YAML, such as ("spec", "filestore", "storageSize"). Where the user left the field
                out, the fault points at the nearest part above it that was written.
            message: what is wrong.
            allowed: what could stand there.
        """
        node, place, key_place, whole = place_of(self.node, location)
        value = None if not whole or isinstance(node.value, dict | list) else shown_value(node.value, location)
        return Fault(
            self.source, *(place if whole else key_place), path_text(location), message, value=value, allowed=allowed
        )


def load_documents(data: bytes, *, source: str) -> tuple[Manifest, ...]:
    """Read all documents of a manifest.

    Args:
        data: the file's bytes: UTF-8, at most 1 MiB, one or more YAML documents.
        source: the file's name, for the faults.

    Returns:
        The resources in the order of the file; at least one.

    Raises:
        ManifestError: with all faults of the file.
    """
    return tuple(document.resource for document in load_located(data, source=source))


def load_located(data: bytes, *, source: str) -> tuple[Located, ...]:
    """As `load_documents`, with the place of each part."""
    roots, faults = parse_documents(data, source=source)
    if not roots and not faults:
        faults.append(Fault(source, 0, 0, "", "empty: there is no document in it"))
    located = []
    for root in roots:
        resource, found = _read(root, source)
        faults.extend(found)
        if resource is not None:
            located.append(Located(resource, source, root))
    faults.extend(find_clashes(roots, source=source))
    if faults:
        raise ManifestError(sorted(faults, key=lambda fault: (fault.line, fault.column)))
    return tuple(located)


def load_resource(data: Mapping[str, Any], *, source: str) -> Manifest:
    """Read one document that is already data, such as a stored one.

    Args:
        data: {apiVersion, kind, metadata, spec}, JSON values.
        source: where it is from, for the faults.

    Raises:
        ManifestError: with all faults; they have no line.
    """
    resource, faults = _read(node_of(data), source)
    if resource is None:
        raise ManifestError(faults)
    return resource


def _read(root: Node, source: str) -> tuple[Manifest | None, list[Fault]]:
    if root.broken or not isinstance(root.value, dict):
        if root.broken:
            return None, []
        shown = "a list" if isinstance(root.value, list) else "a single value"
        message = f"a document is a mapping with apiVersion, kind, metadata and spec, not {shown}"
        return None, [Fault(source, root.line, root.column, "", message)]
    model, fault = _model_of(root, source)
    if model is None:
        return None, [fault] if fault else []
    faults = []
    if "apiVersion" not in root.value:
        faults.append(Fault(source, root.line, root.column, "apiVersion", "is needed", allowed=(API_VERSION,)))
    try:
        resource = model.model_validate(root.plain(), by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False)
        for detail in details[:MAX_EXPLAINED]:
            found = explain(detail, kind=model, root=root, source=source)
            if found is not None:
                faults.append(found)
        if len(details) > MAX_EXPLAINED:
            more = f"{len(details) - MAX_EXPLAINED} more faults in this document"
            faults.append(Fault(source, root.line, root.column, "", more))
        return None, faults
    return (None, faults) if faults else (cast("Manifest", resource), [])


def _model_of(root: Node, source: str) -> tuple[type[Resource] | None, Fault | None]:
    """The model of a document's kind, or the fault that there is none."""
    written = root.value.get("kind")
    if written is None or written.value is None:
        line, column = (root.line, root.column) if written is None else (written.line, written.column)
        return None, Fault(source, line, column, "kind", "is needed", allowed=tuple(KINDS))
    if written.broken:
        return None, None
    kind = written.value
    if isinstance(kind, str) and kind in KINDS:
        return KINDS[kind], None
    version = root.value.get("apiVersion")
    foreign = version is not None and isinstance(version.value, str) and _FOREIGN.get(version.value)
    close = None if foreign else nearest(kind, KINDS)
    fault = Fault(
        source,
        written.line,
        written.column,
        "kind",
        foreign or "unknown kind",
        value=shown_value(kind, ("kind",)),
        allowed=() if close or foreign else tuple(KINDS),
        nearest=close,
    )
    return None, fault


def dump_document(resource: Resource) -> dict[str, Any]:
    """A resource as data: {apiVersion, kind, metadata, spec}, JSON values, only what was written, in canonical form."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        **resource.model_dump(
            mode="json", by_alias=True, exclude_unset=True, exclude_none=True, exclude={"api_version", "kind"}
        ),
    }


def dump_yaml(resource: Resource) -> str:
    """A resource as a YAML document, which `load_documents` reads back to an equal one."""
    return yaml.safe_dump(dump_document(resource), sort_keys=False, allow_unicode=True, width=120)
