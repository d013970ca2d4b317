# SPDX-License-Identifier: Apache-2.0
"""An instance to back up and restore: a real database, a filestore, and a repository in a folder or an object store."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mooring.domain.repository.manifest import SnapshotInstance, SnapshotManifest, SnapshotRelease, StreamRef
from mooring.domain.work.backup import Backup
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.database import DatabaseProvision
from mooring.domain.work.names import beside
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.restore import (
    DatabaseRestore,
    DatabaseSwap,
    FilestoreRestore,
    FilestoreSwap,
    SnapshotChoice,
)
from mooring.engine.backup.store import open_restore_store
from mooring.engine.repository.errors import RepositoryMissing
from mooring.engine.repository.opened import open_settings
from tests.support.engine_server import Server, done
from tests.support.odoo_like import add_files, fill_database

PASSWORD = "owner: se\\cret"


@dataclass
class World:
    """One instance; `name` is its database, its role and its instance's name.

    Attributes:
        repository: where its backups go; None is a folder of its own.
    """

    server: Server
    home: Path
    name: str
    instance: str
    repository: RepositorySettings | None = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def filestore(self) -> Path:
        return self.data / "filestore" / self.name

    @property
    def settings(self) -> RepositorySettings:
        return self.repository or RepositorySettings(f"file://{self.home}/repository")

    @property
    def building(self) -> str:
        return beside(self.instance, role="building", operation="op-r")

    def manifests(self) -> list[SnapshotManifest]:
        """All snapshots, the oldest first."""
        try:
            good, damaged = open_settings(self.settings).snapshots(instance=self.instance)
        except RepositoryMissing:
            return []
        assert not damaged
        return [one.manifest for one in good]

    def manifest(self) -> SnapshotManifest:
        """The newest."""
        return self.manifests()[-1]

    def content(self, ref: StreamRef) -> bytes:
        """What the repository has there."""
        with open_restore_store(self.settings, SnapshotChoice(self.instance, "default", "latest")) as store:
            return b"".join(store.read(ref))

    def owner(self, **changes: Any) -> Connection:
        return self.server.connection(self.name, PASSWORD, **changes)

    def backup(self, **changes: Any) -> Backup:
        given: dict[str, Any] = {
            "connection": self.owner(),
            "fence": Fence("op-b", 1, wait_s=5),
            "instance": SnapshotInstance(self.instance, "default", self.name, "Production"),
            "release": SnapshotRelease("14.0", image="odoo:14.0"),
            "series": "14.0",
            "database": self.name,
            "repository": self.settings,
            "scratch": str(self.home / "scratch"),
            "data_dir": str(self.data),
        }
        return Backup(**{**given, **changes})

    def restore(self, **changes: Any) -> DatabaseRestore:
        given: dict[str, Any] = {
            "connection": self.server.connection(),
            "fence": Fence("op-r", 1, wait_s=5),
            "instance": self.instance,
            "database": self.name,
            "owner": self.name,
            "owner_password_file": self.server.secret(PASSWORD),
            "repository": self.settings,
            "source": SnapshotChoice(self.instance, "default", "latest"),
            "scratch": str(self.home / "scratch"),
        }
        return DatabaseRestore(**{**given, **changes})

    def restore_files(self, **changes: Any) -> FilestoreRestore:
        given: dict[str, Any] = {
            "fence": Fence("op-r", 1, wait_s=5),
            "instance": self.instance,
            "data_dir": str(self.data),
            "database": self.name,
            "repository": self.settings,
            "source": SnapshotChoice(self.instance, "default", "latest"),
            "connection": self.owner(),
        }
        return FilestoreRestore(**{**given, **changes})

    def swap(self, **changes: Any) -> DatabaseSwap:
        given: dict[str, Any] = {"fence": Fence("op-r", 1, wait_s=5), **changes}
        return DatabaseSwap(connection=self.server.connection(), instance=self.instance, database=self.name, **given)

    def swap_files(self, **changes: Any) -> FilestoreSwap:
        given: dict[str, Any] = {"fence": Fence("op-r", 1, wait_s=5), **changes}
        return FilestoreSwap(instance=self.instance, data_dir=str(self.data), database=self.name, **given)


def make_world(server: Server, home: Path, *, big_mb: int = 0, files: int = 20, fill: bool = True) -> World:
    """Provision the database, fill it, and lay the files."""
    name = f"shop_{uuid.uuid4().hex[:8]}"
    world = World(server, home, name, str(uuid.uuid4()))
    done(DatabaseProvision(server.connection(), Fence("op-p", 1), world.instance, name, name, server.secret(PASSWORD)))
    world.filestore.mkdir(parents=True)
    if fill:
        fill_database(server, name, name, password=PASSWORD, big_mb=big_mb)
        add_files(server, name, world.filestore, [f"file {number}".encode() * (number + 1) for number in range(files)])
    return world
