# SPDX-License-Identifier: Apache-2.0
"""Reads a file that a person named, up to a limit. It waits for a pipe's writer, but not for ever for one to come.

It never looks into what it reads. Used by every command that takes a file.
"""

from __future__ import annotations

import os
import select
import stat

from mooring.cli.errors import FileUnreadable

# Seconds. A shell that starts writer and reader together may start the reader first.
PIPE_WAIT_S = 5.0


def read_file(file: str, *, limit: int) -> bytes:
    """The first `limit` bytes of a file, a device or a pipe.

    Raises:
        FileUnreadable: it cannot be read, or is a pipe that nobody opened for writing within `PIPE_WAIT_S`.
    """
    try:
        # Opening a named pipe would wait until somebody opens its other end.
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            first = _begin(number, file, limit) if stat.S_ISFIFO(os.fstat(number).st_mode) else b""
            os.set_blocking(number, True)
            with os.fdopen(number, "rb", closefd=False) as opened:
                return first + opened.read(limit - len(first))
        finally:
            os.close(number)
    except OSError as error:
        raise FileUnreadable(f"{file or repr(file)} cannot be read: {error.strerror or error}.") from error


def _begin(number: int, file: str, limit: int) -> bytes:
    """What a pipe holds already, once it has had a writer."""
    found = _present(number, limit)
    if found == b"":
        watch = select.poll()
        watch.register(number, select.POLLIN)
        if not watch.poll(PIPE_WAIT_S * 1000):
            found = _present(number, limit)
            if found == b"":
                raise FileUnreadable(f"{file} cannot be read: it is a pipe, and nothing writes to it.")
    return found or b""


def _present(number: int, limit: int) -> bytes | None:
    """What a pipe holds now: nothing without a writer, None with one that is silent so far."""
    try:
        return os.read(number, limit)
    except BlockingIOError:
        return None
