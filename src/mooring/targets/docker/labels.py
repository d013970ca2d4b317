# SPDX-License-Identifier: Apache-2.0
"""What stands on every object of the engine that is ours, and how it is read back. Pure.

Labels are all that is needed to find and adopt objects after the loss of every record. They never hold a secret; what
depends on a secret's content is a digest under a random salt.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mooring.domain.model.desired import File, Link, Policy, Workload
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import version_name

PREFIX = "dev.mooring."
INSTALLATION = f"{PREFIX}installation"
INSTANCE = f"{PREFIX}instance"
KIND = f"{PREFIX}kind"
NAMESPACE = f"{PREFIX}namespace"
NAME = f"{PREFIX}name"
ROLE = f"{PREFIX}role"
FINGERPRINT = f"{PREFIX}fingerprint"
INDEX = f"{PREFIX}index"
PURPOSE = f"{PREFIX}purpose"
TASK = f"{PREFIX}task"
FENCE = f"{PREFIX}fence"
DEADLINE = f"{PREFIX}deadline"
RUNTIME = f"{PREFIX}runtime"
LINKS = f"{PREFIX}links"
PROBE = f"{PREFIX}probe"
LIMITS = f"{PREFIX}limits"
SALT = f"{PREFIX}salt"
FILES = f"{PREFIX}files"
PORT = f"{PREFIX}port"
SOURCE = f"{PREFIX}source"
DIGEST = f"{PREFIX}digest"
RELAY_OF = f"{PREFIX}relay-of"
RELAYS = f"{PREFIX}relays"
WAYS = f"{PREFIX}ways"
NOTE = f"{PREFIX}note."
MEMORY = f"{PREFIX}memory"
VERSIONS = f"{PREFIX}versions"

Labels = Mapping[str, str]


def owner_labels(ref: Ref, identity: Identity, role: str) -> dict[str, str]:
    """What every object of `ref` carries."""
    return {
        INSTALLATION: identity.installation,
        INSTANCE: identity.instance,
        KIND: ref.kind,
        NAMESPACE: ref.namespace,
        NAME: ref.name,
        ROLE: role,
    }


def note_labels(notes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The labels that carry an owner's notes."""
    return {NOTE + key: text for key, text in notes}


def versions_label(files: Iterable[File]) -> dict[str, str]:
    """The label that says which version of each secret a container was made with; a version tells nothing of the value."""
    found = {version_name(key.ref, key.key): key.version for one in files for key in one.secrets()}
    return {VERSIONS: json.dumps(found, sort_keys=True)} if found else {}


def versions_of(labels: Labels | None) -> dict[str, str]:
    """The versions on a container."""
    found: dict[str, str] = json.loads((labels or {}).get(VERSIONS, "{}"))
    return found


def notes_of(labels: Labels | None) -> dict[str, str]:
    """The notes on an object."""
    return {key.removeprefix(NOTE): text for key, text in (labels or {}).items() if key.startswith(NOTE)}


def owner_filter(ref: Ref) -> list[str]:
    """The filter that finds all objects of `ref`, whoever made them."""
    return [f"{KIND}={ref.kind}", f"{NAMESPACE}={ref.namespace}", f"{NAME}={ref.name}"]


def role_filter(ref: Ref, role: str) -> list[str]:
    """The filter that finds the replicas of a role, and no task."""
    return [*owner_filter(ref), f"{ROLE}={role}", f"{PURPOSE}=workload"]


def identity_of(labels: Labels | None) -> Identity | None:
    """Who made an object; None for a stranger's."""
    if not labels or not labels.get(INSTALLATION) or not labels.get(INSTANCE):
        return None
    return Identity(labels[INSTALLATION], labels[INSTANCE])


def ref_of(labels: Labels | None) -> Ref | None:
    """Whose an object is; None for a stranger's."""
    if not labels or not all(labels.get(key) for key in (KIND, NAMESPACE, NAME)):
        return None
    return Ref(labels[KIND], labels[NAMESPACE], labels[NAME])


def replica_name(ref: Ref, role: str, index: int) -> str:
    """The name of a replica's container."""
    return f"{child(ref, role)}-{index}"


def name_prefix(ref: Ref) -> str | None:
    """What all names of children of `ref` begin with; None where they are cut and could not be told apart."""
    sample, marker = child(ref, "x"), "-x-"
    head, found, _ = sample.rpartition(marker)
    return f"{head}-" if found else None


def is_child_name(ref: Ref, name: str) -> bool:
    """Whether `name` is one that a child of `ref` gets, replicas included."""
    prefix = name_prefix(ref)
    if prefix is None or not name.startswith(prefix):
        return False
    match = re.fullmatch(r"(?P<role>.+)-(?P<digest>[0-9a-f]{8})(-\d+)?", name[len(prefix) :])
    return match is not None and child(ref, match["role"]).endswith(match["digest"])


def link_text(link: Link) -> str:
    """A link as it stands in a label."""
    return f"{link.to.kind}/{link.to.namespace}/{link.to.name}/{link.role}"


def links_label(links: tuple[Link, ...]) -> str:
    """All links of a network, sorted."""
    return ",".join(sorted({link_text(link) for link in links}))


def read_links(text: str) -> list[tuple[Ref, str]]:
    """Owner and role of each link in a label."""
    parts = [item.split("/") for item in text.split(",") if item]
    return [(Ref(part[0], part[1], part[2]), part[3]) for part in parts if len(part) == 4]


def network_fingerprint(policy: Policy, links: tuple[Link, ...]) -> str:
    """What a network was made from."""
    # Internal networks of before had a bridge with an address, by which the engine's machine was reached.
    how = ["no address"] if policy.egress == "none" else []
    # Where relays stand, the network has room for their fixed addresses, whatever they relay.
    how += ["relays"] if policy.egress == "none" and policy.allow else []
    return digest([policy.egress, links_label(links), *how])


def egress_text(policy: Policy) -> str:
    """What a policy says, as part of a fingerprint: `open`, `none`, or `none` with what is allowed."""
    if policy.egress == "open" or not policy.allow:
        return policy.egress
    return f"none but {json.dumps(_compact(policy.allow), sort_keys=True)}"


def workload_fingerprint(workload: Workload, *, egress: str, extra: tuple[str, ...] = ()) -> str:
    """What a replica was made from.

    Neither the number of replicas nor the user's word for the image counts: scaling and a new tag of the same image
    restart nothing. Fields at their default do not count either, so that a field that a later Mooring adds restarts
    nothing.
    """
    image = ResolvedRelease("", workload.image.reference, workload.image.digest)
    plain = dataclasses.replace(workload, replicas=1, image=image)
    return digest([_compact(plain), egress, *extra])


def _compact(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _compact(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
    if isinstance(value, tuple):
        return [_compact(item) for item in value]
    return value


def digest(value: object) -> str:
    """16 hex digits of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
