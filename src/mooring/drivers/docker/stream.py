# SPDX-License-Identifier: Apache-2.0
"""What an engine sends piece by piece: logs, events, the output of a process.

The client library's own readers have no time-out, and do not close all that they opened.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from mooring.drivers.docker.faults import mapped

T = TypeVar("T")
OUTPUT_LIMIT = 64 * 1024
_FRAME_HEAD = 8


class Stream(Generic[T]):
    """Something that comes piece by piece; `close`, from any thread, ends it."""

    def __init__(self, data: Any, what: str, done: Callable[[], None] = lambda: None) -> None:
        self._data = data
        self._what = what
        self._done = done

    def __iter__(self) -> Iterator[T]:
        with mapped(self._what):
            yield from self._data

    def close(self) -> None:
        """End it, and give its connection back."""
        # Ending it is all that is asked for: a connection that is gone already is no fault.
        with contextlib.suppress(Exception):
            self._data.close()
        self._done()


def read_until(stream: Any, deadline: float) -> str | None:
    """The output of an attached process; None when the deadline came first.

    The library's own reader waits without a time-out, whatever the socket's is.
    """
    plain: socket.socket = getattr(stream, "_sock", stream)
    kept = bytearray(first_bytes(stream))
    try:
        while (rest := deadline - time.monotonic()) > 0:
            plain.settimeout(rest)
            piece = plain.recv(65536)
            if not piece:
                return _text(bytes(kept))
            if len(kept) < OUTPUT_LIMIT:
                kept += piece
    except TimeoutError:
        return None
    finally:
        close_stream(stream)
    return None


def first_bytes(stream: Any) -> bytes:
    """What came together with the engine's answer that a process is attached, of an attached process's connection.

    The library reads the answer's head through a buffer and then gives the bare socket: the output of a process that was
    quick enough is in that buffer, and would be lost. Call it once, before anything is read.
    """
    plain = getattr(stream, "_sock", stream)
    reader = getattr(getattr(getattr(getattr(stream, "_response", None), "raw", None), "_fp", None), "fp", None)
    if reader is None or not isinstance(plain, socket.socket):
        return b""  # over ssh the library reads all through one buffer
    before = plain.gettimeout()
    plain.settimeout(0)
    try:
        return bytes(reader.read1(65536))
    except ssl.SSLWantReadError:
        return b""
    finally:
        plain.settimeout(before)


def _text(data: bytes) -> str:
    """The text of both outputs in their frames: one byte which, three of padding, four of length, then the piece."""
    found = bytearray()
    while len(data) > _FRAME_HEAD:
        size = int.from_bytes(data[4:_FRAME_HEAD], "big")
        found += data[_FRAME_HEAD : _FRAME_HEAD + size]
        data = data[_FRAME_HEAD + size :]
    return found.decode(errors="replace")


def close_stream(stream: Any) -> None:
    """Close an attached process's connection; the library leaves the socket under it open."""
    plain: socket.socket = getattr(stream, "_sock", stream)
    response = getattr(stream, "_response", None)
    stream.close()
    plain.close()
    if response is not None:
        # It flushes the file that was just closed under it.
        with contextlib.suppress(ValueError):
            response.close()
