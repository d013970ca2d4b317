# SPDX-License-Identifier: Apache-2.0
"""Copy and remove folders on a volume, without ever following a link, so that a kill at any point can be repaired.

Odoo's filestore files never change after they are written, so a hard link is a copy; where a link is refused (another mount,
a file system without, too many), the content is copied, by the file system itself where it can.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}
_NO_RANGE = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EBADF}
_NO_CLONE = {*_NO_RANGE, errno.EOPNOTSUPP, errno.ENOTTY, errno.ETXTBSY, errno.EPERM}
_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_CHUNK = 16 << 20


@dataclass
class Copied:
    """What a copy made; `skipped` are paths, relative to the source, of what is neither file nor folder."""

    files: int = 0
    bytes: int = 0
    linked: int = 0
    skipped: list[str] = field(default_factory=list)


def copy_tree(source: Path, target: Path, *, said: Callable[[int], None]) -> Copied:
    """Make `target`, which must not exist, the copy of `source`; on disk when this returns.

    Args:
        source: a folder.
        target: its parent exists.
        said: called with the number of files now and then.
    """
    done = Copied()
    _copy_folder(source, target, "", done, said)
    return done


def _copy_folder(source: Path, target: Path, below: str, done: Copied, said: Callable[[int], None]) -> None:
    target.mkdir(mode=0o700)
    with os.scandir(source) as entries:
        for entry in sorted(entries, key=lambda item: item.name):
            name = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                _copy_folder(Path(entry.path), target / entry.name, f"{name}/", done, said)
            elif entry.is_file(follow_symlinks=False):
                info = entry.stat(follow_symlinks=False)
                done.linked += copy_file(Path(entry.path), target / entry.name)
                done.files += 1
                done.bytes += info.st_size
                if done.files % 500 == 0:
                    said(done.files)
            else:
                done.skipped.append(name)
    info = source.stat()
    target.chmod(stat.S_IMODE(info.st_mode))
    sync(target)


def copy_file(source: str | Path, target: str | Path) -> bool:
    """Link `source`, which nothing changes, or copy it where links are refused; True for a link."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as fault:
        if fault.errno not in _NO_LINK:
            raise
    else:
        return True
    read = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        info = os.fstat(read)
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(info.st_mode))
        try:
            _copy_content(read, write)
            os.utime(write, ns=(info.st_atime_ns, info.st_mtime_ns))
            os.fsync(write)
        finally:
            os.close(write)
    finally:
        os.close(read)
    return False


def clone_content(source: Path, target: Path) -> bool:
    """Copy a regular file's content into a new file of one's own, never as a link; True where the file system shares it.

    It is on disk when the caller has synced the file system.

    Raises:
        FileNotFoundError: `source` is not there.
        OSError: it is no regular file, or one of the two is refused.
    """
    read = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(read).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(source))
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            try:
                fcntl.ioctl(write, _FICLONE, read)
            except OSError as fault:
                if fault.errno not in _NO_CLONE:
                    raise
                _copy_content(read, write)
                return False
            return True
        finally:
            os.close(write)
    finally:
        os.close(read)


def _copy_content(read: int, write: int) -> None:
    """`copy_file_range` shares blocks where the file system can; else plain reading and writing."""
    try:
        while os.copy_file_range(read, write, _CHUNK):
            pass
    except OSError as fault:
        if fault.errno not in _NO_RANGE:
            raise
        os.lseek(read, 0, os.SEEK_SET)
        os.lseek(write, 0, os.SEEK_SET)
        while data := os.read(read, _CHUNK):
            view = memoryview(data)
            while view:
                view = view[os.write(write, view) :]


def sync(folder: Path) -> None:
    """Have the folder's entries on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(folder: Path) -> None:
    """Have everything of the file system that holds `folder` on disk: for many files at once, syncfs(2)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(handle)


def rename(old: Path, new: Path) -> None:
    """Rename a folder on one mount; both parents on disk when this returns. `new` must not exist, or be an empty folder."""
    sync(old.parent)
    old.rename(new)
    sync(new.parent)
    if old.parent != new.parent:
        sync(old.parent)


def remove_tree(folder: Path) -> bool:
    """Remove the folder with all in it, links as links; True if it was there."""
    if not os.path.lexists(folder):
        return False
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink()
    else:
        shutil.rmtree(folder)
    sync(folder.parent)
    return True


def write_file(path: Path, text: str) -> None:
    """Replace a small file whole: aside, on disk, renamed."""
    aside = path.with_name(f"{path.name}.new")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync(path.parent)
