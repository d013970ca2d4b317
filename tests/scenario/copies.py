# SPDX-License-Identifier: Apache-2.0
"""Copies of running instances as the engine really makes them: `tests/scenario/snapshots.py` goes on here.

A copy says what its source says of itself until it is neutralized; the machine fails whoever starts an Odoo on it before.
"""

from __future__ import annotations

import copy

from mooring.domain.repository.manifest import ModuleVersion
from mooring.domain.work.live_copy import DatabaseCopy, DatabaseCopyResult, FilesCopied, FilestoreCopy
from mooring.domain.work.live_copy_errors import SourceFilesUnreadable, SourceUnfit
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside
from tests.scenario.building import fence_database
from tests.scenario.data import Files, Postgres


def copy_database(server: Postgres, theirs: Postgres, task: DatabaseCopy) -> DatabaseCopyResult:
    """`database-copy`."""
    name, kept = fence_database(server, task)
    if not kept:
        source = theirs.own(task.source.database, task.source.instance, "current")
        if source.series != task.series:
            raise SourceUnfit(f"The source is of Odoo {source.series}, and the release is Odoo {task.series}.")
        made = copy.deepcopy(source)
        made.owner, made.open, made.neutral = task.owner, True, False
        made.mark = DataMark(task.instance, "building", task.fence.operation, at="now")
        server.databases[name] = made
    found = server.databases[name]
    modules = tuple(ModuleVersion(key, "1.0") for key in sorted(found.modules))
    return DatabaseCopyResult(
        name, kept, task.source.instance, found.series, modules, 1, len(found.rows), (), "C.UTF-8", 1, "folder", 1, 1
    )


def copy_source_files(server: Postgres, files: Files, theirs: Files | None, task: FilestoreCopy) -> FilesCopied:
    """`filestore-copy`: whole at once, under its name."""
    operation = task.fence.operation
    files.fence(task.instance, task.fence, task.TASK)
    built = server.own(beside(task.instance, role="building", operation=operation), task.instance, "building")
    kept = ("building", operation) in files.copies
    linked = [one for one in built.rows if one in (files.current or ())]
    copied = (
        [] if theirs is None else [one for one in built.rows if one not in linked and one in (theirs.current or ())]
    )
    if theirs is not None and theirs.current is None and built.rows:
        raise SourceFilesUnreadable("The source has no filestore.")
    if not kept:
        files.copies["building", operation] = [*linked, *copied]
    files.copies.pop(("half", operation), None)
    absent = len(built.rows) - len(linked) - len(copied)
    return FilesCopied("filestore/built", kept, len(built.rows), len(linked), len(copied), 0, 0, absent, (), (), 1)
