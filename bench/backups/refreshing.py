# SPDX-License-Identifier: Apache-2.0
"""The part "refresh": a staging copy straight from the running instance, beside the same by a backup and its restore."""

from __future__ import annotations

import json
from collections.abc import Callable

from bench.backups.box import Box
from bench.backups.dataset import DATABASE, INSTANCE, OWNER, connection
from bench.backups.ours import Ours
from bench.commands import Run, RunFailed
from bench.figures import Figure, Part, ratios
from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseProvision
from mooring.domain.work.live_copy import DatabaseCopy, FilestoreCopy, LiveSource
from mooring.domain.work.restore import DatabaseSwap, FilestoreSwap

STAGING, STAGING_INSTANCE = "staging", "b1" * 10
REFRESH, SECOND_FILES = 1 / 2.5, 1 / 10
BACKUP = ("backup", "restored database", "restored files")
COPY = ("copied database", "copied files")
AGAIN = "copied files, second refresh"


class Staging:
    """A staging instance of its own on the same server: the documents of its tasks, as operations write them."""

    def __init__(self, box: Box, ours: Ours) -> None:
        """Touches nothing. Args: ours: runs the tasks."""
        self.box, self.ours = box, ours
        self.number = 0

    def provision(self) -> None:
        """Its role, its empty database, its empty volume."""
        (self.box.folder / STAGING).mkdir()
        self.ours.task(
            DatabaseProvision(
                connection(self.box, "admin"),
                self._fence(),
                STAGING_INSTANCE,
                STAGING,
                STAGING,
                self.box.path("password"),
            )
        )

    def copy_database(self) -> Run:
        """The first half of a refresh; the next of its number."""
        self.number += 1
        source = LiveSource(INSTANCE, DATABASE, connection(self.box, OWNER))
        return self.ours.task(
            DatabaseCopy(
                connection(self.box, "admin"),
                self._fence(),
                STAGING_INSTANCE,
                STAGING,
                STAGING,
                self.box.path("password"),
                source,
                self.box.path("staging-scratch"),
                series="14.0",
            )
        )

    def copy_files(self) -> Run:
        """The second half: the files that the copied database names."""
        return self.ours.task(
            FilestoreCopy(
                self._fence(),
                STAGING_INSTANCE,
                self.box.path(STAGING),
                STAGING,
                connection(self.box, STAGING),
                self.box.path(f"data/filestore/{DATABASE}"),
            )
        )

    def swap(self) -> None:
        """What was copied becomes what the instance has."""
        fence = self._fence()
        admin = connection(self.box, "admin")
        self.ours.task(DatabaseSwap(fence=fence, instance=STAGING_INSTANCE, database=STAGING, connection=admin))
        data = self.box.path(STAGING)
        self.ours.task(FilestoreSwap(fence=fence, instance=STAGING_INSTANCE, database=STAGING, data_dir=data))

    def remove(self) -> None:
        """Everything of it, for the next turn begins with nothing."""
        self.box.shell(f"rm -rf {self.box.path(STAGING)} {self.box.path('staging-scratch')}")
        owned = self.box.query(f"SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = '{STAGING}'")
        for name in owned.splitlines():
            self.box.query(f'DROP DATABASE "{name}" WITH (FORCE)')
        self.box.query(f'DROP ROLE IF EXISTS "{STAGING}"')

    def _fence(self) -> Fence:
        return Fence(f"refresh-{self.number}", 1)


def refresh(box: Box, *, repeats: int) -> Part:
    """Backup and restore, then two refreshes one after the other; as many turns as asked for."""
    runs: dict[str, list[Run]] = {}
    failed: list[str] = []
    for number in range(repeats):
        print(f"  turn {number + 1} of {repeats}", flush=True)
        turn: dict[str, Run] = {}
        try:
            _turn(box, number, turn)
        except RunFailed as fault:
            failed.append(str(fault))
            continue
        for name, run in turn.items():
            runs.setdefault(name, []).append(run)

    def wall(*names: str) -> tuple[float, ...]:
        return tuple(
            sum(row) for row in zip(*([one.wall_s for one in runs.get(name, ())] for name in names), strict=True)
        )

    return Part(
        "Refresh of staging",
        "The tasks of `mooring refresh` that bring database and files of a running instance over, and our own backup and "
        "restore of the same instance in the same turn, each into an empty place on the same server and disk: the data of "
        "the part before. The repository is on the S3 server of this machine. Then a second refresh, whose files are those "
        "of the first: nothing changed in between. Before each run the disk comes to rest.",
        (
            Figure(
                "refresh by backup plus restore", "ratio", ratios(wall(*COPY), wall(*BACKUP)), REFRESH, tuple(failed)
            ),
            Figure(
                "files of the second refresh by those of the first",
                "ratio",
                ratios(wall(AGAIN), wall("copied files")),
                SECOND_FILES,
            ),
            *(Figure(name, "s", wall(name)) for name in (*BACKUP, *COPY, AGAIN)),
        ),
    )


def _turn(box: Box, number: int, found: dict[str, Run]) -> None:
    ours = Ours(box, f"refresh-{number}")
    ours.init()
    staging = Staging(box, ours)

    def take(name: str, work: Callable[[], Run]) -> None:
        box.shell("sync")
        run = work()
        print(f"    {name}: {run.wall_s:.1f} s, processor {run.cpu_s:.1f} s{_told(run)}", flush=True)
        found[name] = run

    try:
        take("backup", ours.backup)
        ours.forget()
        box.shell("sync")
        for name, run in zip(BACKUP[1:], ours.restore(), strict=True):
            print(f"    {name}: {run.wall_s:.1f} s, processor {run.cpu_s:.1f} s", flush=True)
            found[name] = run
        ours.forget()
        staging.provision()
        take("copied database", staging.copy_database)
        take("copied files", staging.copy_files)
        staging.swap()
        staging.copy_database()
        take(AGAIN, staging.copy_files)
    finally:
        ours.forget()
        staging.remove()
        box.clear(ours.prefix)


def _told(run: Run) -> str:
    """What the task says that it linked and copied."""
    last = json.loads(run.out.splitlines()[-1])
    result = last.get("result") or {}
    if "copied" not in result:
        return ""
    return f"; {result['linked']} linked, {result['copied']} copied"
