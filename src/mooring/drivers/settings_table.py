# SPDX-License-Identifier: Apache-2.0
"""Takes typed values out of a parsed TOML table and remembers every mistake, so that all are told at once.

It knows no key of its own. Used by `settings` only.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})")


class Table:
    """One table of the file; each method takes one key, and gives the default where it is missing or wrong."""

    def __init__(self, values: Mapping[str, Any], *, path: str = "", problems: list[str] | None = None) -> None:
        """Args: values: as `tomllib` gives them; path: dotted, for errors; problems: shared by all tables of a file."""
        self._values = values
        self._path = path
        self._problems: list[str] = [] if problems is None else problems
        self._known: list[str] = []
        self._children: list[Table] = []

    def complain(self, key: str, what: str) -> None:
        """Remember a mistake."""
        self._problems.append(f"{self._path}{key} {what}")

    def finish(self) -> Sequence[str]:
        """All mistakes of this table and those below, with the keys that nobody took."""
        for key in self._values:
            if key not in self._known:
                near = difflib.get_close_matches(key, self._known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(self._known))}"
                self.complain(key, f"is unknown ({hint})")
        for child in self._children:
            child.finish()
        return self._problems

    def table(self, key: str) -> Table:
        """The table below; an empty one where it is missing or is none."""
        value = self._take(key, {}, dict, "a table")
        child = Table(value, path=f"{self._path}{key}.", problems=self._problems)
        self._children.append(child)
        return child

    def text(self, key: str, default: str) -> str:
        """A text without spaces and line breaks, not empty."""
        value: str = self._take(key, default, str, "text")
        if key in self._values and (not value or not value.isprintable() or " " in value):
            self.complain(key, f"is {value!r}; it must be one word")
            return default
        return value

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """One of some words."""
        value = self.text(key, default)
        if value not in allowed:
            self.complain(key, f"is {value!r}; allowed: {', '.join(allowed)}")
            return default
        return value

    def integer(self, key: str, default: int, *, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value: int = self._take(key, default, int, "a whole number")
        if not low <= value <= high:
            self.complain(key, f"is {value}; allowed: {low} to {high}")
            return default
        return value

    def port_range(self, key: str, default: tuple[int, int]) -> tuple[int, int]:
        """`first-last`, unprivileged ports."""
        value: str = self._take(key, f"{default[0]}-{default[1]}", str, "text such as 18069-19068")
        found = _PORTS.fullmatch(value)
        first, last = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1024 <= first <= last <= 65535:
            self.complain(key, f"is {value!r}; write FIRST-LAST, from 1024 to 65535")
            return default
        return first, last

    def private_network(self, key: str, default: IPv4Network) -> IPv4Network:
        """A private IPv4 range in prefix notation."""
        value: str = self._take(key, str(default), str, "text such as 10.213.0.0/16")
        try:
            network = IPv4Network(value)
        except ValueError:
            network = None
        if network is None or not network.is_private or not 8 <= network.prefixlen <= 28:
            self.complain(key, f"is {value!r}; write a private IPv4 range such as 10.213.0.0/16, prefix 8 to 28")
            return default
        return network

    def _take(self, key: str, default: Any, kind: type, words: str) -> Any:
        self._known.append(key)
        value = self._values.get(key, default)
        # bool is a kind of int to Python, and not to people.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.complain(key, f"is {value!r}; it must be {words}")
            return default
        return value
