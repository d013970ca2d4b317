# SPDX-License-Identifier: Apache-2.0
"""Folders of this machine that are copied elsewhere: what is in them, and a digest that changes with it."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from mooring.drivers.files import file_errors
from mooring.errors import FailedError, Retry


class FolderUnreadable(FailedError):
    """A folder that is to be copied is there, and the user whom this process runs as may not read all of it."""

    code = "MOOR-517"
    reason = "FolderUnreadable"
    retry = Retry.AFTER
    default_resolution = (
        "Let that user read the folder and all in it. While an agent is alive it does the work, as its own user: "
        "`mooring agent status` shows it."
    )


def module_names(folder: Path) -> list[str]:
    """The subfolders that hold an Odoo module, sorted; empty where the folder is not there.

    Raises:
        FolderUnreadable: it may not be read.
        FileFailed: it cannot be read for another reason.
    """
    with _readable(folder):
        try:
            return sorted(path.name for path in folder.iterdir() if (path / "__manifest__.py").is_file())
        except (FileNotFoundError, NotADirectoryError):
            return []


_SKIPPED_FOLDERS = frozenset({".git", "__pycache__", "node_modules", ".venv"})
_SKIPPED_SUFFIXES = frozenset({".pyc", ".pyo"})


def folder_files(folder: Path) -> Iterator[Path]:
    """The regular files below `folder`, sorted; links, version control and compiled files are passed over."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if path.is_dir():
            if path.name not in _SKIPPED_FOLDERS:
                yield from folder_files(path)
        elif path.is_file() and path.suffix not in _SKIPPED_SUFFIXES:
            yield path


def folder_digest(folder: Path) -> str:
    """16 hexadecimal digits over relative names and contents of `folder_files`.

    Raises:
        FolderUnreadable: a file or folder in it may not be read.
        FileFailed: one cannot be read for another reason.
    """
    total = hashlib.sha256()
    with _readable(folder):
        for path in folder_files(folder):
            total.update(str(path.relative_to(folder)).encode() + b"\0")
            with path.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:16]


@contextlib.contextmanager
def _readable(folder: Path) -> Iterator[None]:
    with file_errors(folder):
        try:
            yield
        except PermissionError as error:
            where = error.filename or folder
            raise FolderUnreadable(
                f"{where} may not be read by the user {_user()}, as whom process {os.getpid()} does Mooring's work here."
            ) from error


def _user() -> str:
    try:
        return getpass.getuser() if os.geteuid() == os.getuid() else str(os.geteuid())
    except (KeyError, OSError):  # a number without a name
        return str(os.geteuid())
