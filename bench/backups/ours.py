# SPDX-License-Identifier: Apache-2.0
"""Mooring's side: the documents of its tasks, as operations write them."""

from __future__ import annotations

import json
from dataclasses import replace

from bench.backups.box import ACCESS, BUCKET, SECRET, Box, endpoint
from bench.backups.dataset import DATABASE, INSTANCE, OWNER, connection
from bench.commands import Run
from mooring.domain.repository.manifest import SnapshotInstance, SnapshotRelease
from mooring.domain.work.backup import Backup
from mooring.domain.work.codec import Document
from mooring.domain.work.common import Fence
from mooring.domain.work.names import beside
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.repository_work import RepositoryInit
from mooring.domain.work.restore import DatabaseRestore, FilestoreRestore, SnapshotChoice


class Ours:
    """One encrypted repository of one instance.

    Args:
        prefix: where it is in the bucket.
    """

    def __init__(self, box: Box, prefix: str) -> None:
        self.box, self.prefix = box, prefix
        box.write("credentials/accessKeyId", ACCESS)
        box.write("credentials/secretAccessKey", SECRET)
        self.settings = RepositorySettings(
            f"s3://{BUCKET}/{prefix}",
            endpoint=endpoint(box),
            credentials_dir=box.path("credentials"),
            passphrase_file=box.path("password"),
            cache_dir=box.path(f"{prefix}-cache"),
        )
        self._number = 0

    def through(self, url: str) -> None:
        """Reach the store by another address from here on."""
        self.settings = replace(self.settings, endpoint=url)

    def init(self) -> None:
        """Make the repository."""
        self.task(RepositoryInit(self.settings))

    def backup(self) -> Run:
        """Back the instance up."""
        return self.task(
            Backup(
                connection(self.box, OWNER),
                self._fence(),
                SnapshotInstance(INSTANCE, "default", "shop", "Production"),
                SnapshotRelease("14.0", image="odoo:14.0"),
                "14.0",
                DATABASE,
                self.settings,
                self.box.path(f"{self.prefix}-scratch"),
                data_dir=self.box.path("data"),
            )
        )

    def restore(self) -> tuple[Run, Run]:
        """Build the newest snapshot beside: its database, its files."""
        fence, source = self._fence(), SnapshotChoice(INSTANCE, "default", "latest")
        database = DatabaseRestore(
            connection(self.box, "admin"),
            fence,
            INSTANCE,
            DATABASE,
            OWNER,
            self.box.path("password"),
            self.settings,
            source,
            self.box.path(f"{self.prefix}-scratch"),
        )
        files = FilestoreRestore(
            fence, INSTANCE, self.box.path("empty"), DATABASE, self.settings, source, connection(self.box, OWNER)
        )
        return self.task(database), self.task(files)

    def forget(self) -> None:
        """Remove what `restore` built, and the operation's lock of the next one with it."""
        built = beside(INSTANCE, role="building", operation=f"bench-{self._number}")
        self.box.query(f'DROP DATABASE IF EXISTS "{built}"')
        self.box.shell("rm -rf /bench/empty; mkdir /bench/empty")

    def task(self, document: Document) -> Run:
        """Run one task."""
        path = self.box.write(f"{self.prefix}-{document.TASK}.json", json.dumps(document.to_json()))
        return self.box.run("mooring", "task", document.TASK, "--document", path)

    def _fence(self) -> Fence:
        self._number += 1
        return Fence(f"bench-{self._number}", 1)
