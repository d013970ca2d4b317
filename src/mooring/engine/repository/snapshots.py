# SPDX-License-Identifier: Apache-2.0
"""Manifests as objects: writing one, listing them, finding one by what people type, deleting.

A manifest is one sealed object; its name says scope, instance, time and id, and must agree with what is in it. Called by
sessions and by `repository.Repository`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mooring.domain.repository import names
from mooring.domain.repository.manifest import FORMAT, SnapshotManifest
from mooring.domain.repository.names import SnapshotName
from mooring.domain.work.errors import InvalidDocument
from mooring.drivers.objects.errors import ObjectMissing
from mooring.drivers.objects.store import ObjectStore, Refusal
from mooring.engine.repository.cache import Cache
from mooring.engine.repository.catalog import Catalog, DamagedObject
from mooring.engine.repository.envelope import SNAPSHOT, open_object, seal_object
from mooring.engine.repository.errors import (
    FormatUnknown,
    ObjectDamaged,
    SnapshotAmbiguous,
    SnapshotMissing,
)
from mooring.engine.repository.keys import Keys

LATEST = "latest"


@dataclass(frozen=True)
class Snapshot:
    """A snapshot in a repository: where its manifest is, and the manifest."""

    name: SnapshotName
    manifest: SnapshotManifest

    @property
    def id(self) -> str:
        """32 hex digits."""
        return self.name.id


def write_manifest(catalog: Catalog, manifest: SnapshotManifest) -> Snapshot:
    """Write a snapshot's last object.

    Raises:
        ObjectExists: there is a snapshot with this id.
        ValueError: its id or time cannot stand in a name.
    """
    name = SnapshotName(
        scope=catalog.scope,
        instance=manifest.instance.id,
        time=names.parse_time(manifest.time),
        id=uuid.UUID(manifest.id).hex,
    )
    content = json.dumps(manifest.to_json(), separators=(",", ":"), ensure_ascii=False).encode()
    sealed = seal_object(SNAPSHOT, catalog.keys, content)
    catalog.store.put(name.key, sealed, create=True)
    catalog.cache.keep_manifest(catalog.scope, name.key.rsplit("/", 1)[-1], sealed)
    return Snapshot(name, manifest)


def delete_manifest(catalog: Catalog, snapshot: Snapshot) -> None:
    """Take back a snapshot that turned out to lack content.

    Raises:
        StoreForbidden: the key may not delete; the snapshot stays, and a check names it.
    """
    for refusal in catalog.store.delete([snapshot.name.key]):
        raise refusal.error


def delete_snapshots(store: ObjectStore, cache: Cache, snapshots: Iterable[Snapshot]) -> list[Refusal]:
    """Delete manifests; what they alone used goes with the next prunes. What was refused comes back."""
    doomed = list(snapshots)
    refused = store.delete(snapshot.name.key for snapshot in doomed)
    for snapshot in doomed:
        cache.drop_manifests(snapshot.name.scope, frozenset({snapshot.name.key.rsplit("/", 1)[-1]}))
    return refused


def list_names(store: ObjectStore, *, scope: str | None = None, instance: str | None = None) -> list[SnapshotName]:
    """The names of all manifests, the oldest first.

    Args:
        store: the repository's.
        scope: None is all.
        instance: id; None is all.
    """
    prefix = names.SNAPSHOTS if scope is None else names.snapshots(scope) + (f"{instance}/" if instance else "")
    found = (names.parse_snapshot(info.key) for info in store.list_below(prefix))
    wanted = [name for name in found if name is not None and instance in (None, name.instance)]
    return sorted(wanted, key=lambda name: (name.time, name.id))


def read_snapshot(store: ObjectStore, keys: Keys, cache: Cache, name: SnapshotName) -> Snapshot:
    """One manifest, from the cache where it is there.

    Raises:
        ObjectDamaged: it is not what was written, or stands under another's name.
        FormatUnknown: it is of a later version.
        ObjectMissing: it is gone.
    """
    last = name.key.rsplit("/", 1)[-1]
    sealed = cache.manifest(name.scope, last)
    if sealed is None:
        sealed = store.get(name.key)
    content = open_object(SNAPSHOT, keys, sealed, name.key)
    try:
        raw = json.loads(content)
        if raw.get("format") != FORMAT:
            raise FormatUnknown(f"{name.key} is of format {raw.get('format')!r}, this program knows {FORMAT}.")
        manifest = SnapshotManifest.from_json(raw)
        same = uuid.UUID(manifest.id).hex == name.id and manifest.instance.id == name.instance
        same = same and names.parse_time(manifest.time) == name.time
    except (ValueError, AttributeError, InvalidDocument) as error:
        raise ObjectDamaged(f"{name.key} is no manifest.", details=str(error)) from error
    if not same:
        raise ObjectDamaged(f"{name.key} holds another snapshot's manifest.")
    cache.keep_manifest(name.scope, last, sealed)
    return Snapshot(name, manifest)


def read_snapshots(
    store: ObjectStore, keys: Keys, cache: Cache, wanted: Sequence[SnapshotName]
) -> tuple[list[Snapshot], list[DamagedObject]]:
    """Manifests, and those that cannot be read. One that was deleted meanwhile is in neither."""
    good: list[Snapshot] = []
    damaged: list[DamagedObject] = []
    for name in wanted:
        try:
            good.append(read_snapshot(store, keys, cache, name))
        except ObjectMissing:
            continue
        except (ObjectDamaged, FormatUnknown) as error:
            damaged.append(DamagedObject(name.key, error.brief))
    return good, damaged


def find_snapshot(
    snapshots: Sequence[Snapshot],
    wanted: str,
    *,
    instance: str | None = None,
    namespace: str | None = None,
    tag: str | None = None,
    before: datetime | None = None,
) -> Snapshot:
    """The snapshot that a person means.

    Args:
        snapshots: to choose from.
        wanted: first digits of an id, or `latest`.
        instance: name or id of an instance.
        namespace: of the instance.
        tag: that it has.
        before: not later than this.

    Raises:
        SnapshotMissing: none matches.
        SnapshotAmbiguous: several ids begin so, or `latest` could be of several instances.
    """
    fits = [
        snapshot
        for snapshot in snapshots
        if (instance is None or instance in (snapshot.manifest.instance.name, snapshot.manifest.instance.id))
        and (namespace is None or namespace == snapshot.manifest.instance.namespace)
        and (tag is None or tag in snapshot.manifest.tags)
        and (before is None or snapshot.name.time <= before)
    ]
    if wanted != LATEST:
        digits = wanted.lower().replace("-", "")
        fits = [snapshot for snapshot in fits if digits and snapshot.id.startswith(digits)]
        if len(fits) > 1:
            raise SnapshotAmbiguous(f"{len(fits)} snapshots begin with {wanted}.", details=_names(fits))
    if not fits:
        raise SnapshotMissing(f"No snapshot matches {wanted}" + (f" of {instance}." if instance else "."))
    if len({snapshot.name.instance for snapshot in fits}) > 1:
        raise SnapshotAmbiguous("The latest snapshot of which instance?", details=_names(fits))
    return max(fits, key=lambda snapshot: (snapshot.name.time, snapshot.id))


def _names(snapshots: Iterable[Snapshot]) -> str:
    return "\n".join(
        f"{item.id[:8]} {item.manifest.time} {item.manifest.instance.namespace}/{item.manifest.instance.name}"
        for item in snapshots
    )
