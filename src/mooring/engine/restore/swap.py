# SPDX-License-Identifier: Apache-2.0
"""The tasks `database-swap` and `filestore-swap`: what was restored becomes current, and what was current `previous`.

The database's two names and two comments change in one transaction. The filestore's two renames are told apart by what is
still where. Both can be run again after a kill at any point, and both lead back: `take: previous`. With `back_as` they undo:
what was put in place goes back to where it was taken from.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mooring.domain.work.backup_errors import NothingBuilt
from mooring.domain.work.errors import DatabaseForeign
from mooring.domain.work.mark import DataMark
from mooring.domain.work.names import beside
from mooring.domain.work.restore import DatabaseSwap, DatabaseSwapResult, FilestoreSwap, FilestoreSwapResult
from mooring.engine.back import swap_in
from mooring.engine.filestore import drop_folder, is_folder, swap_folders
from mooring.engine.marks import check_ours, locked_server, now, observe_current, observe_one
from mooring.engine.report import Reporter
from mooring.engine.tree import rename
from mooring.engine.volume import Volume, locked_volume, write_volume_mark


def ensure_database_swapped(document: DatabaseSwap, report: Reporter) -> DatabaseSwapResult:
    """The task `database-swap`. Safe to repeat.

    Raises:
        NothingBuilt: there is nothing whole to take, and this operation took nothing before.
        DatabaseForeign, StaleAttempt: nothing was changed.
        DatabaseInUse: the sessions could not be ended; nothing was changed.
    """
    operation = document.fence.operation
    with locked_server(
        document.connection, report, instance=document.instance, fence=document.fence, task=document.TASK
    ) as session:
        current, mark = observe_current(
            session, document.database, instance=document.instance, fence=document.fence, task=document.TASK
        )
        name = beside(document.instance, role=document.take, operation=document.replaced_by or operation)
        incoming = observe_one(session, name)
        role, of = document.back_as or "previous", document.back_of or operation
        previous = beside(document.instance, role=role, operation=of)
        there = observe_one(session, previous)
        if incoming is None and mark.returned == operation:
            return DatabaseSwapResult(document.database, swapped=False, previous=previous if there else None)
        if incoming is None and document.back_as is not None and mark.returned != document.replaced_by:
            return DatabaseSwapResult(document.database, swapped=False, previous=None)  # it replaced nothing
        if incoming is None:
            raise NothingBuilt(f"There is no {document.take} database {name} of {document.database}.")
        whole = check_ours(incoming, document.instance, role=document.take)
        if not whole.at:
            raise NothingBuilt(f"The database {name} was not restored to its end.")
        if there is not None:
            raise DatabaseForeign(f"There is a {role} database of this operation already: {previous}.")
        report.progress("swap")
        fresh = DataMark(document.instance, "current", mark.operation, mark.steps, at=now(), returned=operation)
        swap_in(
            session,
            current,
            incoming.name,
            database=document.database,
            previous=previous,
            mark=fresh,
            wait_s=document.fence.wait_s,
            role=role,
            of=of,
        )
        return DatabaseSwapResult(document.database, swapped=True, previous=previous if current else None)


def ensure_filestore_swapped(document: FilestoreSwap, report: Reporter) -> FilestoreSwapResult:
    """The task `filestore-swap`. Safe to repeat.

    Raises:
        NothingBuilt: there is nothing whole to take, and this operation took nothing before.
        MooringError: see `locked_volume`.
    """
    operation = document.fence.operation
    volume = Volume(Path(document.data_dir), document.database)
    with locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK) as mark:
        previous = volume.copy(document.back_as or "previous", document.back_of or operation)
        copy = volume.copy(document.take, document.replaced_by or operation)
        if document.take == "building":
            restored = volume.current.parent / beside(document.instance, role="building", operation=operation)
            if is_folder(restored):
                copy.mkdir(mode=0o700, exist_ok=True)
                rename(restored, copy / "filestore")
        swapped = is_folder(copy)
        if swapped:
            report.progress("swap")
            swap_folders(volume, copy, previous)
            write_volume_mark(volume, replace(mark, returned=operation))
            drop_folder(volume, copy)
        elif document.back_as is not None:
            swapped = mark.returned == document.replaced_by
            if swapped:  # and it kept nothing: nothing was current before it
                _put_aside(volume, previous)
                write_volume_mark(volume, replace(mark, returned=operation))
        elif mark.returned != operation:
            raise NothingBuilt(f"There is no {document.take} filestore of {document.database} for this operation.")
        kept = str(previous.relative_to(volume.data)) if is_folder(previous) else None
        return FilestoreSwapResult(swapped, kept)


def _put_aside(volume: Volume, copy: Path) -> None:
    """Take away a filestore that came where none was."""
    if is_folder(volume.current):
        copy.mkdir(mode=0o700, exist_ok=True)
        rename(volume.current, copy / "filestore")
