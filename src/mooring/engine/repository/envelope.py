# SPDX-License-Identifier: Apache-2.0
"""Seals and opens objects and their pieces: header, key of the object, nonce by offset, checksum where there is no key.

It knows no store and no pack; what it is given is what is sealed. Called by packs, indexes, snapshots and marks.
"""

from __future__ import annotations

import hashlib
import os
from typing import Protocol

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mooring.engine.repository.errors import FormatUnknown, ObjectDamaged

PACK, INDEX, SNAPSHOT, MARK = b"MOORPAK1", b"MOORIDX1", b"MOORSNP1", b"MOORMRK1"
HEADER = 44
SEAL = 16
_SALT = 32
_CHECKSUM = 32
_MAX_PLAIN = 256 * 1024 * 1024
_META_LEVEL = 3


class ObjectKeys(Protocol):
    """Where the key of an object comes from."""

    @property
    def encrypted(self) -> bool:
        """Whether objects are sealed with a key."""
        ...

    def object_key(self, salt: bytes) -> AESGCM:
        """The key of the object with this salt."""
        ...


class Sealer:
    """Seals the pieces of one new object. Not safe from several threads at once."""

    def __init__(self, magic: bytes, keys: ObjectKeys) -> None:
        """Args: magic: kind of the object; keys: of the repository."""
        # Random without a key, too: no two objects have the same bytes, so that none is written again under the name of one
        # that a prune is about to delete.
        salt = os.urandom(_SALT)
        self.salt = salt
        self.header = header_of(magic, keys, salt)
        self._key = keys.object_key(salt) if keys.encrypted else None
        self._associated = self.header[:12]

    def seal(self, content: bytes, offset: int, blob_id: bytes = b"") -> bytes:
        """The piece that stands at `offset` of the object."""
        if self._key is None:
            return content
        return self._key.encrypt(_nonce(offset), content, self._associated + blob_id)


def header_of(magic: bytes, keys: ObjectKeys, salt: bytes) -> bytes:
    """The first 44 bytes of an object with this salt."""
    return magic + bytes([1 if keys.encrypted else 0, 0, 0, 0]) + salt


class Opener:
    """Opens pieces of one object. Safe from several threads."""

    def __init__(self, magic: bytes, keys: ObjectKeys, header: bytes, name: str) -> None:
        """Read the header.

        Args:
            magic: what the object must be.
            keys: of the repository.
            header: the object's first 44 bytes.
            name: the object's, for errors.

        Raises:
            FormatUnknown: it is of a later version.
            ObjectDamaged: it is no such object.
        """
        if len(header) < HEADER or header[:7] != magic[:7] or header[9:12] != bytes(3):
            raise ObjectDamaged(f"{name} does not begin as an object of its kind.")
        if header[7:8] != magic[7:8]:
            raise FormatUnknown(f"{name} is of version {header[7:8]!r}, this program reads {magic[7:8]!r}.")
        if header[8] != (1 if keys.encrypted else 0):
            raise ObjectDamaged(f"{name} is not sealed as this repository's objects are.")
        self._name = name
        self._key = keys.object_key(header[12:HEADER]) if keys.encrypted else None
        self._associated = header[:12]

    def open(self, piece: bytes | memoryview, offset: int, blob_id: bytes = b"") -> bytes | memoryview:
        """What was sealed at `offset`.

        Raises:
            ObjectDamaged: it is not what was written.
        """
        if self._key is None:
            return piece
        try:
            return self._key.decrypt(_nonce(offset), piece, self._associated + blob_id)
        except InvalidTag:
            what = f", blob {blob_id.hex()}" if blob_id else ""
            raise ObjectDamaged(f"{self._name}{what} at byte {offset} is not what was written.") from None


def seal_object(magic: bytes, keys: ObjectKeys, content: bytes) -> bytes:
    """A whole object of one piece: an index, a manifest or a mark."""
    sealer = Sealer(magic, keys)
    compressed = zstandard.ZstdCompressor(level=_META_LEVEL).compress(content)
    body = sealer.header + sealer.seal(compressed, HEADER)
    return body if keys.encrypted else body + hashlib.sha256(body).digest()


def open_object(magic: bytes, keys: ObjectKeys, content: bytes, name: str) -> bytes:
    """What `seal_object` was given.

    Raises:
        FormatUnknown: it is of a later version.
        ObjectDamaged: it is not what was written.
    """
    opener = Opener(magic, keys, content[:HEADER], name)
    body = memoryview(content)[HEADER:]
    if not keys.encrypted:
        if len(body) < _CHECKSUM or hashlib.sha256(content[:-_CHECKSUM]).digest() != content[-_CHECKSUM:]:
            raise ObjectDamaged(f"{name} does not have its checksum.")
        body = body[:-_CHECKSUM]
    return unpack(opener.open(body, HEADER), name=name, limit=_MAX_PLAIN)


def unpack(piece: bytes | memoryview, *, name: str, limit: int, exact: int | None = None) -> bytes:
    """Decompress, with a bound that is checked before: what is not encrypted may have been made by anybody.

    Raises:
        ObjectDamaged: it is no zstd frame, or larger than it may be.
    """
    try:
        size = zstandard.frame_content_size(piece)
        if size < 0 or size > limit or (exact is not None and size != exact):
            raise ObjectDamaged(f"{name} does not have the length that it should.")
        return zstandard.ZstdDecompressor().decompress(piece)
    except zstandard.ZstdError as error:
        raise ObjectDamaged(f"{name} cannot be decompressed.", details=str(error)) from error


def _nonce(offset: int) -> bytes:
    return offset.to_bytes(8, "little") + bytes(4)
