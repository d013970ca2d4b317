# SPDX-License-Identifier: Apache-2.0
"""Writes local files so that a kill or a power cut leaves the old or the new content, never a part.

It knows nothing of what it writes and takes no lock: callers that must exclude one another use `drivers.locks`. Used by
the state directory, secrets and whatever renders files for people.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from mooring.errors import FailedError, MooringError

_TEMPORARY_SUFFIX = ".tmp"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class NotWritable(FailedError):
    """A file or folder may not be written by this user, or lies on a read-only file system."""

    code = "MOOR-502"
    reason = "NotWritable"
    default_resolution = "Run as the user who owns the folder, or choose another one with MOORING_HOME."


class NoSpaceLeft(FailedError):
    """The file system has no room left; what was there before is unchanged."""

    code = "MOOR-503"
    reason = "NoSpaceLeft"
    default_resolution = "Free some space on that file system, then run the command again."


class FileFailed(FailedError):
    """The operating system refused a file for another reason, such as a failing disk."""

    code = "MOOR-508"
    reason = "FileFailed"
    default_resolution = "Look at the path and at the kernel's log for a failing disk, then run the command again."


def file_error(error: OSError, path: Path) -> MooringError:
    """The typed error for what the operating system said about `path`."""
    if error.errno in _FULL:
        return NoSpaceLeft(f"No space is left where {path} is.", details=str(error))
    if error.errno in _FORBIDDEN:
        return NotWritable(f"{path} may not be read or written by this user.", details=str(error))
    return FileFailed(f"{path} cannot be used: {error.strerror or error}.", details=str(error))


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into its typed error about `path`."""
    try:
        yield
    except OSError as error:
        raise file_error(error, path) from error


def private_dir(path: Path) -> None:
    """Make `path` and its missing parents with mode 0700; tighten `path` itself when it is open to others.

    Safe to repeat. Parents that exist keep their mode.

    Raises:
        NotWritable: the parent may not be written.
        NoSpaceLeft: no room for the folder.
        FileFailed: something else is in the way, such as a file of that name.
    """
    with file_errors(path):
        missing = []
        parent = path
        while not parent.is_dir():
            missing.append(parent)
            parent = parent.parent
        for folder in reversed(missing):
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
            except FileExistsError as error:
                raise FileFailed(
                    f"{folder} is no folder, and one is needed there.",
                    details=str(error),
                    resolution="Name another folder (MOORING_HOME or --home for the state), or move away what is there.",
                ) from error
            fsync_dir(folder.parent)
        if path.stat().st_mode & 0o777 != 0o700:
            path.chmod(0o700)


def write_file(path: Path, data: bytes, mode: int = 0o600, *, uid: int | None = None, gid: int | None = None) -> None:
    """Put `data` in the place of `path`, whole or not at all, and on the disk when this returns.

    Args:
        path: the file; its folder exists.
        data: the content.
        mode: permission bits, whatever the umask is.
        uid: owner; None leaves this process's user.
        gid: group; None leaves this process's group.

    Raises:
        NotWritable: the folder may not be written, or the owner may not be given.
        NoSpaceLeft: no room; the old content stands.
        FileFailed: anything else the operating system says.
    """
    with file_errors(path):
        temporary = _write_temporary(path, data, mode, uid=uid, gid=gid)
        try:
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        fsync_dir(path.parent)


def create_file(path: Path, data: bytes, mode: int = 0o600) -> bool:
    """Like `write_file`, but only where nothing is: of several that try, exactly one gets True.

    Raises:
        NotWritable: the folder may not be written.
        NoSpaceLeft: no room.
        FileFailed: anything else the operating system says.
    """
    with file_errors(path):
        temporary = _write_temporary(path, data, mode)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        fsync_dir(path.parent)
        return True


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left in `folder`; the caller holds the lock that keeps live writers away."""
    with file_errors(folder):
        for leftover in folder.glob(f".*{_TEMPORARY_SUFFIX}"):
            leftover.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Whether a file of that name is the unfinished work of `write_file` or `create_file`."""
    return name.startswith(".") and name.endswith(_TEMPORARY_SUFFIX)


def fsync_dir(path: Path) -> None:
    """Make names in the folder `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_temporary(path: Path, data: bytes, mode: int, *, uid: int | None = None, gid: int | None = None) -> Path:
    """A finished file beside `path`; removed again when it cannot be finished."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{_TEMPORARY_SUFFIX}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if uid is not None or gid is not None:
                os.fchown(file.fileno(), -1 if uid is None else uid, -1 if gid is None else gid)
            # After the owner: chown clears the set-user and set-group bits.
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
