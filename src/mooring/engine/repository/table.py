# SPDX-License-Identifier: Apache-2.0
"""Which blob is where, for a whole scope, in little memory: 48 bytes a blob, in buckets by the first bits of its id.

A million blobs take about 55 MB. Within a bucket (some sixty entries for a million blobs) `bytes.find` looks for the id. It
knows no store; called by sessions, readers, checks and prunes, which guard it with their own lock.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mooring.engine.repository.index import IndexedPack
from mooring.engine.repository.pack import ENTRY, Blob

_FEW_BITS, _MANY_BITS = 10, 14
_FEW = 64 << _FEW_BITS
# Id, number of the pack, offset with the mark of use, stored bytes with the mark of compression, length with the kind.
_ROW = struct.Struct("<32sIIII")
_NUMBER = struct.Struct("<I")
_SIZE = _ROW.size
_TOP = 0x8000_0000
_LOW = 0x7FFF_FFFF
_USED_BYTE = 39
PENDING = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Place:
    """Where a blob is: the pack's number in the table (`PENDING`: not stored yet), and the entry."""

    pack: int
    blob: Blob


@dataclass(frozen=True, slots=True)
class PackRef:
    """A pack without its entries: id, salt of its header, bytes."""

    id: bytes
    salt: bytes
    size: int


class BlobTable:
    """Blobs of a scope and the packs that hold them. A blob may be in several packs."""

    def __init__(self) -> None:
        """An empty table."""
        self._buckets = [bytearray() for _ in range(1 << _FEW_BITS)]
        self._shift = 16 - _FEW_BITS
        self._rows = 0
        self._numbers: dict[bytes, int] = {}
        self.packs: list[PackRef] = []
        self.dead: set[int] = set()

    def __len__(self) -> int:
        return self._rows

    def number(self, pack_id: bytes) -> int | None:
        """The pack's number; None where no index names it."""
        return self._numbers.get(pack_id)

    def add_pack(self, pack: IndexedPack) -> int:
        """Take in a pack of an index; its number. A pack that is there is left as it is."""
        known = self._numbers.get(pack.id)
        if known is not None:
            return known
        number = self._new(pack)
        self._grow(len(pack.table) // ENTRY.size)
        buckets, pack_row, shift = self._buckets, _ROW.pack, self._shift
        for blob_id, offset, stored, length, compressed, kind in ENTRY.iter_unpack(pack.table):
            row = pack_row(blob_id, number, offset, stored | compressed << 31, length | kind << 31)
            buckets[(blob_id[0] << 8 | blob_id[1]) >> shift] += row
        return number

    def add_pending(self, blob_id: bytes, length: int, kind: int) -> None:
        """Note a blob that will be stored."""
        self._grow(1)
        row = _ROW.pack(blob_id, PENDING, 0, 0, length | kind << 31)
        self._buckets[(blob_id[0] << 8 | blob_id[1]) >> self._shift] += row

    def place_pack(self, pack: IndexedPack) -> int:
        """A pack with blobs that were pending is stored now: its number. They are marked as used."""
        number = self._new(pack)
        for blob_id, offset, stored, length, compressed, kind in ENTRY.iter_unpack(pack.table):
            bucket = self._buckets[(blob_id[0] << 8 | blob_id[1]) >> self._shift]
            row = _ROW.pack(blob_id, number, offset | _TOP, stored | compressed << 31, length | kind << 31)
            for at in _rows(bucket, blob_id):
                if _NUMBER.unpack_from(bucket, at + 32)[0] == PENDING:
                    bucket[at : at + _SIZE] = row
                    break
            else:
                bucket += row
                self._rows += 1
        return number

    def find(self, blob_id: bytes) -> Place | None:
        """Where the blob is; in a dead pack only where no other has it."""
        buried: Place | None = None
        bucket = self._buckets[(blob_id[0] << 8 | blob_id[1]) >> self._shift]
        for at in _rows(bucket, blob_id):
            _, pack, offset, stored, length = _ROW.unpack_from(bucket, at)
            blob = Blob(blob_id, offset & _LOW, stored & _LOW, length & _LOW, stored >= _TOP, length >> 31)
            if pack not in self.dead:
                return Place(pack, blob)
            buried = Place(pack, blob)
        return buried

    def find_pack(self, blob_id: bytes, *, use: bool = False) -> int | None:
        """The number of a pack that has the blob and is not dead: for backups, which ask for each blob."""
        bucket = self._buckets[(blob_id[0] << 8 | blob_id[1]) >> self._shift]
        at = bucket.find(blob_id)
        while at >= 0:
            if not at % _SIZE:
                pack: int = _NUMBER.unpack_from(bucket, at + 32)[0]
                if pack not in self.dead:
                    if use:
                        bucket[at + _USED_BYTE] |= 0x80
                    return pack
            at = bucket.find(blob_id, at + 1)
        return None

    def mark(self, blob_id: bytes) -> bool:
        """Mark the blob as used, in a pack that is not dead where there is one; False where nobody has it."""
        if self.find_pack(blob_id, use=True) is not None:
            return True
        found = False
        bucket = self._buckets[(blob_id[0] << 8 | blob_id[1]) >> self._shift]
        for at in _rows(bucket, blob_id):
            bucket[at + _USED_BYTE] |= 0x80
            found = True
        return found

    def entry_in(self, blob_id: bytes, number: int) -> Blob | None:
        """Where the blob is in this very pack."""
        bucket = self._buckets[(blob_id[0] << 8 | blob_id[1]) >> self._shift]
        for at in _rows(bucket, blob_id):
            _, pack, offset, stored, length = _ROW.unpack_from(bucket, at)
            if pack == number:
                return Blob(blob_id, offset & _LOW, stored & _LOW, length & _LOW, stored >= _TOP, length >> 31)
        return None

    def packs_of(self, blob_id: bytes) -> list[int]:
        """The numbers of all packs that have the blob, dead ones too."""
        bucket = self._buckets[(blob_id[0] << 8 | blob_id[1]) >> self._shift]
        return [_NUMBER.unpack_from(bucket, at + 32)[0] for at in _rows(bucket, blob_id)]

    def entries(self) -> Iterator[tuple[Place, bool]]:
        """Every entry, and whether it is marked as used; in no order that means anything."""
        for bucket in self._buckets:
            for blob_id, pack, offset, stored, length in _ROW.iter_unpack(bucket):
                blob = Blob(blob_id, offset & _LOW, stored & _LOW, length & _LOW, stored >= _TOP, length >> 31)
                yield Place(pack, blob), offset >= _TOP

    def _grow(self, count: int) -> None:
        """Make room for so many rows more: few buckets are quick to make, many are quick to look through."""
        self._rows += count
        if self._rows <= _FEW or len(self._buckets) > 1 << _FEW_BITS:
            return
        old, self._buckets = self._buckets, [bytearray() for _ in range(1 << _MANY_BITS)]
        self._shift = 16 - _MANY_BITS
        for bucket in old:
            for at in range(0, len(bucket), _SIZE):
                self._buckets[(bucket[at] << 8 | bucket[at + 1]) >> self._shift] += bucket[at : at + _SIZE]

    def _new(self, pack: IndexedPack) -> int:
        number = len(self.packs)
        self.packs.append(PackRef(pack.id, pack.salt, pack.size))
        self._numbers[pack.id] = number
        return number


def _rows(bucket: bytearray, blob_id: bytes) -> Iterator[int]:
    at = bucket.find(blob_id)
    while at >= 0:
        if not at % _SIZE:
            yield at
        at = bucket.find(blob_id, at + 1)
