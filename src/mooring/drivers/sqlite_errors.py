# SPDX-License-Identifier: Apache-2.0
"""What SQLite says about the state file, as errors that people can act on.

Judged by SQLite's result codes, never by its words. Raised by `sqlite_documents`; `StateTooNew` also by `state`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mooring.drivers.files import NoSpaceLeft, NotWritable
from mooring.errors import ConflictError, FailedError, MooringError, Retry


class StateTooNew(FailedError):
    """A newer Mooring wrote the state; this one would not understand it and leaves it alone."""

    code = "MOOR-501"
    reason = "StateTooNew"
    default_resolution = "Install the Mooring version that wrote it, or a newer one; nothing was changed."


class StateCorrupt(FailedError):
    """The state file is damaged, or is not Mooring's. The instances and their data are not touched by this."""

    code = "MOOR-504"
    reason = "StateCorrupt"
    default_resolution = (
        "Move the file aside together with its -wal and -shm files, then run `mooring adopt`: "
        "it rebuilds the records from what runs."
    )


class StateBusy(ConflictError):
    """Other processes kept the state file locked for longer than anybody should."""

    code = "MOOR-505"
    reason = "StateBusy"
    retry = Retry.NOW
    default_resolution = "Run the command again; if it stays so, look for a stuck process that has the file open."


class StateFailed(FailedError):
    """SQLite could not read or write the state file for another reason, such as a failing disk."""

    code = "MOOR-506"
    reason = "StateFailed"
    default_resolution = "Look at the kernel's log for a failing disk; `mooring adopt` rebuilds a lost state."


# Primary result codes, https://sqlite.org/rescode.html
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FORBIDDEN = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def sqlite_error(error: sqlite3.Error, path: Path) -> MooringError:
    """The typed error for what SQLite said about the state file `path`."""
    # Errors of the Python module itself, such as the use of a closed connection, carry no code.
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    details = f"SQLite: {error}"
    if primary == sqlite3.SQLITE_FULL:
        return NoSpaceLeft(f"No space is left where {path} is; nothing was written.", details=details)
    if primary in _CORRUPT:
        return StateCorrupt(f"{path} is damaged.", details=details)
    if primary in _FORBIDDEN:
        return NotWritable(f"{path} may not be opened or written.", details=details)
    if primary in _BUSY:
        return StateBusy(f"{path} is kept locked by another process.", details=details)
    return StateFailed(f"{path} cannot be used.", details=details)
