# SPDX-License-Identifier: Apache-2.0
"""Which packs a prune names for deletion, and why. Pure; called by the engine's prune."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

MIN_GRACE = timedelta(hours=24)
SMALL = 8 * 1024 * 1024
"""Bytes below which a pack counts as small."""
MANY = 32
"""So many small packs are made into large ones."""
_WORTH = 0.5


@dataclass(frozen=True)
class PackUse:
    """A pack and how much of it is in use.

    Attributes:
        id: 32 bytes.
        size: bytes of the object.
        blobs: how many it holds.
        used_blobs: how many of them are in use, and are not counted elsewhere.
        used_bytes: stored bytes of those.
        indexed: whether an index names it.
        age: by the store's clock.
    """

    id: bytes
    size: int
    blobs: int
    used_blobs: int
    used_bytes: int
    indexed: bool
    age: timedelta


@dataclass(frozen=True)
class PackVerdict:
    """A pack that is to go; `copy` is whether something in it is in use."""

    pack: PackUse
    reason: str
    copy: bool


def decide_packs(packs: Iterable[PackUse], *, grace: timedelta) -> tuple[PackVerdict, ...]:
    """The packs that are to go.

    Args:
        packs: all that exist and are not named yet.
        grace: how old a pack must be that no index names: a backup may be about to write one.
    """
    going: list[PackVerdict] = []
    small: list[PackUse] = []
    for pack in packs:
        if not pack.indexed:
            if pack.age > grace:
                going.append(PackVerdict(pack, "no index names it", copy=False))
        elif pack.used_blobs == 0:
            going.append(PackVerdict(pack, "nothing in it is in use", copy=False))
        elif pack.used_bytes < _WORTH * pack.size:
            share = round(100 * pack.used_bytes / pack.size)
            going.append(PackVerdict(pack, f"{share} % of it is in use", copy=True))
        elif pack.size < SMALL:
            small.append(pack)
    if len(small) >= MANY:
        going.extend(PackVerdict(pack, f"one of {len(small)} small packs", copy=True) for pack in small)
    return tuple(going)
