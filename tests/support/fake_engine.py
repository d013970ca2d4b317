# SPDX-License-Identifier: Apache-2.0
"""A container engine that is none: answers on a unix socket what a client asks first, and runs one process as told.

For what a real engine cannot be made to do at will: to answer at an unusual place, or to be quicker than its client.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

VERSION = {"Version": "28.0.0", "ApiVersion": "1.43", "MinAPIVersion": "1.24", "Components": [{"Name": "Engine"}]}


@dataclass
class FakeProcess:
    """What a process run beside a container's own does.

    Attributes:
        labels: those of the container `shop` that it runs in.
        output: what the engine sends in one piece with its answer that the process begins.
        echo: how often it says each piece of its standard input, which it reads to the end, before it reads on.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    output: bytes = b""
    exit_code: int = 0
    echo: int = 0


@contextmanager
def serve_engine(path: Path, process: FakeProcess | None = None) -> Iterator[list[str]]:
    """Answer at the socket `path`, with one container `shop`; gives the requests as they come, `GET /_ping`."""
    asked: list[str] = []
    runs = process or FakeProcess()
    answers: Mapping[str, object] = {
        "/version": VERSION,
        "/containers/json": [{"Names": ["/shop"], "State": "running", "Labels": dict(runs.labels)}],
        "/containers/shop/exec": {"Id": "run"},
        "/exec/run/json": {"Running": False, "ExitCode": runs.exit_code},
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = "/" + self.path.partition("?")[0].lstrip("/")
            path = path.partition("/v1.43")[2] if path.startswith("/v1.43/") else path
            asked.append(f"{self.command} {path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if path == "/exec/run/start":
                self._run()
            elif path == "/_ping":
                self._answer(200, b"OK", "text/plain")
            elif path in answers:
                self._answer(200, json.dumps(answers[path]).encode())
            else:
                self._answer(409, json.dumps({"message": f"not here: {path} {len(body)}"}).encode())

        def do_POST(self) -> None:
            self.do_GET()

        def _run(self) -> None:
            head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            self.connection.sendall(head + runs.output)
            while runs.echo and (piece := self.connection.recv(65536)):
                self.connection.sendall(piece * runs.echo)
            self.close_connection = True

        def _answer(self, code: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()
            path.unlink()
