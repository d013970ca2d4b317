# SPDX-License-Identifier: Apache-2.0
"""What a manifest may not say here: fields that nobody honours yet, changes that cannot be made, things that two would share.

Pure; the caller raises. A field that is set and ignored would be a promise that nobody keeps: it is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mooring.api.base import Model
from mooring.api.instance import OdooInstanceSpec
from mooring.api.instance_data import ExternalDatabase
from mooring.domain.instance.environment import find_environment_change

# Fields of OdooInstance.spec that a later version brings to life; with the values that ask for nothing.
NOT_YET: Mapping[str, tuple[Any, ...]] = {
    "addons.git": (),
    "git": (),
    "logs.volume": (False,),
    "maintenance": (),
    "metrics": (),
    "networkPolicy": (),
    "readOnlySqlAccess.enabled": (False,),
    "refresh.filestoreMethod": ("auto", "copy", "skip"),
}
KINDS_NOT_YET: frozenset[str] = frozenset()
# Fields of the kinds of operations, the same way.
OPERATION_FIELDS_NOT_YET: Mapping[str, tuple[Any, ...]] = {
    "webhook": (),
    "git": (),
    "inPlace": (False,),
    "to": (),
    "maintenance": ("now",),
    "filestoreMethod": ("auto", "copy", "skip"),
}
OPERATIONS_NOT_YET = frozenset({"Migrate", "Deploy"})
# Of a type that is carried out, its target is, too.
_HAS_TARGET = "Verify"


@dataclass(frozen=True)
class Clash:
    """Something that two instances would share: `what` as in `host shop.example.com`, and whose it is."""

    what: str
    other: str


def set_fields(model: Model, prefix: str = "") -> dict[str, Any]:
    """Dotted camelCase path → value of every field that was written, groups and what is in them alike."""
    found: dict[str, Any] = {}
    for name in model.model_fields_set:
        info = type(model).model_fields[name]
        path = prefix + (info.alias or info.serialization_alias or name)
        value = getattr(model, name)
        found[path] = value
        if isinstance(value, Model):
            found.update(set_fields(value, f"{path}."))
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, Model):
                    found.update(set_fields(item, f"{path}."))
    return found


def find_unsupported(spec: OdooInstanceSpec, unsupported: Iterable[str], *, target: str) -> list[str]:
    """One sentence for each field that is set and that nobody honours.

    Args:
        unsupported: dotted paths that the target cannot honour.
        target: its name, for the sentence.
    """
    written = set_fields(spec)
    here = frozenset(unsupported)
    sentences = [f"spec.{path}: the target {target} cannot honour it." for path in sorted(written) if path in here]
    for path, harmless in NOT_YET.items():
        if path in written and path not in here and _text(written[path]) not in [_text(one) for one in harmless]:
            sentences.append(f"spec.{path}: this version of Mooring does not carry it out yet.")
    hosts = spec.ingress.hosts if spec.ingress else ()
    if "ingress.tls" in written and not hosts:
        sentences.append("spec.ingress.tls: a certificate needs a host name; add ingress.hosts, or leave it out.")
    if "service.port" in written and hosts:
        sentences.append(
            "spec.service.port: with ingress.hosts no port of its own is published; leave one of them out."
        )
    return sentences


def find_unsupported_operation(spec: Model) -> list[str]:
    """One sentence for each field of an operation that is set and that nobody honours."""
    written = set_fields(spec)
    kind = written.get("instanceRef.kind")
    odoo = [] if kind in (None, "OdooInstance") else ["spec.instanceRef.kind: the kind Odoo is for Kubernetes."]
    return odoo + [
        f"spec.{path}: this version of Mooring does not carry it out yet."
        for path, harmless in OPERATION_FIELDS_NOT_YET.items()
        if path in written and _text(written[path]) not in [_text(one) for one in harmless]
        if (path, _text(written.get("type"))) != ("to", _HAS_TARGET)
    ]


def find_immutable(old: OdooInstanceSpec, new: OdooInstanceSpec, *, environment: str, database: str = "") -> list[str]:
    """One sentence for each change that cannot be made to an instance with data.

    Args:
        environment: as it was settled.
        database: name of the database as it was settled; empty where that is not known.
    """
    sentences: list[str] = []
    name = database or old.database.name
    if old.database.name != new.database.name and name is not None and new.database.name != name:
        sentences.append(f"spec.database.name is {name} and cannot change.")
    for place in ("server", "external", "managed"):
        before, after = getattr(old.database, place), getattr(new.database, place)
        if (before is None) != (after is None) or (place == "server" and before != after):
            sentences.append(f"spec.database.{place}: this version of Mooring does not move a database.")
    sentences += _moved(old.database.external, new.database.external)
    if old.database.managed is not None and new.database.managed is not None:
        one, other = old.database.managed, new.database.managed
        if one.version != other.version:
            sentences.append(
                f"spec.database.managed.version is {one.version}: this version of Mooring does not upgrade a server."
            )
        if other.storage_size.bytes < one.storage_size.bytes:
            sentences.append("spec.database.managed.storageSize cannot shrink.")
    if new.filestore.storage_size.bytes < old.filestore.storage_size.bytes:
        sentences.append("spec.filestore.storageSize cannot shrink.")
    return sentences + find_environment_change(old, new, settled=environment)


def _moved(old: ExternalDatabase | None, new: ExternalDatabase | None) -> list[str]:
    """Another address may be another server, with a database of the same name that is empty or another instance's."""
    if old is None or new is None:
        return []
    pairs = (("host", old.host.lower(), new.host.lower()), ("port", old.port, new.port))
    return [
        f"spec.database.external.{name} is {before}: this version of Mooring does not move a database. Where it is the same "
        "one under another address, delete the instance (its data stays) and apply it again: then the database is looked at."
        for name, before, after in pairs
        if before != after
    ]


def find_clashes(
    name: str, spec: OdooInstanceSpec, database: str, others: Sequence[tuple[str, OdooInstanceSpec, str]]
) -> list[Clash]:
    """What `name` would share with others on the same target.

    Args:
        database: `server/database` of this one.
        others: (name, spec, `server/database`) of each other instance.
    """
    hosts = {host.lower() for host in spec.ingress.hosts} if spec.ingress else set()
    clashes: list[Clash] = []
    for other, other_spec, other_database in others:
        if other == name:
            continue
        theirs = {host.lower() for host in other_spec.ingress.hosts} if other_spec.ingress else set()
        clashes += [Clash(f"the host {host}", other) for host in sorted(hosts & theirs)]
        if spec.service.port is not None and spec.service.port == other_spec.service.port:
            clashes.append(Clash(f"the port {spec.service.port}", other))
        if database and database == other_database:
            clashes.append(Clash(f"the database {database}", other))
    return clashes


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))
