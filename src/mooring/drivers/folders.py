# SPDX-License-Identifier: Apache-2.0
"""Folders of this machine that are copied elsewhere: what is in them, and a digest that changes with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from mooring.drivers.files import file_errors

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
        NotWritable, FileFailed: a file cannot be read.
    """
    total = hashlib.sha256()
    with file_errors(folder):
        for path in folder_files(folder):
            total.update(str(path.relative_to(folder)).encode() + b"\0")
            with path.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:16]
