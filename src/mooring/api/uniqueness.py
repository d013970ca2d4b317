# SPDX-License-Identifier: Apache-2.0
"""What two documents of one file must not share: a name, a host, a published port, a database, the place of a default server.

Works on what was written, so that clashes are reported together with all other faults of the file. Across files and
against what already runs, `domain` decides. Called by `mooring.api.loader`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from mooring.api.errors import Fault
from mooring.api.explain import Location, path_text, place_of, shown_value
from mooring.api.nodes import Node

_Claim = tuple[Hashable, Location, str]


def find_clashes(roots: Sequence[Node], *, source: str) -> Iterator[Fault]:
    """The faults where a document takes what an earlier one of the file has.

    Args:
        roots: the documents' trees; any value may stand anywhere in them.
        source: the file's name.
    """
    taken: dict[Hashable, tuple[int, int]] = {}
    for index, root in enumerate(roots):
        for claim, location, what in _claims(root):
            node, place, _, _ = place_of(root, location)
            owner, line = taken.setdefault(claim, (index, place[0]))
            if owner != index:
                message = f"{what} is taken by the document with line {line}"
                value = shown_value(node.value, location)
                yield Fault(source, *place, path_text(location), message, value=value)


def _claims(root: Node) -> Iterator[_Claim]:
    kind, name = _at(root, "kind"), _at(root, "metadata", "name")
    if not isinstance(kind, str):
        return
    namespace = _at(root, "metadata", "namespace")
    namespace = "default" if namespace is None else namespace
    if isinstance(name, str) and isinstance(namespace, str):
        yield ("document", kind, namespace, name), ("metadata", "name"), "this kind and name"
    if kind == "DatabaseServer" and _at(root, "spec", "default") is True:
        yield ("default", str(namespace)), ("spec", "default"), "the place of the namespace's default server"
    if kind == "OdooInstance":
        yield from _instance_claims(root, namespace)


def _instance_claims(root: Node, namespace: Any) -> Iterator[_Claim]:
    hosts = _at(root, "spec", "ingress", "hosts")
    if isinstance(hosts, list):
        for index, host in enumerate(hosts):
            if isinstance(host.value, str):
                yield ("host", host.value.lower()), ("spec", "ingress", "hosts", index), "this host"
    port = _at(root, "spec", "service", "port")
    if isinstance(port, int) and not isinstance(port, bool):
        yield ("port", port), ("spec", "service", "port"), "this port"
    database = _at(root, "spec", "database", "name")
    if not isinstance(database, str) or _at(root, "spec", "database", "managed") is not None:
        return
    host = _at(root, "spec", "database", "external", "host")
    if isinstance(host, str):
        server: Hashable = ("external", host.lower(), _scalar(_at(root, "spec", "database", "external", "port"), 5432))
    else:
        server = ("server", str(namespace), _scalar(_at(root, "spec", "database", "server"), "default"))
    yield ("database", server, database), ("spec", "database", "name"), "this database"


def _scalar(value: Any, default: Hashable) -> Hashable:
    return default if value is None or isinstance(value, dict | list) else value


def _at(root: Node, *names: str) -> Any:
    """What was written at a path of names; None where nothing was."""
    node, _, _, whole = place_of(root, names)
    return node.value if whole else None
