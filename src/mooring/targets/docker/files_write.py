# SPDX-License-Identifier: Apache-2.0
"""Writes a rendered instance into a folder of its own, secrets included. Called by `mooring render --directory`."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from mooring.drivers.docker.archive import pack_folder
from mooring.drivers.files import file_errors, private_dir, write_file
from mooring.errors import ConflictError, Retry
from mooring.targets.docker.files import RenderedFile, Rendering
from mooring.targets.docker.rendering import StackFolder


class FolderTaken(ConflictError):
    """The folder to write into holds something already; nothing was written."""

    code = "MOOR-348"
    reason = "FolderTaken"
    retry = Retry.NEVER
    default_resolution = "Name an empty folder, or one that does not exist yet."


def write_rendering(rendering: Rendering, directory: Path, *, root: bool) -> tuple[str, ...]:
    """Write all files, private ones with mode 0600; the paths of those that root still has to give to their readers.

    Args:
        rendering: with its secrets.
        directory: made with mode 0700; must be empty.
        root: this process may give files to others.

    Raises:
        FolderTaken: the folder is not empty.
        NotWritable, NoSpaceLeft, FileFailed: of the file system.
    """
    private_dir(directory)
    with file_errors(directory):
        if any(directory.iterdir()):
            raise FolderTaken(f"{directory} is not empty.")
    for file in rendering.files:
        path = directory / file.path
        private_dir(path.parent)
        uid, gid = (file.uid, file.gid) if root else (None, None)
        write_file(path, file.content, file.mode, uid=uid, gid=gid)
    for folder in rendering.folders:
        private_dir((directory / folder.path).parent)
        with file_errors(Path(folder.folder.source)):
            _copy(folder, directory, root=root)
    return () if root else tuple(file.path for file in rendering.files if _unreadable(file))


def _unreadable(file: RenderedFile) -> bool:
    return file.uid not in (None, os.geteuid()) and not file.mode & 0o004


def _copy(folder: StackFolder, directory: Path, *, root: bool) -> None:
    """A folder with the rights that the target gives it, which are in the archive that the target would upload."""
    source = Path(folder.folder.source)
    with (
        pack_folder(source, folder.path, uid=folder.folder.uid, gid=folder.folder.gid) as packed,
        tarfile.open(fileobj=packed) as archive,
    ):
        for member in archive:
            path = directory / member.name
            if member.issym():
                path.symlink_to(member.linkname)
            elif member.isdir():
                path.mkdir()
            elif (content := archive.extractfile(member)) is not None:
                with content, path.open("wb") as file:
                    shutil.copyfileobj(content, file)
            if not member.issym():
                path.chmod(member.mode)
            if root:
                os.chown(path, member.uid, member.gid, follow_symlinks=False)
