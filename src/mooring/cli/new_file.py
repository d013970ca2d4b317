# SPDX-License-Identifier: Apache-2.0
"""Writes a text to a file that is not there yet. It never writes over one. Called by `init`, `import`, `report` and `setup`."""

from __future__ import annotations

import os
from pathlib import Path

from mooring.cli.errors import BadRequest, FileExists, FileUnreadable

_NAME_ONE = "Name a file in a folder that is there and that you may write to; nothing was changed."


def refuse_existing(path: Path) -> None:
    """Refuse early what `write_new` would refuse, before something else is changed.

    Raises:
        FileExists: something is there, be it a link that leads nowhere.
        FileUnreadable: its folder is not there, or this user may not write into it.
        BadRequest: it is `-`, which elsewhere is standard output.
    """
    if str(path) == "-":
        raise BadRequest("-f - is not possible here: standard output tells what was done.", resolution=_NAME_ONE)
    if os.path.lexists(path):
        raise FileExists(f"{path} is there already; it was left alone.")
    if not path.parent.is_dir():
        raise FileUnreadable(f"{path} cannot be written: there is no folder {path.parent}.", resolution=_NAME_ONE)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise FileUnreadable(f"{path} cannot be written: its folder is not this user's to write.", resolution=_NAME_ONE)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        FileExists: it is there, or came in between.
        FileUnreadable: it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise FileExists(f"{path} is there already; it was left alone.") from None
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be written: {error.strerror or error}.", resolution=_NAME_ONE) from error
