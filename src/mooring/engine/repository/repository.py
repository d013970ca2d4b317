# SPDX-License-Identifier: Apache-2.0
"""A repository that is open: what backups, restores and the commands of `mooring repository` begin with.

It holds the store, the keys and the cache, and hands out sessions and readers. Open it once a task.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mooring.domain.repository import names
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.cache import Cache
from mooring.engine.repository.catalog import Catalog, DamagedObject
from mooring.engine.repository.config import Config, open_keys, read_config
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.keys import Keys
from mooring.engine.repository.reader import PackReader
from mooring.engine.repository.session import WriteSession
from mooring.engine.repository.snapshots import Snapshot, find_snapshot, list_names, read_snapshots


class Repository:
    """An open repository."""

    def __init__(self, store: ObjectStore, config: Config, keys: Keys, *, cache: Path | None) -> None:
        """Use `open_repository`."""
        self.store = store
        self.config = config
        self.keys = keys
        self.cache = Cache(cache, config.id)

    def catalog(self, scope: str, *, fresh: bool = False) -> Catalog:
        """The table of a scope, loaded. Args: fresh: list what there is, whatever the cache says."""
        if not names.is_scope(scope):
            raise ValueError(f"{scope!r} is no scope")
        catalog = Catalog(self.store, self.keys, scope, cache=self.cache)
        catalog.load(fresh=fresh)
        return catalog

    def session(self, scope: str, *, workers: int | None = None) -> WriteSession:
        """Begin to write a snapshot into a scope (`names.scope_of`); a context manager."""
        return WriteSession(self.catalog(scope), self.config, workers=workers)

    @contextlib.contextmanager
    def reader(self, scope: str) -> Iterator[PackReader]:
        """Read content of a scope."""
        reader = PackReader(self.catalog(scope))
        try:
            yield reader
        finally:
            reader.close()

    def scopes(self) -> list[str]:
        """All scopes that hold anything; one listing of the whole repository."""
        found = {names.scope_in(info.key) for info in self.store.list_below(names.SCOPES)}
        return sorted(scope for scope in found if scope)

    def snapshots(
        self, *, scope: str | None = None, instance: str | None = None
    ) -> tuple[list[Snapshot], list[DamagedObject]]:
        """Snapshots, the oldest first, and the manifests that cannot be read.

        Args:
            scope: None is all.
            instance: id; None is all.
        """
        wanted = list_names(self.store, scope=scope, instance=instance)
        return read_snapshots(self.store, self.keys, self.cache, wanted)

    def find(
        self, wanted: str, *, scope: str | None = None, instance: str | None = None, tag: str | None = None
    ) -> Snapshot:
        """The snapshot that a person means: first digits of an id, or `latest`.

        Args:
            wanted: see `snapshots.find_snapshot`.
            scope: where to look; None is everywhere.
            instance: name or id.
            tag: that it has.

        Raises:
            SnapshotMissing: none matches.
            SnapshotAmbiguous: several do.
            ObjectDamaged: its manifest is not what was written.
        """
        good, damaged = self.snapshots(scope=scope)
        digits = wanted.lower().replace("-", "")
        for item in damaged:
            name = names.parse_snapshot(item.key)
            if name is not None and digits and name.id.startswith(digits):
                raise ObjectDamaged(item.reason)
        return find_snapshot(good, wanted, instance=instance, tag=tag)


def open_repository(store: ObjectStore, *, passphrase: bytes | None, cache: Path | None) -> Repository:
    """Open the repository at `store`.

    Args:
        store: where it is.
        passphrase: needed exactly where it is encrypted.
        cache: a folder for indexes and manifests, shared by all repositories; None keeps nothing.

    Raises:
        RepositoryMissing: there is none.
        PassphraseMissing: given where none is needed, or the other way round.
        PassphraseWrong: it opens no key.
        FormatUnknown: this program is too old.
        ObjectDamaged: `config` is not what was written.
    """
    config = read_config(store)
    keys, _ = open_keys(store, config, passphrase)
    return Repository(store, config, keys, cache=cache)
