# SPDX-License-Identifier: Apache-2.0
"""What a backup and a restore need of a repository besides streams: snapshots of instances. Implemented by the repository."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from mooring.domain.repository.manifest import SnapshotInstance, SnapshotManifest, SnapshotSizes, StreamRef
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.restore import SnapshotChoice
from mooring.engine.repository import opened
from mooring.engine.repository.ports import ManyReader, StreamReader, StreamWriter


class BackupStore(StreamWriter, StreamReader, Protocol):
    """A repository opened to add a snapshot of one instance."""

    def latest(self) -> SnapshotManifest | None:
        """The instance's newest snapshot that holds a filestore; None for none, or where it cannot be read."""
        ...

    def keep(self, ref: StreamRef) -> bool:
        """Use content of the latest snapshot again without reading it; False where the repository has it no more."""
        ...

    def commit(self, render: Callable[[SnapshotSizes], SnapshotManifest]) -> str:
        """Make everything that was written durable, then write the manifest, last; its id.

        Args:
            render: makes the manifest from what was moved.
        """
        ...


class RestoreStore(ManyReader, Protocol):
    """A repository opened to read one snapshot."""

    @property
    def manifest(self) -> SnapshotManifest:
        """The snapshot's."""
        ...


def open_backup_store(settings: RepositorySettings, instance: SnapshotInstance) -> AbstractContextManager[BackupStore]:
    """The repository, opened to add a snapshot of this instance."""
    return opened.open_backup_store(settings, instance)


def open_restore_store(settings: RepositorySettings, choice: SnapshotChoice) -> AbstractContextManager[RestoreStore]:
    """The repository, opened to read this snapshot."""
    return opened.open_restore_store(settings, choice)
