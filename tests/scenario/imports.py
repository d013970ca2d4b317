# SPDX-License-Identifier: Apache-2.0
"""Archives that people bring to the simulated machine, and what the tasks of an import do with them."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mooring.domain.task import TaskSpec
from mooring.domain.work.import_errors import ArchiveUnfit, ArchiveUnreadable, LoadInterrupted
from mooring.domain.work.imports import (
    ArchiveReceive,
    ArchiveReceived,
    DatabaseCreate,
    DatabaseCreated,
    DatabaseLoad,
    DatabaseLoaded,
    FilestoreLoad,
    FilestoreLoaded,
)
from mooring.domain.work.mark import DataMark, decide_fence
from mooring.domain.work.names import beside
from tests.scenario.data import Database, Files, Postgres

CODE = "sha256:" + hashlib.sha256(b"odoo:14.0").hexdigest()
ROWS = ("mark:archived", "archived-0")
ARCHIVES: Mapping[str, Database] = {
    f"/srv/{name}.zip": Database(
        "elsewhere", code=CODE, series=series, modules={"base": "installed"}, rows=list(ROWS), alive=True,
        uuid="of the archive",
    )
    for name, series in (("shop", "14.0"), ("older", "13.0"))
}  # fmt: skip
_HALF = "half of the archive"


def begin(server: Postgres | None, files: Files, kind: str, value: Any) -> None:
    """What a task of an import that is killed leaves."""
    operation = value["fence"]["operation"]
    if kind == ArchiveReceive.TASK and ("half", operation) not in files.copies:
        files.copies["half", operation] = [_HALF]
    if kind == DatabaseLoad.TASK and server is not None:
        found = server.databases.get(beside(value["instance"], role="building", operation=operation))
        if found is not None and found.mark is not None and not found.mark.at:
            found.size_bytes -= 1  # something is in it


def receive(files: Files, task: TaskSpec, document: ArchiveReceive) -> ArchiveReceived:
    """`archive-receive`."""
    files.fence(document.instance, document.fence, document.TASK)
    archive = ARCHIVES.get(task.uploads[0].source)
    if archive is None:
        raise ArchiveUnreadable("It is no archive.")
    if archive.series != document.series:
        raise ArchiveUnfit(f"The archive is of Odoo {archive.series}.")
    files.copies["half", document.fence.operation] = [task.uploads[0].source]
    count = len(archive.rows)
    return ArchiveReceived("odoo-zip", "plain", archive.series, 15, 1, count, count, 0, True, 0, ())


def create(server: Postgres, document: DatabaseCreate) -> DatabaseCreated:
    """`database-create`."""
    name = beside(document.instance, role="building", operation=document.fence.operation)
    current, left = server.databases.get(document.database), server.databases.get(name)
    before = current.mark if current is not None else left.mark if left is not None else None
    operation, steps = decide_fence(before, document.fence, document.TASK)
    if current is not None and current.mark is not None:
        current.mark = replace(current.mark, operation=operation, steps=steps)
    if left is not None and left.mark is not None and left.mark.at:
        return DatabaseCreated(name, kept=True)
    mark = DataMark(document.instance, "building", document.fence.operation)
    server.databases[name] = Database(document.owner, mark)
    return DatabaseCreated(name, kept=False)


def load(server: Postgres, files: Files, document: DatabaseLoad) -> DatabaseLoaded:
    """`database-load`; one that was begun before and not ended is not whole."""
    operation = document.fence.operation
    files.fence(document.instance, document.fence, document.TASK)
    name = beside(document.instance, role="building", operation=operation)
    found = server.own(name, document.instance, "building")
    assert found.mark is not None
    if found.mark.at:
        return DatabaseLoaded(name, True, 0, 0, 0, 0, 1, 1)
    (source,) = files.copies["half", operation]
    if found.size_bytes < Database("").size_bytes - 1:
        raise LoadInterrupted("It was loaded in part.")
    made = copy.deepcopy(ARCHIVES[source])
    made.owner, made.mark = found.owner, replace(found.mark, at="now")
    server.databases[name] = made
    return DatabaseLoaded(name, False, 9, 1, len(made.rows), 0, 1, 1)


def load_files(server: Postgres, files: Files, document: FilestoreLoad) -> FilestoreLoaded:
    """`filestore-load`."""
    operation = document.fence.operation
    files.fence(document.instance, document.fence, document.TASK)
    built = server.own(beside(document.instance, role="building", operation=operation), document.instance, "building")
    kept = ("building", operation) in files.copies
    if not kept:
        (source,) = files.copies["half", operation]
        files.copies["building", operation] = list(ARCHIVES[source].rows)
    files.copies.pop(("half", operation), None)
    return FilestoreLoaded("filestore/building", kept, len(built.rows), 0, ())
