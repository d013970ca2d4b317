# SPDX-License-Identifier: Apache-2.0
"""How every task begins that builds data beside an instance's own, as the engine really does it.

What is built has its name from its first moment and is whole only with a time in its mark; a whole one of the same operation
is kept. Called by the copies and the restores of the simulated machine.
"""

from __future__ import annotations

from dataclasses import replace

from mooring.domain.work.live_copy import DatabaseCopy, FilestoreCopy
from mooring.domain.work.mark import DataMark, decide_fence
from mooring.domain.work.names import beside
from mooring.domain.work.restore import DatabaseRestore, FilestoreRestore
from tests.scenario.data import Database, Files, Postgres


def begin_database(server: Postgres, task: DatabaseRestore | DatabaseCopy) -> None:
    """What one that is killed leaves: a database with the role, and no time in its mark."""
    name = beside(task.instance, role="building", operation=task.fence.operation)
    found = server.databases.get(name)
    if found is None or found.mark is None or not found.mark.at:
        server.databases[name] = Database(task.owner, DataMark(task.instance, "building", task.fence.operation))


def begin_files(files: Files, task: FilestoreRestore | FilestoreCopy) -> None:
    """What one that is killed leaves."""
    files.copies.setdefault(("half", task.fence.operation), ["half of the files"])


def fence_database(server: Postgres, task: DatabaseRestore | DatabaseCopy) -> tuple[str, bool]:
    """See that no later attempt was here; the name of what is built, and whether a whole one is there."""
    name = beside(task.instance, role="building", operation=task.fence.operation)
    current, left = server.databases.get(task.database), server.databases.get(name)
    if current is not None:
        mark = server.own(task.database, task.instance, "current").mark
        assert mark is not None
        operation, steps = decide_fence(mark, task.fence, task.TASK)
        current.mark = replace(mark, operation=operation, steps=steps)
    else:
        decide_fence(left.mark if left else None, task.fence, task.TASK)
    return name, left is not None and left.mark is not None and bool(left.mark.at)
