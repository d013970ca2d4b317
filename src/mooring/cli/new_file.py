# SPDX-License-Identifier: Apache-2.0
"""Writes a text to a file that is not there yet. It never writes over one. Called by `init`, `import` and `setup`."""

from __future__ import annotations

import os
from pathlib import Path

from mooring.cli.errors import FileExists, FileUnreadable


def refuse_existing(path: Path) -> None:
    """Refuse early what `write_new` would refuse, before something else is changed.

    Raises:
        FileExists: something is there, be it a link that leads nowhere.
    """
    if os.path.lexists(path):
        raise FileExists(f"{path} is there already; it was left alone.")


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
        raise FileUnreadable(f"{path} cannot be written: {error.strerror or error}.") from error
