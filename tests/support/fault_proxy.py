# SPDX-License-Identifier: Apache-2.0
"""A small HTTP proxy in front of a real store that answers 500 or 503, cuts bodies, loses answers, is slow, or is gone.

One request a connection; the request goes on unchanged, so that its signature still holds.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["none", "403", "500", "503", "cut", "lost", "gone", "slow"]
Choose = Callable[[str, str, int], Fault]
"""Method, path and number of the request (from 0): what happens to it."""

_END = b"\r\n\r\n"
_CODES = {"403": b"AccessDenied", "500": b"InternalError", "503": b"SlowDown"}
_BODY = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>on purpose</Message></Error>"


@dataclass
class FaultProxy:
    """A proxy that runs; `choose` may be changed at any time."""

    target: int
    choose: Choose = lambda _method, _path, _number: "none"
    port: int = 0
    seen: list[tuple[str, str, Fault]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        """One request."""
        with connection, contextlib.suppress(OSError):
            head, body = _read_message(connection)
            if not head:
                return
            method, path, _ = head.split(b" ", 2)
            with self._lock:
                fault = self.choose(method.decode(), path.decode(), len(self.seen))
                self.seen.append((method.decode(), path.decode(), fault))
            if fault == "gone":
                return
            if fault in _CODES:
                content = _BODY % _CODES[fault]
                connection.sendall(
                    b"HTTP/1.1 %s On Purpose\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                    % (fault.encode(), len(content))
                    + content
                )
                return
            if fault == "slow":
                time.sleep(1.0)
            answer = self._forward(head, body)
            if fault == "lost":
                return
            if fault == "cut":
                begin = answer.index(_END) + len(_END)
                answer = answer[: begin + (len(answer) - begin) // 2]
            connection.sendall(answer)

    def _forward(self, head: bytes, body: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.target), timeout=60) as there:
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            there.sendall(b"\r\n".join([*lines, b"Connection: close"]) + _END + body)
            answer = bytearray()
            while piece := there.recv(1 << 16):
                answer += piece
        return bytes(answer)


def _read_message(connection: socket.socket) -> tuple[bytes, bytes]:
    received = bytearray()
    while _END not in received:
        piece = connection.recv(1 << 16)
        if not piece:
            return b"", b""
        received += piece
    head, _, rest = bytes(received).partition(_END)
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = bytearray(rest)
    while len(body) < length:
        piece = connection.recv(1 << 16)
        if not piece:
            return b"", b""
        body += piece
    return head, bytes(body)


@contextlib.contextmanager
def fault_proxy(target: int) -> Iterator[FaultProxy]:
    """A proxy to a port of this machine, until the block ends."""
    proxy = FaultProxy(target)
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy.port = server.getsockname()[1]
        server.settimeout(0.1)
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                connection.settimeout(60)
                threading.Thread(target=proxy.serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            ended.set()
            thread.join()
