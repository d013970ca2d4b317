# SPDX-License-Identifier: Apache-2.0
"""The state directory: where it is, its layout, and the id of this installation.

    version        number of this layout
    installation   id of this Mooring, minted once; it stands on every object that Mooring makes
    state.db       documents (`sqlite_documents`)
    locks/         `locks`
    secrets/       `secret_files`

Everything is for its owner alone. It never looks into the documents. Opened once by `main` of the command line.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from mooring.drivers.files import create_file, file_errors, is_temporary, private_dir, write_file
from mooring.drivers.paths import NoHome, user_dir
from mooring.drivers.sqlite_errors import StateCorrupt, StateTooNew
from mooring.errors import UsageError

LAYOUT_VERSION = 1
ROOT_STATE_DIR = Path("/var/lib/mooring")

_VERSION, _INSTALLATION, _DOCUMENTS, _LOCKS, _SECRETS = "version", "installation", "state.db", "locks", "secrets"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class StateDirForeign(UsageError):
    """The folder holds something that is not Mooring's state; it is left alone."""

    code = "MOOR-515"
    reason = "StateDirForeign"
    default_resolution = "Name an empty or missing folder with MOORING_HOME."


def default_state_dir(environ: Mapping[str, str], uid: int) -> Path:
    """MOORING_HOME; else /var/lib/mooring for root, else `mooring` in XDG_STATE_HOME or ~/.local/state.

    Pure: looks at nothing but its arguments.

    Args:
        environ: the process's environment.
        uid: the effective user id.

    Raises:
        NoHome: MOORING_HOME is relative, or HOME is needed and not set.
    """
    given = environ.get("MOORING_HOME", "")
    if given:
        if not Path(given).is_absolute():
            raise NoHome(f"MOORING_HOME is {given!r}, which is not an absolute path.")
        return Path(given)
    if uid == 0:
        return ROOT_STATE_DIR
    return Path(user_dir(environ, "XDG_STATE_HOME", ".local/state") / "mooring")


@dataclass(frozen=True)
class StateDir:
    """An open state directory.

    Attributes:
        path: the folder.
        installation: id of this Mooring, a UUID.
    """

    path: Path
    installation: str

    @property
    def documents(self) -> Path:
        """The SQLite file."""
        return self.path / _DOCUMENTS

    @property
    def locks(self) -> Path:
        """The folder of lock files."""
        return self.path / _LOCKS

    @property
    def secrets(self) -> Path:
        """The folder of secrets."""
        return self.path / _SECRETS

    @classmethod
    def open(cls, path: Path) -> Self:
        """Make what is missing of the layout and read the rest; safe to repeat, at once by many, and after a kill.

        Raises:
            StateTooNew: a newer Mooring laid it out.
            StateCorrupt: the version or the installation id is unreadable, or the id is lost while documents are there.
            StateDirForeign: the folder holds something else.
            NotWritable: this user may not write there.
            NoSpaceLeft: the disk is full.
        """
        with file_errors(path):
            found = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
        # A file system of its own has lost+found; killed writers of ours leave temporaries.
        strangers = {name for name in found if name != "lost+found" and not is_temporary(name)}
        if strangers and _VERSION not in found:
            raise StateDirForeign(f"{path} is not a state directory of Mooring: it holds {min(strangers)!r}.")
        private_dir(path)
        create_file(path / _VERSION, f"{LAYOUT_VERSION}\n".encode())
        _check_version(path)
        if not (path / _INSTALLATION).exists():
            if (path / _DOCUMENTS).exists():
                raise StateCorrupt(
                    f"{path / _INSTALLATION} is missing, and with it the id of this installation.",
                    resolution=f"Put the file back, or move {path} aside and run `mooring adopt`.",
                )
            create_file(path / _INSTALLATION, f"{uuid.uuid4()}\n".encode())
        installation = _read(path / _INSTALLATION)
        if not _ID.fullmatch(installation):
            raise StateCorrupt(
                f"{path / _INSTALLATION} does not hold an id.",
                resolution=f"Put the file back, or move {path} aside and run `mooring adopt`.",
            )
        for folder in (_LOCKS, _SECRETS):
            private_dir(path / folder)
        return cls(path=path, installation=installation)

    def adopt_installation(self, installation: str) -> Self:
        """Become another installation: what it made is ours from now on. The caller has made sure that we made nothing yet.

        Args:
            installation: the id on what was found.

        Raises:
            StateCorrupt: it is no id of an installation.
            NotWritable: this user may not write there.
        """
        if not _ID.fullmatch(installation):
            raise StateCorrupt(f"{installation!r} is no id of an installation of Mooring.")
        write_file(self.path / _INSTALLATION, f"{installation}\n".encode())
        return replace(self, installation=installation)


def _check_version(path: Path) -> None:
    text = _read(path / _VERSION)
    if not text.isascii() or not text.isdigit():
        raise StateCorrupt(
            f"{path / _VERSION} does not hold a number.",
            resolution=f"Write {LAYOUT_VERSION} into it if this Mooring made it; "
            f"else move {path} aside and run `mooring adopt`.",
        )
    if int(text) > LAYOUT_VERSION:
        raise StateTooNew(f"{path} was laid out by a newer Mooring (layout {text}, this one knows {LAYOUT_VERSION}).")


def _read(path: Path) -> str:
    with file_errors(path):
        return path.read_bytes()[:64].decode(errors="replace").strip()
