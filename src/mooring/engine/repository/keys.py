# SPDX-License-Identifier: Apache-2.0
"""The repository's keys: blob ids and object keys from a master key, and the master key behind passphrases.

It does no I/O: `config` reads and writes the objects. Passphrases are bytes and appear in no error and no repr.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mooring.domain.repository.names import time_text
from mooring.engine.repository.checksum import checksummed

# 32 MiB of memory, and as hard to guess through as 128 MiB with p=1 (OWASP, Password Storage Cheat Sheet).
SCRYPT_N, SCRYPT_R, SCRYPT_P = 32768, 8, 3
# What an attacker may make us spend with a key object of theirs: 1 GiB of memory.
_MAX_N, _MAX_R, _MAX_P = 2**20, 8, 4
_BLOCK = 64

BlobId = Callable[[bytes | bytearray | memoryview], bytes]


@dataclass(frozen=True, repr=False)
class Keys:
    """The keys of an open repository; `master` is None where it is not encrypted."""

    repository: str
    master: bytes | None

    def __repr__(self) -> str:
        return f"Keys({self.repository}, {'encrypted' if self.encrypted else 'not encrypted'})"

    @property
    def encrypted(self) -> bool:
        """See `envelope.ObjectKeys`."""
        return self.master is not None

    def object_key(self, salt: bytes) -> AESGCM:
        """See `envelope.ObjectKeys`."""
        return AESGCM(self._derive(f"mooring/1/object/{salt.hex()}"))

    def blob_id(self, scope: str) -> BlobId:
        """What gives the ids of a scope's blobs; safe from several threads."""
        if self.master is None:
            return _plain_id
        # HMAC by hand (RFC 2104): its two states are made once, and hashlib gives up the GIL for long content.
        key = self._derive(f"mooring/1/id/{scope}").ljust(_BLOCK, b"\0")
        inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))

        def keyed(content: bytes | bytearray | memoryview) -> bytes:
            first = inner.copy()
            first.update(content)
            second = outer.copy()
            second.update(first.digest())
            return second.digest()

        return keyed

    def _derive(self, info: str) -> bytes:
        if self.master is None:
            raise TypeError("this repository has no key")
        salt = self.repository.encode()
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info.encode()).derive(self.master)


def _plain_id(content: bytes | bytearray | memoryview) -> bytes:
    return hashlib.sha256(content).digest()


def new_master() -> bytes:
    """A random master key."""
    return os.urandom(32)


def wrap(master: bytes, passphrase: bytes, *, repository: str, label: str, now: datetime) -> dict[str, Any]:
    """The JSON of a key object: the master key behind one passphrase."""
    salt, nonce = os.urandom(16), os.urandom(12)
    derived = Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase)
    return checksummed(
        {
            "kdf": "scrypt",
            "n": SCRYPT_N,
            "r": SCRYPT_R,
            "p": SCRYPT_P,
            "salt": _text(salt),
            "nonce": _text(nonce),
            "wrapped": _text(AESGCM(derived).encrypt(nonce, master, repository.encode())),
            "created": time_text(now),
            "label": label,
        }
    )


def unwrap(key: Mapping[str, Any], passphrase: bytes, *, repository: str) -> bytes | None:
    """The master key; None where the passphrase is not this key's.

    Raises:
        ValueError: the JSON is no key object, or its costs are absurd.
    """
    n, r, p = (int(key[name]) for name in ("n", "r", "p"))
    if key["kdf"] != "scrypt" or not (1 < n <= _MAX_N and 0 < r <= _MAX_R and 0 < p <= _MAX_P):
        raise ValueError("unknown key derivation")
    salt, nonce, wrapped = (base64.b64decode(key[name], validate=True) for name in ("salt", "nonce", "wrapped"))
    derived = Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase)
    try:
        return AESGCM(derived).decrypt(nonce, wrapped, repository.encode())
    except InvalidTag:
        return None


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
