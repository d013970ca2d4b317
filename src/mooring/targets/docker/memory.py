# SPDX-License-Identifier: Apache-2.0
"""What is written down of an owner, on the labels of a small empty volume that outlives its containers.

Labels cannot change: another text is another volume, made before the old one goes, so that one of them is always there. It
goes when nothing is wanted of the owner any more. The containers carry the notes as well, in case somebody prunes volumes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import child
from mooring.domain.model.observed import ObjectSeen, Observed
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import labels as tag

PURPOSE = "memory"
KIND = "memory"


def memory_labels(want: Desired) -> dict[str, str]:
    """What is written down; empty when there is nothing to."""
    found = tag.note_labels(want.notes)
    return found | ({tag.MEMORY: want.memory} if want.memory else {})


def memory_name(want: Desired) -> str | None:
    """The volume that says exactly this; None when there is nothing to say."""
    written = memory_labels(want)
    return child(want.ref, f"memory-{tag.digest(written)[:8]}") if written else None


def is_memory(labels: Mapping[str, str] | None) -> bool:
    """Whether a volume is one of these."""
    return (labels or {}).get(tag.PURPOSE) == PURPOSE


def outdated(want: Desired, seen: Observed) -> Iterator[ObjectSeen]:
    """Volumes of this owner that say something else."""
    name = memory_name(want)
    for item in seen.objects.values():
        if item.kind == KIND and item.name != name and item.identity == want.identity:
            yield item


def write_memory(engine: Engine, want: Desired) -> None:
    """Make the volume; safe to repeat."""
    name = memory_name(want)
    if name is None:
        return
    owner = tag.owner_labels(want.ref, want.identity, PURPOSE)
    engine.create_volume(name, owner | {tag.PURPOSE: PURPOSE} | memory_labels(want))


def newest(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Volumes of this purpose, oldest first: after a kill between two of them, the last word counts."""
    return sorted((one for one in items if is_memory(one.get("Labels"))), key=lambda one: str(one.get("CreatedAt", "")))
