# SPDX-License-Identifier: Apache-2.0
"""The folder for a task's temporary files: its own, empty at the beginning, gone at the end. Used by backup and restore."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mooring.domain.work.backup_errors import ScratchTooSmall
from mooring.engine.tree import remove_tree

_NAME = "mooring-work"


@contextmanager
def work_folder(scratch: Path) -> Iterator[Path]:
    """A folder in `scratch`, for this user's eyes only; what a killed run left there is removed first.

    Raises:
        ScratchTooSmall: it cannot be made.
    """
    folder = scratch / _NAME
    try:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_tree(folder)
        folder.mkdir(mode=0o700)
    except OSError as fault:
        raise ScratchTooSmall(f"{os.strerror(fault.errno or 0)}: {folder}.", details=type(fault).__name__) from None
    try:
        yield folder
    finally:
        remove_tree(folder)
