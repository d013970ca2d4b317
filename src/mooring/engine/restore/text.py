# SPDX-License-Identifier: Apache-2.0
r"""Rows in PostgreSQL's text format of COPY, and as CSV. Pure.

https://www.postgresql.org/docs/17/sql-copy.html: fields are separated by tabs, `\N` is NULL, a backslash begins an escape. In
CSV, as PostgreSQL writes it, NULL is nothing and an empty text is `""`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Row = Sequence[str | None]
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_WORDS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_COLUMN = re.compile(r'"(?:[^"]|"")+"|[^,\s][^,]*')
_QUOTED = re.compile(r'[",\r\n]')


def split_columns(text: str) -> list[str]:
    """The names of a list as it stands in a statement; quoted ones keep their quotes."""
    return [found[0].strip() for found in _COLUMN.finditer(text)]


def read_row(line: bytes) -> list[str | None]:
    """The fields of a line."""
    return [None if field == rb"\N" else _unescape(field).decode(errors="replace") for field in line.split(b"\t")]


def render_csv(row: Row) -> bytes:
    """One line."""
    if list(row) == ["\\."]:  # alone on its line it would be the end of the rows
        return b'"\\."\n'
    return (",".join(_field(one) for one in row) + "\n").encode()


def _unescape(field: bytes) -> bytes:
    return _ESCAPE.sub(_plain, field) if b"\\" in field else field


def _plain(found: re.Match[bytes]) -> bytes:
    word: bytes = found[1]
    if word[:1].isdigit() and word[:1] < b"8":
        return bytes([int(word, 8) & 0xFF])
    if word[:1] == b"x" and len(word) > 1:
        return bytes([int(word[1:], 16)])
    return _WORDS.get(word, word)


def _field(value: str | None) -> str:
    if value is None:
        return ""
    if not value or _QUOTED.search(value):
        doubled = value.replace('"', '""')
        return f'"{doubled}"'
    return value
