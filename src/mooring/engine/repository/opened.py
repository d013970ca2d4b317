# SPDX-License-Identifier: Apache-2.0
"""A repository as tasks open it: from the settings in their document, with secrets from files. For backups, restores, commands.

`open_backup_store` and `open_restore_store` are what `engine.backup` and `engine.restore` take.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mooring.domain.repository import names
from mooring.domain.repository.endpoints import default_path_style
from mooring.domain.repository.manifest import SnapshotInstance, SnapshotManifest, SnapshotSizes, StreamRef
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.restore import SnapshotChoice
from mooring.drivers.files import file_errors
from mooring.drivers.heap import ensure_large_blocks_are_given_back
from mooring.drivers.objects.retry import RetryPolicy
from mooring.drivers.objects.settings import StoreSettings, open_store
from mooring.drivers.objects.store import ObjectStore
from mooring.engine.repository.config import Config
from mooring.engine.repository.errors import PassphraseMissing
from mooring.engine.repository.ports import Cut, Group, Piece
from mooring.engine.repository.reader import PackReader
from mooring.engine.repository.repository import Repository, open_repository
from mooring.engine.repository.session import WriteSession
from mooring.engine.repository.snapshots import Snapshot
from mooring.engine.repository.together import plan_together, read_together


def store_of(settings: RepositorySettings, *, retry: RetryPolicy | None = None) -> ObjectStore:
    """The store of the settings; nothing is sent. Args: retry: how long to insist; a preflight is less patient."""
    return open_store(
        StoreSettings(
            url=settings.url.replace("azure://", "az://", 1),
            endpoint=settings.endpoint,
            region=settings.region,
            path_style=default_path_style(endpoint=settings.endpoint, path_style=settings.path_style),
            ca_file=Path(settings.ca_file) if settings.ca_file else None,
            credentials=Path(settings.credentials_dir) if settings.credentials_dir else None,
            bandwidth=settings.bandwidth_bytes_s,
            retry=retry or RetryPolicy(),
        )
    )


def read_passphrase(settings: RepositorySettings) -> bytes | None:
    """The passphrase's bytes, without the line end; None for a repository without encryption.

    Raises:
        PassphraseMissing: the file is empty.
        NotWritable: it may not be read.
        FileFailed: it is not there.
    """
    if settings.passphrase_file is None:
        return None
    path = Path(settings.passphrase_file)
    with file_errors(path):
        value = path.read_bytes().rstrip(b"\r\n")
    if not value:
        raise PassphraseMissing("The passphrase of the repository is empty.")
    return value


def open_settings(settings: RepositorySettings, *, retry: RetryPolicy | None = None) -> Repository:
    """The repository of the settings; see `open_repository`."""
    ensure_large_blocks_are_given_back()
    store = store_of(settings, retry=retry)
    cache = Path(settings.cache_dir) if settings.cache_dir else None
    return open_repository(store, passphrase=read_passphrase(settings), cache=cache)


def may_prune(settings: RepositorySettings, config: Config) -> bool:
    """Whether this client is the one that prunes where the store cannot refuse a write: as named, else the maker."""
    if settings.prune_host:
        return settings.prune_host in (settings.machine, settings.client)
    return bool(settings.client) and settings.client == config.made_by


class OpenBackup:
    """A `BackupStore`: writes one snapshot of one instance, and reads earlier ones of its scope."""

    def __init__(self, repository: Repository, instance: SnapshotInstance, scope: str) -> None:
        """Use `open_backup_store`."""
        self._repository = repository
        self._instance = instance
        self._scope = scope
        self._catalog = repository.catalog(scope)
        self._session = WriteSession(self._catalog, repository.config)
        self._reader = PackReader(self._catalog, refresh=False)

    def close(self) -> None:
        """Stop the threads."""
        self._session.close()
        self._reader.close()

    def write(self, pieces: Iterable[Piece], *, cut: Cut) -> StreamRef:
        """See `ports.StreamWriter.write`."""
        return self._session.write(pieces, cut=cut)

    def read(self, ref: StreamRef) -> Iterator[bytes]:
        """See `ports.StreamReader.read`; what this session has written is there after `commit`."""
        return self._reader.read(ref)

    def latest(self) -> SnapshotManifest | None:
        """The instance's newest snapshot that holds a filestore; what it names may be named again."""
        known, _ = self._repository.snapshots(scope=self._scope, instance=self._instance.id)
        found = next((item for item in reversed(known) if item.manifest.filestore is not None), None)
        if found is None:
            return None
        self._session.take_over(found)
        return found.manifest

    def keep(self, ref: StreamRef) -> bool:
        """See `WriteSession.keep`."""
        return self._session.keep(ref)

    def commit(self, render: Callable[[SnapshotSizes], SnapshotManifest]) -> str:
        """See `WriteSession.commit`; the snapshot's id."""
        return self._session.commit(render).id


class OpenRestore:
    """A `RestoreStore`: one snapshot, and its content."""

    def __init__(self, snapshot: Snapshot, reader: PackReader) -> None:
        """Use `open_restore_store`."""
        self.snapshot = snapshot
        self.reader = reader

    @property
    def manifest(self) -> SnapshotManifest:
        """The snapshot's."""
        return self.snapshot.manifest

    def read(self, ref: StreamRef) -> Iterator[bytes]:
        """See `ports.StreamReader.read`."""
        return self.reader.read(ref)

    def group(self, refs: Sequence[StreamRef], *, hashed: bool) -> tuple[list[Group], list[int]]:
        """See `ports.ManyReader.group`."""
        groups, alone = plan_together(self.reader, refs)
        return [partial(read_together, self.reader, one, refs, hashed=hashed) for one in groups], alone


@contextlib.contextmanager
def open_backup_store(settings: RepositorySettings, instance: SnapshotInstance) -> Iterator[OpenBackup]:
    """The repository, opened to add a snapshot of this instance; made where its place is empty."""
    from mooring.engine.repository.opening import ensure_opened  # it opens what it made with the functions above

    repository, _ = ensure_opened(settings)
    scope = names.scope_of(settings.share, instance=instance.id, namespace=instance.namespace)
    opened = OpenBackup(repository, instance, scope)
    try:
        yield opened
    finally:
        opened.close()


@contextlib.contextmanager
def open_restore_store(settings: RepositorySettings, choice: SnapshotChoice) -> Iterator[OpenRestore]:
    """The repository, opened to read this snapshot.

    Raises:
        SnapshotMissing: none matches.
        SnapshotAmbiguous: several do.
    """
    repository = open_settings(settings)
    # In whichever scope it is: who shares blobs may have been chosen anew since.
    snapshot = repository.find(choice.snapshot, instance=choice.instance)
    with repository.reader(snapshot.name.scope) as reader:
        yield OpenRestore(snapshot, reader)
