# SPDX-License-Identifier: Apache-2.0
r"""Cuts a plain dump into its statements, and gives the rows of each COPY. Text work; runs nothing.

psql is not used on dumps that people bring: what it takes for commands of its own (`\!`, `\copy … program`, `\i`) would run
as its user. Here nobody understands them: outside of quotes a backslash ends the reading, but for the two lines with which
pg_dump itself forbids them since August 2025 (`\restrict`, `\unrestrict`). Called by `load`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from mooring.domain.work.import_errors import ArchiveUnreadable, DumpRefused

_PIECE_BYTES = 1 << 20
MOST_STATEMENT_BYTES = 256 << 20
_TOKEN = re.compile(rb"""['";\\]|\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$|--|/\*""")
_BLANK = re.compile(rb"\s+")
_PAIRED = re.compile(rb"''|'")
_ESCAPED = re.compile(rb"\\.|''|'", re.DOTALL)
_DOUBLE = re.compile(rb'""|"')
_NESTED = re.compile(rb"/\*|\*/")
_KNOWN_LINE = re.compile(rb"\\(?:un)?restrict [A-Za-z0-9]+\r?")
_COMMAND = re.compile(rb"\\[^\s\\]{0,20}")
_WORD_BYTE = re.compile(rb"[\w$\x80-\xff]")
_END_OF_ROWS = b"\\."


class Source(Protocol):
    """What is read: a file, or a program's output."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; empty at the end."""
        ...


class SqlReader:
    """Reads one dump from its beginning to its end."""

    def __init__(self, source: Source) -> None:
        """Args: source: its bytes, in UTF-8."""
        self._source = source
        self._buffer = bytearray()
        self._at = 0
        self._over = False
        self.number = 0

    def statements(self) -> Iterator[bytes]:
        """Each statement with its semicolon, without what stands around it.

        After a COPY from standard input the caller takes `rows()` before the next one.

        Raises:
            DumpRefused: a command of psql's, or a statement without an end in sight.
            ArchiveUnreadable: the dump ends within a statement.
        """
        while self._skip():
            end = self._end()
            statement = bytes(self._buffer[:end])
            del self._buffer[:end]
            self.number += 1
            yield statement

    def rows(self) -> Iterator[bytes]:
        """The rows of a COPY, in pieces that end with a line; its end mark is taken away.

        Raises:
            ArchiveUnreadable: the dump ends within them.
        """
        self._line()  # what is left of the statement's own
        while True:
            at = 0
            while (newline := self._buffer.find(b"\n", at)) >= 0:
                if bytes(self._buffer[at:newline]).rstrip(b"\r") == _END_OF_ROWS:
                    if at:
                        yield bytes(self._buffer[:at])
                    del self._buffer[: newline + 1]
                    return
                following = self._buffer.find(b"\n\\.", newline)
                # Everything up to the next line that may be the end mark is rows.
                at = following + 1 if following >= 0 else self._buffer.rfind(b"\n") + 1
            if at:
                yield bytes(self._buffer[:at])
                del self._buffer[:at]
            if not self._more():
                raise ArchiveUnreadable(f"The dump ends within the rows of statement {self.number}.")

    def _line(self) -> None:
        while (newline := self._buffer.find(b"\n")) < 0:
            if not self._more():
                raise ArchiveUnreadable(f"The dump ends within statement {self.number}.")
        if self._buffer[:newline].strip():
            raise DumpRefused(f"Something follows the COPY of statement {self.number} on its line.")
        del self._buffer[: newline + 1]

    def _more(self) -> bool:
        """Read on; False at the end."""
        if self._over:
            return False
        piece = self._source.read(_PIECE_BYTES)
        if not piece:
            self._over = True
            return False
        if len(self._buffer) > MOST_STATEMENT_BYTES:
            raise DumpRefused(f"Statement {self.number + 1} has no end within {MOST_STATEMENT_BYTES >> 20} MiB.")
        self._buffer += piece
        return True

    def _skip(self) -> bool:
        """Pass over blanks, comments and pg_dump's own two lines; False at the end of the dump."""
        while True:
            blank = _BLANK.match(self._buffer)
            if blank:
                del self._buffer[: blank.end()]
            if len(self._buffer) < 2 and self._more():
                continue
            if not self._buffer:
                return False
            if self._buffer.startswith(b"--"):
                self._take_line()
            elif self._buffer.startswith(b"/*"):
                del self._buffer[: self._comment(0)]
            elif self._buffer.startswith(b"\\"):
                line = self._take_line()
                if not _KNOWN_LINE.fullmatch(line):
                    raise _command(line, self.number)
            else:
                return True

    def _take_line(self) -> bytes:
        while (newline := self._buffer.find(b"\n")) < 0 and self._more():
            pass
        end = newline if newline >= 0 else len(self._buffer)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _end(self) -> int:
        """Where the statement that the buffer begins with ends."""
        at = 0
        while True:
            found = _TOKEN.search(self._buffer, at)
            # A token may go on in what was not read yet: `$` of a tag, the second `-`.
            if found is None or found.end() + 1 >= len(self._buffer):
                if self._more():
                    at = max(at, len(self._buffer) - _PIECE_BYTES - 128, 0) if found is None else found.start()
                    continue
                if found is None:
                    raise ArchiveUnreadable(f"The dump ends within statement {self.number + 1}.")
            token, start = found[0], found.start()
            if token == b";":
                return start + 1
            if token == b"\\":
                raise _command(bytes(self._buffer[start : start + 24]), self.number)
            if token == b"--":
                at = self._find(b"\n", found.end()) + 1
            elif token == b"/*":
                at = self._comment(start)
            elif token == b'"':
                at = self._quoted(_DOUBLE, found.end(), b'"')
            elif token == b"'":
                at = self._quoted(_ESCAPED if self._is_escaped(start) else _PAIRED, found.end(), b"'")
            elif start and _WORD_BYTE.match(self._buffer, start - 1):
                at = start + 1  # a dollar within a name
            else:
                at = self._find(token, found.end()) + len(token)

    def _is_escaped(self, quote: int) -> bool:
        """Whether the text that begins here is one with backslashes: E'…'."""
        if not quote or bytes(self._buffer[quote - 1 : quote]) not in (b"E", b"e"):
            return False
        return quote < 2 or _WORD_BYTE.match(self._buffer, quote - 2) is None

    def _quoted(self, pattern: re.Pattern[bytes], at: int, end: bytes) -> int:
        while True:
            found = pattern.search(self._buffer, at)
            # One quote at the very end of what was read may be the first of two.
            if found is None or found.end() == len(self._buffer):
                if self._more():
                    continue
                if found is None:
                    raise ArchiveUnreadable(f"The dump ends within statement {self.number + 1}.")
            if found[0] == end:
                return found.end()
            at = found.end()

    def _comment(self, at: int) -> int:
        """The end of a comment that begins at `at`; they nest."""
        depth = 0
        while True:
            found = _NESTED.search(self._buffer, at)
            if found is None:
                at = max(at, len(self._buffer) - 1)
                if not self._more():
                    raise ArchiveUnreadable("The dump ends within a comment.")
                continue
            depth += 1 if found[0] == b"/*" else -1
            at = found.end()
            if not depth:
                return at

    def _find(self, wanted: bytes, at: int) -> int:
        while (found := self._buffer.find(wanted, at)) < 0:
            at = max(at, len(self._buffer) - len(wanted) + 1)
            if not self._more():
                raise ArchiveUnreadable(f"The dump ends within statement {self.number + 1}.")
        return found


def _command(line: bytes, number: int) -> DumpRefused:
    found = _COMMAND.match(line)
    word = found[0].decode(errors="replace") if found else "\\"
    return DumpRefused(f"After statement {number} the dump has a command of psql's, {word}: dumps do not need it.")
