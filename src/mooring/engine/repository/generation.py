# SPDX-License-Identifier: Apache-2.0
"""The object `generation` of a scope: a number that every prune raises, and the packs that it is about to delete.

Backups read it; only `prune` writes it. See docs/reference/repository-format.md for why that is enough without locks.
"""

from __future__ import annotations

from dataclasses import dataclass

from mooring.domain.repository import names
from mooring.drivers.objects.errors import ObjectMissing
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.checksum import checksummed, dump_json, load_json
from mooring.engine.repository.errors import ObjectDamaged


@dataclass(frozen=True)
class Generation:
    """What `generation` says.

    Attributes:
        number: 0 where no prune has run yet.
        deleting: ids of packs that count as gone.
        etag: the store's tag of it; None where there is none.
    """

    number: int = 0
    deleting: frozenset[bytes] = frozenset()
    etag: str | None = None


def read_generation(store: ObjectStore, scope: str, *, known: Generation | None = None) -> Generation:
    """What it says now; one request, without content where `known` still holds.

    Raises:
        ObjectDamaged: it is not what was written.
    """
    key = names.generation(scope)
    try:
        found = store.get_if_changed(key, etag=known.etag if known else None)
    except ObjectMissing:
        return Generation()
    if found is None and known is not None:
        return known
    if found is None:
        raise ObjectDamaged(f"{key} at {store.place} was not given.")
    value = load_json(found.content, key)
    try:
        deleting = frozenset(bytes.fromhex(item) for item in value["deleting"])
        return Generation(int(value["number"]), deleting, found.etag)
    except (KeyError, ValueError, TypeError) as error:
        raise ObjectDamaged(f"{key} at {store.place} says what it never should.") from error


def raise_generation(store: ObjectStore, scope: str, *, old: Generation, deleting: frozenset[bytes]) -> Generation:
    """Write the next number, where nobody else has done so since `old` was read.

    Raises:
        ObjectChanged: somebody else has.
        ObjectExists: somebody else has written the first.
    """
    content = dump_json(checksummed({"number": old.number + 1, "deleting": sorted(item.hex() for item in deleting)}))
    etag = store.put(names.generation(scope), content, create=old.etag is None, match=old.etag)
    return Generation(old.number + 1, deleting, etag)
