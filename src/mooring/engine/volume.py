# SPDX-License-Identifier: Apache-2.0
"""Our own folder on an instance's volume: `DATA_DIR/.mooring`. Its lock, whose volume it is, where copies lie.

.mooring/lock              held by a task as long as it lives
.mooring/volume.json       the mark: instance, operation, attempts, the operation whose copy was returned
.mooring/safety-OP/        a whole copy: `filestore/` (empty where there was none) and `copy.json`
.mooring/previous-OP/      what was current before a return: `filestore/`
.mooring/building-OP/      what a swap puts in place: `filestore/`
.mooring/*.building        a copy in the making
.mooring/*.dropping        on its way out
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mooring.domain.work.common import Fence
from mooring.domain.work.errors import FilestoreFailed, FilestoreForeign, LockHeld
from mooring.domain.work.mark import DataMark, decide_fence, parse_mark, render_mark
from mooring.domain.work.names import beside
from mooring.engine.report import Reporter
from mooring.engine.tree import remove_tree, sync, write_file

_POLL_S = 0.3
_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Volume:
    """Paths on the volume of one instance.

    Attributes:
        data: Odoo's `data_dir`.
        database: names the filestore.
    """

    data: Path
    database: str

    @property
    def home(self) -> Path:
        """Our folder."""
        return self.data / ".mooring"

    @property
    def current(self) -> Path:
        """Odoo's filestore of the database."""
        return self.data / "filestore" / self.database

    def copy(self, role: str, operation: str) -> Path:
        """Folder of a copy in `role`."""
        return self.home / f"{role}-{operation}"

    def restored(self, instance: str, operation: str | None) -> list[Path]:
        """Filestores that were restored beside Odoo's own, under the names of their databases; of one operation, or all."""
        if operation is not None:
            path = self.current.parent / beside(instance, role="building", operation=operation)
            return [path] if os.path.lexists(path) else []
        return sorted(self.current.parent.glob("mooring_building_*"))

    def copies(self, role: str) -> list[Path]:
        """Whole copies in `role`, of every operation."""
        found = sorted(self.home.glob(f"{role}-*"))
        return [path for path in found if path.suffix not in (".building", ".dropping")]


@contextmanager
def locked_volume(volume: Volume, report: Reporter, *, instance: str, fence: Fence, task: str) -> Iterator[DataMark]:
    """Hold the volume's lock as long as the body runs, which gets its mark; what was being dropped is removed first.

    Raises:
        LockHeld: another task kept it for `fence.wait_s`.
        FilestoreForeign: the volume is another instance's.
        StaleAttempt: a later attempt has been here.
        FilestoreFailed: anything that the volume refuses, also in the body.
    """
    try:
        report.progress("lock")
        for folder in (volume.data, volume.current.parent, volume.current):
            # A link here would lead the copy, or worse the removal, to somewhere else.
            if os.path.lexists(folder) and not stat.S_ISDIR(folder.lstat().st_mode):
                raise FilestoreFailed(f"{folder} is no folder.")
        _make_folder(volume.home)
        handle = os.open(volume.home / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            _lock(handle, volume, fence)
            mark = _check_in(volume, instance=instance, fence=fence, task=task)
            for left in volume.home.glob("*.dropping"):
                remove_tree(left)
            yield mark
        finally:
            os.close(handle)
    except OSError as fault:
        place = fault.filename or volume.data
        raise FilestoreFailed(f"{os.strerror(fault.errno or 0)}: {place}.", details=type(fault).__name__) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise FilestoreFailed(f"{folder} is no folder.") from None
    else:
        sync(folder.parent)


def _lock(handle: int, volume: Volume, fence: Fence) -> None:
    until = time.monotonic() + fence.wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise LockHeld(f"Another task holds the lock of the volume {volume.data}.") from None
            time.sleep(_POLL_S)
        else:
            return


def _check_in(volume: Volume, *, instance: str, fence: Fence, task: str) -> DataMark:
    path = volume.home / "volume.json"
    text = path.read_text(encoding="utf-8")[:_LIMIT_BYTES] if path.exists() else None
    mark = parse_mark(text)
    if text is not None and mark is None:
        raise FilestoreForeign(f"{path} is not a mark that this program knows.")
    if mark is not None and mark.instance != instance:
        raise FilestoreForeign(f"The volume {volume.data} belongs to instance {mark.instance}, not to {instance}.")
    operation, steps = decide_fence(mark, fence, task)
    fresh = replace(mark or DataMark(instance, "volume"), operation=operation, steps=steps)
    if fresh != mark:
        write_volume_mark(volume, fresh)
    return fresh


def write_volume_mark(volume: Volume, mark: DataMark) -> None:
    """Write whose volume it is and what happened last; whole or not at all."""
    write_file(volume.home / "volume.json", render_mark(mark) + "\n")


def read_count(copy: Path) -> dict[str, int]:
    """What `copy.json` of a whole copy says: files, bytes, linked; empty for one that cannot be read."""
    try:
        value = json.loads((copy / "copy.json").read_text(encoding="utf-8"))
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if isinstance(item, int)}
