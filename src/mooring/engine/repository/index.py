# SPDX-License-Identifier: Apache-2.0
"""The content of an index: for each pack its id, size and entries. Pure bytes; called by `catalog` and `prune`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.pack import ENTRY, read_entry

_PACK = struct.Struct("<32s32sII")


@dataclass(frozen=True)
class IndexedPack:
    """A pack as an index names it.

    Attributes:
        id: SHA-256 of the object.
        salt: of its header, so that no reader has to fetch that.
        size: bytes of the object.
        table: its entries, 48 bytes each, sorted by blob id.
    """

    id: bytes
    salt: bytes
    size: int
    table: bytes | memoryview


def dump_index(packs: Iterable[IndexedPack]) -> bytes:
    """The content of an index."""
    return b"".join(
        _PACK.pack(pack.id, pack.salt, pack.size, len(pack.table) // ENTRY.size) + pack.table for pack in packs
    )


def load_index(content: bytes, name: str) -> Iterator[IndexedPack]:
    """Read back what `dump_index` was given.

    Raises:
        ObjectDamaged: it cannot be an index.
    """
    view = memoryview(content)
    at = 0
    while at < len(view):
        if at + _PACK.size > len(view):
            raise ObjectDamaged(f"{name} is cut off.")
        pack_id, salt, size, count = _PACK.unpack_from(view, at)
        at += _PACK.size
        end = at + count * ENTRY.size
        if end > len(view):
            raise ObjectDamaged(f"{name} is cut off.")
        yield IndexedPack(pack_id, salt, size, view[at:end])
        at = end


def check_entries(table: bytes | memoryview) -> None:
    """Look at every entry.

    Raises:
        ObjectDamaged: one cannot be one.
    """
    for at in range(0, len(table), ENTRY.size):
        read_entry(table[at : at + ENTRY.size])
