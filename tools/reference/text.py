# SPDX-License-Identifier: Apache-2.0
"""Small parts of Markdown that every generated page uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `python -m tools.reference` from the program; change that, not this file. -->"


def render_page(*parts: str) -> str:
    """Parts with an empty line between them; empty parts are left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def render_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; nothing where there is no row."""
    body = [list(row) for row in rows]
    if not body:
        return ""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(escape_cell(cell) for cell in line)} |" for line in lines)


def escape_cell(text: str) -> str:
    """Text that may stand in a cell: one line, and no bar that would end it."""
    return " ".join(text.split()).replace("|", "\\|")


def one_line(text: str) -> str:
    """Text without line breaks."""
    return " ".join(text.split())


def sentences(docstring: str | None) -> str:
    """The prose of a docstring: without sections such as `Args:`, its paragraphs kept."""
    kept: list[str] = []
    for line in (docstring or "").strip().splitlines():
        if re.fullmatch(r"\s*(Args|Attributes|Class attributes|Raises|Returns):", line):
            break
        kept.append(line.strip())
    return "\n".join(kept).strip()


def attributes(docstring: str | None) -> dict[str, str]:
    """What the section `Attributes:` of a docstring says of each attribute."""
    found: dict[str, str] = {}
    name, inside = "", False
    for line in (docstring or "").splitlines():
        if line.strip() == "Attributes:":
            inside = True
            continue
        if not inside or not line.strip():
            continue
        match = re.match(r"\s{4,8}(\w+): (.*)", line)
        if match:
            name = match[1]
            found[name] = match[2].strip()
        elif name:
            found[name] += f" {line.strip()}"
    return found
