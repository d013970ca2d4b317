# SPDX-License-Identifier: Apache-2.0
"""Where a command's bytes go: a file of this machine, or standard output. A file gets its name when it is whole.

And whether a person is at both ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mooring.cli.errors import BadRequest
from mooring.cli.streams import output_is_closed
from mooring.drivers.files import file_errors

STANDARD_OUTPUT = "-"


def has_terminal() -> bool:
    """Whether a person types and reads: standard input and output are both a terminal, and neither was closed."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def check_outlet(to: str, *, binary: bool = True) -> None:
    """Refuse what cannot take it, before anything is made.

    Raises:
        BadRequest: it is a folder, there is no such folder, or standard output is a terminal or closed.
    """
    if to == STANDARD_OUTPUT:
        if output_is_closed():
            raise BadRequest("Standard output is closed.", resolution="Redirect it, or give --to FILE.")
        if binary and sys.stdout.isatty():
            raise BadRequest("Standard output is a terminal.", resolution="Redirect it, or give --to FILE.")
        return
    path = Path(to)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise BadRequest(
            f"{to} names no file in a folder that is there.", resolution="Give --to the path of a file to write."
        )


@contextmanager
def open_outlet(to: str) -> Iterator[IO[bytes]]:
    """The place to write to; what had the file's name is replaced when the body went well, for its owner's eyes only.

    Raises:
        NotWritable: the file cannot be written.
    """
    if to == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(to)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with file_errors(path):
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
