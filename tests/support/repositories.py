# SPDX-License-Identifier: Apache-2.0
"""Builders for tests of the repository: manifests, office-like content, stores in memory."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from obstore.store import MemoryStore

from mooring.domain.repository.manifest import (
    NamedStream,
    SnapshotInstance,
    SnapshotManifest,
    SnapshotRelease,
    SnapshotSizes,
    StreamRef,
)
from mooring.domain.repository.names import scope_of, time_text
from mooring.drivers.objects.remote import RemoteObjects
from mooring.drivers.objects.retry import RetryPolicy
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.config import init_repository
from mooring.engine.repository.repository import Repository, open_repository

INSTANCE = "11111111-2222-3333-4444-555555555555"
SCOPE = scope_of("none", instance=INSTANCE, namespace="default")
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
PASSPHRASE = b"correct horse battery staple"


def memory_store() -> RemoteObjects:
    """A store in memory, through obstore."""
    return RemoteObjects(MemoryStore(), place="memory", policy=RetryPolicy(patience_s=0))


def manifest(
    streams: Sequence[StreamRef],
    *,
    at: datetime = NOW,
    number: int = 0,
    instance: str = INSTANCE,
    complete: bool = True,
    tags: tuple[str, ...] = (),
) -> SnapshotManifest:
    """A snapshot whose add-ons are these streams; `number` moves its time by minutes."""
    return SnapshotManifest(
        format=1,
        id=str(uuid.uuid4()),
        time=time_text(at + timedelta(minutes=number)),
        tool="0",
        instance=SnapshotInstance(id=instance, namespace="default", name="shop", environment="Production"),
        release=SnapshotRelease(version="17.0"),
        series="17.0",
        state="Complete" if complete else "Incomplete",
        tags=tags,
        modules=(),
        addons=tuple(NamedStream(f"part-{index}", stream) for index, stream in enumerate(streams)),
        files=(),
        sizes=SnapshotSizes(content=0, added=0, stored=0, blobs=0, new_blobs=0, requests=0),
        duration_ms=1,
    )


def office_file(seed: int, size: int) -> bytes:
    """Content that shrinks as office documents do: three quarters as good as random, the rest text."""
    source = random.Random(seed)
    text = b" ".join(b"line %d of invoice %d" % (source.randrange(1000), seed) for _ in range(size // 80 + 1))
    return source.randbytes(size * 3 // 4) + text[: size - size * 3 // 4].ljust(size - size * 3 // 4, b".")


def memory_repository(
    *, encrypted: bool = False, store: ObjectStore | None = None, cache: Path | None = None
) -> Repository:
    """A fresh repository; its passphrase is cheap to try, the format's own costs a second."""
    place = store or memory_store()
    with mock.patch.multiple("mooring.engine.repository.keys", SCRYPT_N=16, SCRYPT_R=1, SCRYPT_P=1):
        init_repository(place, passphrase=PASSPHRASE if encrypted else None, now=NOW)
    return open_repository(place, passphrase=PASSPHRASE if encrypted else None, cache=cache)
