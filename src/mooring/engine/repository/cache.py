# SPDX-License-Identifier: Apache-2.0
"""Keeps indexes and manifests that were fetched as local files, so that an unchanged backup lists and fetches nothing.

A cache may vanish, lag or be broken at any time: what does not carry its checksum is fetched again. It holds ids of blobs
and sealed manifests, no content. Called by `catalog` and `snapshots`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mooring.drivers.files import private_dir, write_file
from mooring.engine.repository.checksum import checksummed, dump_json, load_json
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.generation import Generation

_CHECKSUM = 32
_STATE = "state.json"


@dataclass(frozen=True)
class CacheState:
    """Which indexes there were at which generation."""

    generation: Generation
    indexes: frozenset[bytes]


class Cache:
    """The local files of one repository; with no folder it keeps nothing."""

    def __init__(self, folder: Path | None, repository: str) -> None:
        """Touches nothing yet.

        Args:
            folder: shared by all repositories; None keeps nothing.
            repository: its id.
        """
        self._root = None if folder is None else folder / repository

    def state(self, scope: str) -> CacheState | None:
        """What the scope's cache stands for; None where there is none that can be believed."""
        content = self._read(scope, _STATE)
        if content is None:
            return None
        try:
            value = load_json(content, _STATE)
            deleting = frozenset(bytes.fromhex(item) for item in value["deleting"])
            generation = Generation(int(value["number"]), deleting, value["etag"])
            return CacheState(generation, frozenset(bytes.fromhex(item) for item in value["indexes"]))
        except (ObjectDamaged, KeyError, ValueError, TypeError):
            return None

    def keep_state(self, scope: str, state: CacheState) -> None:
        """Note what the scope's cache stands for now."""
        value = {
            "number": state.generation.number,
            "deleting": sorted(item.hex() for item in state.generation.deleting),
            "etag": state.generation.etag,
            "indexes": sorted(item.hex() for item in state.indexes),
        }
        self._write(scope, _STATE, dump_json(checksummed(value)))

    def index(self, scope: str, index_id: bytes) -> bytes | None:
        """The opened content of an index; None where it is not kept."""
        return self._checked(scope, index_id.hex())

    def keep_index(self, scope: str, index_id: bytes, content: bytes) -> None:
        """Keep the opened content of an index."""
        self._write(scope, index_id.hex(), content + hashlib.sha256(content).digest())

    def manifest(self, scope: str, name: str) -> bytes | None:
        """The sealed bytes of a manifest; None where they are not kept."""
        return self._checked(scope, f"snapshot-{name}")

    def keep_manifest(self, scope: str, name: str, content: bytes) -> None:
        """Keep the sealed bytes of a manifest; `name` is the last part of its key."""
        self._write(scope, f"snapshot-{name}", content + hashlib.sha256(content).digest())

    def forget(self, scope: str) -> None:
        """Remove everything that is kept of a scope."""
        if self._root is not None and (self._root / scope).is_dir():
            for path in (self._root / scope).iterdir():
                path.unlink(missing_ok=True)

    def drop(self, scope: str, *, indexes: frozenset[bytes]) -> None:
        """Remove the indexes of the scope that are not among these."""
        if self._root is None or not (self._root / scope).is_dir():
            return
        wanted = {item.hex() for item in indexes}
        for path in (self._root / scope).iterdir():
            if len(path.name) == 64 and path.name not in wanted:
                path.unlink(missing_ok=True)

    def drop_manifests(self, scope: str, names: frozenset[str]) -> None:
        """Remove these manifests."""
        if self._root is not None:
            for name in names:
                (self._root / scope / f"snapshot-{name}").unlink(missing_ok=True)

    def _checked(self, scope: str, name: str) -> bytes | None:
        content = self._read(scope, name)
        if content is None or len(content) < _CHECKSUM:
            return None
        body = content[:-_CHECKSUM]
        return body if hashlib.sha256(body).digest() == content[-_CHECKSUM:] else None

    def _read(self, scope: str, name: str) -> bytes | None:
        if self._root is None:
            return None
        try:
            return (self._root / scope / name).read_bytes()
        except OSError:
            return None

    def _write(self, scope: str, name: str, content: bytes) -> None:
        if self._root is None:
            return
        folder = self._root / scope
        private_dir(folder)
        write_file(folder / name, content)
