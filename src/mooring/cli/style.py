# SPDX-License-Identifier: Apache-2.0
"""Colours, by the rules of NO_COLOR (https://no-color.org) and CLICOLOR_FORCE (https://bixense.com/clicolors). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_RESET = "\x1b[0m"


@dataclass(frozen=True)
class Style:
    """How words are marked; without colour they are plain."""

    colour: bool = False

    def good(self, text: str) -> str:
        """What is well."""
        return self._mark("32", text)

    def bad(self, text: str) -> str:
        """What failed."""
        return self._mark("31", text)

    def careful(self, text: str) -> str:
        """What a person should look at."""
        return self._mark("33", text)

    def strong(self, text: str) -> str:
        """What matters most."""
        return self._mark("1", text)

    def quiet(self, text: str) -> str:
        """What matters least."""
        return self._mark("2", text)

    def _mark(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}{_RESET}" if self.colour else text


def decide_colour(environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to colour: NO_COLOR says no, CLICOLOR_FORCE yes, else a terminal that is not `dumb`.

    Args:
        environ: the process's environment.
        terminal: whether the stream is one.
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return terminal and environ.get("TERM") != "dumb"
