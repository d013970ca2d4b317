# SPDX-License-Identifier: Apache-2.0
"""Backup and restore as the engine really does them, on a little repository: `tests/scenario/data.py` goes on here.

A snapshot is of one moment, and frozen. What is built has its name from its first moment and is whole only with a time in its
mark; a whole one of the same operation is kept. Both swaps can be run again, and lead back.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from mooring.domain.repository.manifest import ModuleVersion, SnapshotSizes
from mooring.domain.work.backup import Backup, BackupResult
from mooring.domain.work.backup_errors import NothingBuilt, RestoreIncomplete, SnapshotUnfit
from mooring.domain.work.copy_errors import ModeNotSaid, SeriesUnfit
from mooring.domain.work.errors import DatabaseForeign
from mooring.domain.work.mark import DataMark, decide_fence
from mooring.domain.work.names import beside
from mooring.domain.work.repository_work import PruneResult, RepositoryFacts
from mooring.domain.work.restore import (
    DatabaseRestore,
    DatabaseRestoreResult,
    DatabaseSwap,
    DatabaseSwapResult,
    FilestoreRestore,
    FilestoreRestoreResult,
    FilestoreSwap,
    FilestoreSwapResult,
    SnapshotChoice,
)
from mooring.domain.work.verify import SnapshotVerify, SnapshotVerifyResult
from mooring.domain.work.verify_errors import SnapshotDamaged
from mooring.engine.repository.errors import SnapshotMissing
from tests.scenario.building import fence_database
from tests.scenario.data import Database, Files, Postgres

NO_SIZES = SnapshotSizes(0, 0, 0, 0, 0, 0)


@dataclass
class Snapshot:
    """One moment of an instance; never changed. None for the part that was left out."""

    id: str
    time: str
    instance: str
    namespace: str
    tags: tuple[str, ...]
    database: Database | None
    files: list[str] | None
    name: str = ""


@dataclass
class Repository:
    """Where snapshots are, outside any volume."""

    made: bool = False
    snapshots: list[Snapshot] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)

    def init(self) -> RepositoryFacts:
        """`repository-init`."""
        created, self.made = not self.made, True
        return RepositoryFacts("sim", created, 1, False, True, 0)

    def find(self, choice: SnapshotChoice) -> Snapshot:
        """The snapshot that is meant.

        Raises:
            SnapshotMissing: there is none.
        """
        own = [one for one in self.snapshots if choice.instance in (one.instance, one.name)]
        if choice.snapshot != "latest":
            own = [one for one in own if one.id.startswith(choice.snapshot)]
        if not own:
            raise SnapshotMissing(f"There is no snapshot {choice.snapshot} of {choice.instance}.")
        return own[-1]

    def verify(self, task: SnapshotVerify) -> SnapshotVerifyResult:
        """`snapshot-verify`.

        Raises:
            SnapshotDamaged: a snapshot that a test damaged.
        """
        found = self.find(task.source)
        if found.id in self.damaged:
            raise SnapshotDamaged(f"The snapshot {found.id} is not sound.", details="packs/00: is not what was written")
        files = len(found.files or ())
        return SnapshotVerifyResult(found.id, found.time, "Complete", files, 1, 17, int(task.read_percent > 0), 1, 1)

    def prune(self) -> PruneResult:
        """`repository-prune`, with rules that keep everything."""
        return PruneResult((), 0, 0, ())


def back_up(repository: Repository, server: Postgres, files: Files, task: Backup, *, now: str) -> BackupResult:
    """`backup`. The first one makes the repository."""
    found = server.own(task.database, task.instance.id, "current")
    repository.made = True
    database = copy.deepcopy(found) if task.with_database else None
    kept: list[str] | None = None
    if task.with_filestore:
        files.fence(task.instance.id, task.fence, task.TASK)
        kept = [one for one in files.current or [] if one in found.rows]
    snapshot = f"{len(repository.snapshots) + 1:032x}"
    whose = task.instance
    made = Snapshot(snapshot, now, whose.id, whose.namespace, task.tags, database, kept, whose.name)
    repository.snapshots.append(made)
    return BackupResult(snapshot, now, "Complete", NO_SIZES, 1, "directory", 1, len(kept or ()), 0, 0, found.external)


def restore_database(server: Postgres, repository: Repository, task: DatabaseRestore) -> DatabaseRestoreResult:
    """`database-restore`."""
    name, kept = fence_database(server, task)
    snapshot = repository.find(task.source)
    if snapshot.database is None:
        raise SnapshotUnfit(f"The snapshot {snapshot.id} holds no database.")
    if task.refuse_own and snapshot.instance == task.instance:
        raise ModeNotSaid(f"The snapshot {snapshot.id} is of this very instance.")
    if task.series not in (None, snapshot.database.series):
        raise SeriesUnfit(f"The snapshot {snapshot.id} is of Odoo {snapshot.database.series}.")
    if not kept:
        made = copy.deepcopy(snapshot.database)
        made.owner = task.owner
        made.neutral = made.neutral and snapshot.instance == task.instance
        made.mark = DataMark(task.instance, "building", task.fence.operation, at="now")
        server.databases[name] = made
    modules = tuple(ModuleVersion(key, "1.0") for key in sorted(snapshot.database.modules))
    rows = len(snapshot.database.rows)
    made_by = snapshot.database.code
    return DatabaseRestoreResult(
        name,
        kept,
        snapshot.id,
        snapshot.instance,
        snapshot.database.series,
        modules,
        1,
        rows,
        (),
        "C.UTF-8",
        1,
        1,
        select="named" if task.release in (None, made_by) else "changed",
    )


def restore_files(
    server: Postgres, files: Files, repository: Repository, task: FilestoreRestore
) -> FilestoreRestoreResult:
    """`filestore-restore`: whole at once, under its name, when every file that the built database names is there."""
    operation = task.fence.operation
    files.fence(task.instance, task.fence, task.TASK)
    snapshot = repository.find(task.source)
    if snapshot.files is None:
        raise SnapshotUnfit(f"The snapshot {snapshot.id} holds no filestore.")
    kept = ("building", operation) in files.copies
    if not kept:
        if task.connection is not None:
            built = server.own(beside(task.instance, role="building", operation=operation), task.instance, "building")
            lacking = set(built.rows) - set(snapshot.files)
            if lacking:
                raise RestoreIncomplete(f"The database names {len(lacking)} files that the snapshot does not have.")
        files.copies["building", operation] = list(snapshot.files)
    files.copies.pop(("half", operation), None)
    return FilestoreRestoreResult("filestore/building", kept, snapshot.id, len(snapshot.files), 0, 0, 0, (), 1)


def swap_databases(server: Postgres, task: DatabaseSwap) -> DatabaseSwapResult:
    """`database-swap`."""
    operation = task.fence.operation
    current = server.databases.get(task.database)
    mark = DataMark(task.instance, "current")
    if current is not None:
        mark = server.own(task.database, task.instance, "current").mark or mark
    _, steps = decide_fence(mark, task.fence, task.TASK)
    name = beside(task.instance, role=task.take, operation=task.replaced_by or operation)
    role, of = task.back_as or "previous", task.back_of or operation
    previous = beside(task.instance, role=role, operation=of)
    there = previous if previous in server.databases else None
    if name not in server.databases:
        if mark.returned == operation:
            return DatabaseSwapResult(task.database, False, there)
        if task.back_as is not None and mark.returned != task.replaced_by:
            return DatabaseSwapResult(task.database, False, None)
        raise NothingBuilt(f"There is no {task.take} database {name} of {task.database}.")
    incoming = server.own(name, task.instance, task.take)
    assert incoming.mark is not None
    if not incoming.mark.at:
        raise NothingBuilt(f"The database {name} was not restored to its end.")
    if there is not None:
        raise DatabaseForeign(f"There is a {role} database of this operation already: {previous}.")
    if current is not None:
        current.mark, current.open = DataMark(task.instance, role, of, at="now"), False
        server.databases[previous] = current
    del server.databases[name]
    incoming.mark = DataMark(task.instance, "current", operation, steps, at="now", returned=operation)
    incoming.open = True
    server.databases[task.database] = incoming
    return DatabaseSwapResult(task.database, True, previous if current is not None else None)


def swap_files(files: Files, task: FilestoreSwap) -> FilestoreSwapResult:
    """`filestore-swap`."""
    operation = task.fence.operation
    files.fence(task.instance, task.fence, task.TASK)
    incoming = files.copies.pop((task.take, task.replaced_by or operation), None)
    previous = (task.back_as or "previous", task.back_of or operation)
    swapped = incoming is not None
    if incoming is None and task.back_as is not None:
        swapped = files.returned == task.replaced_by
    elif incoming is None and files.returned != operation:
        raise NothingBuilt(f"There is no {task.take} filestore of {task.database} for this operation.")
    if swapped:
        if files.current is not None:
            files.copies[previous] = files.current
        files.current, files.returned = incoming, operation
    return FilestoreSwapResult(swapped, "previous" if previous in files.copies else None)
