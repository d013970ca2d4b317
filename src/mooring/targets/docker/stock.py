# SPDX-License-Identifier: Apache-2.0
"""What is on the engine altogether, and the deletion of data. Blocking; called in threads by the target."""

from __future__ import annotations

from collections.abc import Mapping

from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Found
from mooring.domain.model.release import ResolvedRelease
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import labels as tag
from mooring.targets.docker.memory import PURPOSE as MEMORY
from mooring.targets.docker.memory import newest
from mooring.targets.docker.sites import KIND
from mooring.targets.errors import Foreign


def remove_volumes(engine: Engine, ref: Ref, identity: str, *, installation: str) -> tuple[str, ...]:
    """Delete all volumes of `ref`, or none.

    Raises:
        Foreign: one of them carries another instance id, or another installation's.
    """
    found = {str(item["Name"]): item.get("Labels") or {} for item in engine.volumes(labels=tag.owner_filter(ref))}
    ours = Identity(installation, identity)
    foreign = sorted(name for name, labels in found.items() if tag.identity_of(labels) != ours)
    if foreign:
        raise Foreign(f"volumes of {ref} carry another identity: {', '.join(foreign)}")
    for name in sorted(found):
        engine.remove_volume(name)
    return tuple(sorted(found))


def inventory(engine: Engine) -> tuple[Found, ...]:
    """Every owner of which there is anything, sorted; of any installation of Mooring."""
    workloads: dict[tuple[Ref, Identity], set[str]] = {}
    volumes: dict[tuple[Ref, Identity], set[str]] = {}
    releases: dict[tuple[Ref, Identity], ResolvedRelease] = {}
    notes: dict[tuple[Ref, Identity], dict[str, str]] = {}
    memories: dict[tuple[Ref, Identity], str] = {}
    versions: dict[tuple[Ref, Identity], dict[str, str]] = {}
    for item in sorted(engine.containers(labels=[tag.INSTALLATION]), key=lambda one: int(one.get("Created") or 0)):
        labels: Mapping[str, str] = item.get("Labels") or {}
        key = _key(labels)
        if key is not None and (written := tag.notes_of(labels)):
            notes[key] = written
        if key is None or labels.get(tag.PURPOSE) != "workload":
            continue
        workloads.setdefault(key, set()).add(labels.get(tag.ROLE, ""))
        versions.setdefault(key, {}).update(tag.versions_of(labels))
        image = str(item.get("ImageID") or "")
        reference = image if image.startswith("sha256:") else f"sha256:{image}"
        digest = labels.get(tag.DIGEST) or reference
        release = ResolvedRelease(labels.get(tag.SOURCE, ""), reference, digest)
        # The web's release is the instance's; any other role stands in for it where there is no web, but for Mooring's own.
        if tag.SOURCE not in labels:
            continue
        if key not in releases or labels.get(tag.ROLE) == "web":
            releases[key] = release
    listed = engine.volumes(labels=[tag.INSTALLATION])
    for item in newest(listed):
        labels = item.get("Labels") or {}
        key = _key(labels)
        if key is not None:
            notes[key], memories[key] = tag.notes_of(labels), labels.get(tag.MEMORY, "")
            volumes.setdefault(key, set())
    for item in listed:
        labels = item.get("Labels") or {}
        key = _key(labels)
        if key is not None and labels.get(tag.PURPOSE) not in ("port", MEMORY):
            volumes.setdefault(key, set()).add(labels.get(tag.ROLE, ""))
    for item in engine.networks(labels=[tag.INSTALLATION]):
        key = _key(item.get("Labels") or {})
        if key is not None:
            workloads.setdefault(key, set())
    return tuple(
        Found(
            ref=key[0],
            identity=key[1],
            workloads=tuple(sorted(workloads.get(key, ()))),
            volumes=tuple(sorted(volumes.get(key, ()))),
            release=releases.get(key),
            notes=notes.get(key, {}),
            memory=memories.get(key, ""),
            versions=versions.get(key, {}),
        )
        for key in sorted({*workloads, *volumes}, key=lambda item: (item[0], item[1].instance))
    )


def _key(labels: Mapping[str, str]) -> tuple[Ref, Identity] | None:
    ref, identity = tag.ref_of(labels), tag.identity_of(labels)
    return None if ref is None or identity is None or ref.kind == KIND else (ref, identity)
