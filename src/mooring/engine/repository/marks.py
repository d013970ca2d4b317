# SPDX-License-Identifier: Apache-2.0
"""Marks: the packs that a prune named, with the store's time of that. Called by `prune` only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from mooring.domain.repository import names
from mooring.drivers.objects.errors import ObjectMissing
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.envelope import MARK, open_object, seal_object
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.keys import Keys


@dataclass(frozen=True)
class Mark:
    """Packs that were named before the store's time `written`."""

    key: str
    written: datetime
    packs: frozenset[bytes]


def write_mark(store: ObjectStore, keys: Keys, scope: str, packs: frozenset[bytes]) -> None:
    """Mark packs that `generation` names already: their grace begins now."""
    content = json.dumps({"packs": sorted(pack.hex() for pack in packs)}, separators=(",", ":")).encode()
    sealed = seal_object(MARK, keys, content)
    store.put(names.mark(scope, hashlib.sha256(sealed).digest()), sealed)


def read_marks(store: ObjectStore, keys: Keys, scope: str) -> list[Mark]:
    """All marks of a scope.

    Raises:
        ObjectDamaged: one is not what was written.
    """
    found = []
    for info in store.list_below(names.marks(scope)):
        try:
            sealed = store.get(info.key)
        except ObjectMissing:
            continue
        if hashlib.sha256(sealed).digest() != names.last_id(info.key):
            raise ObjectDamaged(f"{info.key} is not what was written.")
        try:
            packs = json.loads(open_object(MARK, keys, sealed, info.key))["packs"]
            ids = frozenset(bytes.fromhex(pack) for pack in packs)
        except (ValueError, KeyError, TypeError) as error:
            raise ObjectDamaged(f"{info.key} is no mark.") from error
        found.append(Mark(info.key, info.modified, ids))
    return found
