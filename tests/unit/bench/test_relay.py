# SPDX-License-Identifier: Apache-2.0
"""The relay counts what is asked of an engine and passes everything on."""

from __future__ import annotations

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest
from bench.relay import changing, relay_to, request_name


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        pass


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "engine.sock"
    with ThreadingUnixStreamServer(str(path), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


def test_relay_with_several_requests_on_one_connection_counts_each_and_changes_none(
    engine: str, tmp_path: Path
) -> None:
    with relay_to(engine, tmp_path) as relay:
        link = _UnixConnection(relay.host.removeprefix("unix://"))
        answers: list[bytes] = []
        for name in ("a", "b"):
            link.request("GET", f"/v1.41/containers/{name}/json?size=1")
            answers.append(link.getresponse().read())
        link.close()
        seen = relay.take()
        again = relay.take()

    assert answers == [b"/v1.41/containers/a/json?size=1", b"/v1.41/containers/b/json?size=1"]
    assert seen == Counter({"GET /containers/NAME/json": 2})
    assert again == Counter()


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        pytest.param("GET", "/containers/json", "GET /containers/json", id="list"),
        pytest.param("POST", "/containers/create", "POST /containers/create", id="create"),
        pytest.param("DELETE", "/containers/shop-web-0", "DELETE /containers/NAME", id="remove"),
        pytest.param("POST", "/networks/shop/connect", "POST /networks/NAME/connect", id="connect"),
    ],
)
def test_request_names_leave_out_what_they_are_about(method: str, path: str, name: str) -> None:
    assert request_name(method, path) == name


def test_changing_requests_are_those_that_are_no_look() -> None:
    looks = {"GET /containers/json": 5, "POST /containers/NAME/exec": 2, "POST /exec/NAME/start": 2}
    changes = {"POST /containers/NAME/start": 1, "PUT /containers/NAME/archive": 1, "DELETE /networks/NAME": 1}

    assert changing(Counter({**looks, **changes})) == Counter(changes)
