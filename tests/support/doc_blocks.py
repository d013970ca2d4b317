# SPDX-License-Identifier: Apache-2.0
"""The commands that the documentation shows: read from its fenced blocks, for tests that parse or run them.

Blocks of `sh` on the quick start are run by a test, in order; blocks of `bash` are shown and parsed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEREDOC = re.compile(r"<<'(\w+)'\n.*?^\1$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: path of the page, relative to the repository.
        line: where its text begins.
    """

    page: str
    line: int
    language: str
    text: str


def read_pages() -> list[Path]:
    """Every page that is written by hand or made, and those at the top of the repository."""
    return [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]


def read_blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of these languages, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(str(page.relative_to(ROOT)), text.count("\n", 0, match.start(2)) + 1, match[1], match[2])
        for match in _FENCE.finditer(text)
        if match[1] in languages
    ]


def mooring_commands(block: Block) -> Iterator[tuple[str, ...]]:
    """The arguments of each call of `mooring` in a block, without the program, redirections and comments."""
    for line in _HEREDOC.sub("", block.text).splitlines():
        for part in re.split(r"\s*(?:&&|\|\|?|;)\s*", line.strip()):
            words = shlex.split(part, comments=True)
            if words and words[0] == "sudo":
                words = words[1:]
            if words and words[0] == "mooring":
                ends = [place for place, word in enumerate(words) if word.startswith((">", "<", "2>"))]
                yield tuple(words[1 : ends[0] if ends else None])
