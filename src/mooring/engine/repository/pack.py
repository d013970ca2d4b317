# SPDX-License-Identifier: Apache-2.0
"""Packs: building one in memory, reading its table, opening its blobs.

A pack is header, sealed blobs, sealed table, the table's stored length and an end mark. Pure bytes: it knows no store.
Called by `pipeline` (building), `reader` and `check` (reading).
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

from mooring.engine.repository.envelope import HEADER, PACK, ObjectKeys, Opener, Sealer, unpack
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.keys import BlobId

TARGET = 34 * 1024 * 1024
MAX_BLOBS = 65_536
MAX_BLOB = 8 * 1024 * 1024
# One blob beyond the target, and the largest table, which random ids keep from shrinking.
_ROOM = TARGET + 2 * MAX_BLOB
DATA, LIST = 0, 1
ENTRY = struct.Struct("<32sIIIBBxx")
_END = b"MOOREND1"
_TAIL = struct.Struct("<I8s")
_TABLE_LEVEL = 3


@dataclass(frozen=True)
class Blob:
    """Where one blob is in its pack: an entry of the pack's table."""

    id: bytes
    offset: int
    stored: int
    length: int
    compressed: bool
    kind: int


@dataclass(frozen=True)
class FinishedPack:
    """A pack, ready to be stored.

    Attributes:
        id: its name.
        salt: of its header.
        content: in the builder's buffer.
        table: its entries, 48 bytes each, sorted by blob id.
    """

    id: bytes
    salt: bytes
    content: memoryview
    table: bytes


def new_buffer() -> mmap.mmap:
    """Room for one pack, and for one after another; memory is taken as it is filled, and given back by `empty_buffer`."""
    return mmap.mmap(-1, _ROOM, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def empty_buffer(buffer: mmap.mmap) -> None:
    """Give the memory back; the room stays."""
    buffer.madvise(mmap.MADV_DONTNEED)


class PackBuilder:
    """One pack that grows. Not safe from several threads at once."""

    def __init__(self, keys: ObjectKeys, buffer: mmap.mmap) -> None:
        """Begin.

        Args:
            keys: of the repository.
            buffer: from `new_buffer`; nobody else uses it until the finished pack is done with.
        """
        self._sealer = Sealer(PACK, keys)
        self._encrypted = keys.encrypted
        self._buffer = buffer
        self._size = 0
        self._table = bytearray()
        self._append(self._sealer.header)

    @property
    def full(self) -> bool:
        """Whether no blob should be added."""
        return self._size >= TARGET or len(self._table) >= MAX_BLOBS * ENTRY.size

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    @property
    def empty(self) -> bool:
        """Whether it holds no blob."""
        return not self._table

    def add(self, blob_id: bytes, piece: bytes, *, length: int, compressed: bool, kind: int) -> None:
        """Seal one blob at the end."""
        offset = self._size
        self._append(self._sealer.seal(piece, offset, blob_id))
        self._table += ENTRY.pack(blob_id, offset, self._size - offset, length, compressed, kind)

    def finish(self) -> FinishedPack:
        """Close it; the builder is used up."""
        compressed = zstandard.ZstdCompressor(level=_TABLE_LEVEL).compress(bytes(self._table))
        begin = self._size
        sealed = self._sealer.seal(compressed, begin)
        self._append(sealed)
        self._append(_TAIL.pack(len(sealed), _END))
        content = memoryview(self._buffer)[: self._size]
        entries = sorted(split_table(self._table))
        pack_id = _pack_id(content, begin, encrypted=self._encrypted)
        return FinishedPack(pack_id, self._sealer.salt, content, b"".join(entries))

    def _append(self, piece: bytes) -> None:
        end = self._size + len(piece)
        self._buffer[self._size : end] = piece
        self._size = end


def _pack_id(content: bytes | memoryview, table_begin: int, *, encrypted: bool) -> bytes:
    """The name of a pack: where its blobs carry seals, these need no second checksum over tens of megabytes."""
    if not encrypted:
        return hashlib.sha256(content).digest()
    digest = hashlib.sha256(content[:HEADER])
    digest.update(content[table_begin:])
    return digest.digest()


def has_id(content: bytes, pack_id: bytes, *, encrypted: bool) -> bool:
    """Whether this is the pack of that name; with encryption the blobs' seals are not looked at."""
    if len(content) < HEADER + _TAIL.size:
        return False
    length, _ = _TAIL.unpack_from(content, len(content) - _TAIL.size)
    begin = len(content) - _TAIL.size - length
    return begin >= HEADER and _pack_id(content, begin, encrypted=encrypted) == pack_id


def split_table(table: bytes | bytearray) -> Iterator[bytes]:
    """The entries of a table, 48 bytes each."""
    size = ENTRY.size
    return (bytes(table[at : at + size]) for at in range(0, len(table), size))


def read_entry(entry: bytes | memoryview) -> Blob:
    """One entry.

    Raises:
        ObjectDamaged: it cannot be one.
    """
    blob_id, offset, stored, length, compressed, kind = ENTRY.unpack(entry)
    if offset < HEADER or length > MAX_BLOB or stored > 2 * MAX_BLOB or compressed > 1 or kind > 1:
        raise ObjectDamaged(f"A table names blob {blob_id.hex()} with sizes that no blob has.")
    return Blob(blob_id, offset, stored, length, bool(compressed), kind)


def read_table(content: bytes, keys: ObjectKeys, name: str) -> list[Blob]:
    """The table at the end of a whole pack.

    Raises:
        ObjectDamaged: the pack is not what was written.
    """
    opener = Opener(PACK, keys, content[:HEADER], name)
    if len(content) < HEADER + _TAIL.size:
        raise ObjectDamaged(f"{name} is cut off.")
    length, end = _TAIL.unpack_from(content, len(content) - _TAIL.size)
    begin = len(content) - _TAIL.size - length
    if end != _END or begin < HEADER:
        raise ObjectDamaged(f"{name} does not end as a pack does.")
    piece = opener.open(memoryview(content)[begin : begin + length], begin)
    table = unpack(piece, name=name, limit=4 * MAX_BLOBS * ENTRY.size)
    if len(table) % ENTRY.size:
        raise ObjectDamaged(f"{name} has a table that cannot be one.")
    return [read_entry(entry) for entry in split_table(table)]


def open_blob(piece: bytes | memoryview, blob: Blob, *, opener: Opener, blob_id: BlobId | None, name: str) -> bytes:
    """A blob's content from its stored bytes, compared with its id.

    Args:
        blob_id: what makes an id of content; None only where the seal, which is over the id too, is check enough.

    Raises:
        ObjectDamaged: it is not what was written; names the pack and the blob.
    """
    plain = opener.open(piece, blob.offset, blob.id)
    what = f"{name}, blob {blob.id.hex()}"
    content = unpack(plain, name=what, limit=MAX_BLOB, exact=blob.length) if blob.compressed else bytes(plain)
    if len(content) != blob.length or (blob_id is not None and blob_id(content) != blob.id):
        raise ObjectDamaged(f"{what} at byte {blob.offset} is not what was written.")
    return content
