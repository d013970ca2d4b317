# SPDX-License-Identifier: Apache-2.0
"""What a repository holds, in numbers: for `mooring repository stats`. It reads indexes and manifests, no content."""

from __future__ import annotations

from dataclasses import dataclass

from mooring.domain.repository import names
from mooring.engine.repository.repository import Repository


@dataclass(frozen=True)
class ScopeStats:
    """One scope.

    Attributes:
        scope: which.
        snapshots: manifests.
        content_bytes: of all snapshots, as if each were restored by itself.
        blobs: different ones.
        blob_bytes: their content, before compression.
        packs: objects.
        pack_bytes: in the store.
        named_packs: packs that a prune named for deletion.
        indexes: objects.
    """

    scope: str
    snapshots: int
    content_bytes: int
    blobs: int
    blob_bytes: int
    packs: int
    pack_bytes: int
    named_packs: int
    indexes: int


def scope_stats(repository: Repository, scope: str) -> ScopeStats:
    """Count one scope."""
    catalog = repository.catalog(scope, fresh=True)
    table = catalog.table
    blobs = blob_bytes = 0
    for place, _ in table.entries():
        # A blob in several packs counts once: where it is found first.
        found = table.find(place.blob.id)
        if found is not None and found.pack == place.pack:
            blobs += 1
            blob_bytes += place.blob.length
    sizes = {info.key: info.size for info in repository.store.list_below(names.packs(scope))}
    snapshots, _ = repository.snapshots(scope=scope)
    return ScopeStats(
        scope=scope,
        snapshots=len(snapshots),
        content_bytes=sum(snapshot.manifest.sizes.content for snapshot in snapshots),
        blobs=blobs,
        blob_bytes=blob_bytes,
        packs=len(sizes),
        pack_bytes=sum(sizes.values()),
        named_packs=sum(1 for pack in catalog.generation.deleting if names.pack(scope, pack) in sizes),
        indexes=len(catalog.indexes),
    )
