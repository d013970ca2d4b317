# SPDX-License-Identifier: Apache-2.0
"""The tasks `filestore-safety-copy`, `filestore-return` and `filestore-drop`, run on the volume as Odoo's user.

A copy is built as `….building` and gets its name when all of it is on disk: what has the name is whole. A return is two
renames, and which of them happened is seen from which folders exist. Nothing here touches sessions or add-ons.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from itertools import count
from pathlib import Path

from mooring.domain.work.errors import FilestoreFailed, NoRoomLeft, SafetyCopyMissing
from mooring.domain.work.filestore import FilestoreDrop, FilestoreReturn, FilestoreSafetyCopy
from mooring.domain.work.results import FilestoreCopyResult, FilestoreDropResult, FilestoreReturnResult
from mooring.engine.report import Reporter
from mooring.engine.tree import Copied, copy_tree, remove_tree, rename, write_file
from mooring.engine.volume import Volume, locked_volume, read_count, write_volume_mark

_SKIPPED_SHOWN = 20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def ensure_safety_copy(document: FilestoreSafetyCopy, report: Reporter) -> FilestoreCopyResult:
    """The task. Safe to repeat: a whole copy of the same operation is kept.

    Raises:
        MooringError: see `locked_volume`.
    """
    volume = Volume(Path(document.data_dir), document.database)
    with locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK):
        copy = volume.copy("safety", document.fence.operation)
        if copy.is_dir() and not copy.is_symlink():
            made = read_count(copy)
            return _result(Copied(made.get("files", 0), made.get("bytes", 0), made.get("linked", 0)), kept=True)
        older = [
            path
            for role in ("safety", "previous")
            for path in volume.copies(role)
            if document.make_room and path != volume.copy(role, document.fence.operation)
        ]
        try:
            return _result(_copy(volume, copy, report), kept=False)
        except OSError as fault:
            if fault.errno not in _NO_ROOM or not older:
                raise
        remove_tree(copy.with_name(f"{copy.name}.building"))
        for path in older:
            report.progress(f"drop {path.name}")
            drop_folder(volume, path)
        try:
            done = _copy(volume, copy, report)
        except OSError as fault:
            if fault.errno not in _NO_ROOM:
                raise
            raise NoRoomLeft(f"{os.strerror(fault.errno)}: {fault.filename or volume.data}.") from None
        return _result(done, kept=False, dropped=tuple(path.name for path in older))


def ensure_returned(document: FilestoreReturn, report: Reporter) -> FilestoreReturnResult:
    """The task. Safe to repeat.

    Raises:
        SafetyCopyMissing: there is no whole copy of this operation.
        MooringError: see `locked_volume`.
    """
    volume = Volume(Path(document.data_dir), document.database)
    with locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK) as mark:
        operation = document.fence.operation
        copy, previous = volume.copy("safety", operation), volume.copy("previous", operation)
        returned = is_folder(copy)
        if returned:
            report.progress("swap")
            swap_folders(volume, copy, previous)
            write_volume_mark(volume, replace(mark, returned=operation))
            drop_folder(volume, copy)
        elif mark.returned != operation:
            raise SafetyCopyMissing(f"There is no safety copy of the filestore of operation {operation}.")
        if not document.keep:
            drop_folder(volume, previous)
        kept = str(previous.relative_to(volume.data)) if is_folder(previous) else None
        return FilestoreReturnResult(returned=returned, previous=kept)


def ensure_dropped(document: FilestoreDrop, report: Reporter) -> FilestoreDropResult:
    """The task. Safe to repeat: what is gone is gone.

    Raises:
        MooringError: see `locked_volume`.
    """
    volume = Volume(Path(document.data_dir), document.database)
    with locked_volume(volume, report, instance=document.instance, fence=document.fence, task=document.TASK):
        removed: list[str] = []
        for path in _meant(volume, document):
            report.progress(f"drop {path.name}")
            if drop_folder(volume, path):
                removed.append(str(path.relative_to(volume.data)))
        if "current" in document.roles and os.path.lexists(volume.current):
            report.progress("drop the filestore")
            aside = volume.home / "current.dropping"
            remove_tree(aside)
            rename(volume.current, aside)
            remove_tree(aside)
            removed.append(str(volume.current.relative_to(volume.data)))
        return FilestoreDropResult(removed=tuple(removed))


def _copy(volume: Volume, copy: Path, report: Reporter) -> Copied:
    """Make `copy` of what is current: it has its name when all of it is on disk."""
    building = copy.with_name(f"{copy.name}.building")
    remove_tree(building)
    building.mkdir(mode=0o700)
    done = Copied()
    if is_folder(volume.current):
        report.progress("copy")
        done = copy_tree(volume.current, building / "filestore", said=lambda files: report.progress("copy", files))
    else:
        (building / "filestore").mkdir(mode=0o700)
    facts = {"files": done.files, "bytes": done.bytes, "linked": done.linked}
    write_file(building / "copy.json", json.dumps(facts) + "\n")
    rename(building, copy)
    return done


def swap_folders(volume: Volume, copy: Path, previous: Path) -> None:
    """Two renames: current aside, the copy's folder into its place. The copy without its folder means that both are done.

    Args:
        volume: with its lock.
        copy: a folder with `filestore/` in it.
        previous: gets what is current, as its `filestore/`.

    Raises:
        FilestoreFailed: neither a current nor a copy's folder is there.
    """
    inside = copy / "filestore"
    if is_folder(inside):
        if is_folder(volume.current):
            if not previous.exists():
                previous.mkdir(mode=0o700)
            # Where a kill came after the first rename, something may have written since; it is kept beside the other.
            names = (f"filestore.{number}" if number else "filestore" for number in count())
            rename(volume.current, previous / next(name for name in names if not os.path.lexists(previous / name)))
        volume.current.parent.mkdir(mode=0o700, exist_ok=True)
        rename(inside, volume.current)
    if not is_folder(volume.current):
        raise FilestoreFailed(f"Neither {volume.current} nor its safety copy is there.")


def _meant(volume: Volume, document: FilestoreDrop) -> list[Path]:
    found: list[Path] = []
    for role in ("safety", "previous"):
        if role in document.roles:
            paths = volume.copies(role)
            named = [(path, path.name.removeprefix(f"{role}-")) for path in paths]
            found += [path for path, of in named if document.operation in (None, of) and of != document.spare]
    if "building" in document.roles:
        found += [*sorted(volume.home.glob("*.building")), *volume.copies("building")]
        found += volume.restored(document.instance, document.operation)
    return found


def drop_folder(volume: Volume, path: Path) -> bool:
    """Out of the way by one rename, then removed: a kill in between leaves nothing that looks whole. Whether it was there."""
    if not os.path.lexists(path):
        return False
    aside = volume.home / f"{path.name}.dropping"
    remove_tree(aside)
    rename(path, aside)
    remove_tree(aside)
    return True


def is_folder(path: Path) -> bool:
    """Whether it is a folder, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def _result(done: Copied, *, kept: bool, dropped: tuple[str, ...] = ()) -> FilestoreCopyResult:
    return FilestoreCopyResult(
        kept=kept,
        files=done.files,
        bytes=done.bytes,
        method="none" if not done.files else "link" if done.linked * 2 >= done.files else "copy",
        skipped=tuple(done.skipped[:_SKIPPED_SHOWN]),
        dropped=dropped,
    )
