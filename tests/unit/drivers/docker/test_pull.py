# SPDX-License-Identifier: Apache-2.0
"""How a pull ends, asked of an engine that answers as Docker 20.10 does (before the stream) and as Podman does (in it)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler

import pytest

from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.find import EngineAddress
from mooring.errors import MooringError
from tests.support.http_server import serve_http

SILENT_S = 2.0
REFUSED = 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused'
NO_HOST = 'Get "https://r.example/v2/": dial tcp: lookup r.example on 192.0.2.53:53: no such host'
BROKEN = "received unexpected HTTP status: 500 Internal Server Error"
NO_TAG = "manifest for r.example/x:1 not found: manifest unknown: manifest unknown"
DENIED = (
    "pull access denied for x, repository does not exist or may require 'docker login': "
    "denied: requested access to the resource is denied"
)


@contextmanager
def fake_engine(status: int, body: bytes, *, silent: str = "") -> Iterator[Engine]:
    """An engine whose every pull is answered with `status` and `body`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._say(200, b'{"ApiVersion": "1.41"}' if self.path.endswith("/version") else b"OK")

        def do_POST(self) -> None:
            if silent == "before the stream":
                time.sleep(SILENT_S)
            self._say(status, body)

        def _say(self, code: int, text: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                if silent == "in the stream" and self.command == "POST":
                    time.sleep(SILENT_S)
                self.wfile.write(b"0\r\n\r\n")

    with serve_http(Handler) as address, closing(Engine(EngineAddress(f"tcp://{address}"))) as engine:
        yield engine


def refused(engine: Engine, name: str = "r.example/x:1", *, idle_timeout_s: float = 10) -> MooringError:
    """The error of a pull."""
    with pytest.raises(MooringError) as caught:
        engine.pull(name, login=None, idle_timeout_s=idle_timeout_s)
    return caught.value


@pytest.mark.parametrize("place", ["before the stream", "in the stream"])
@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        pytest.param(500, NO_HOST, "RegistryUnreachable", id="no such host"),
        pytest.param(500, REFUSED, "RegistryUnreachable", id="connection refused"),
        pytest.param(500, BROKEN, "RegistryUnreachable", id="the registry is broken"),
        pytest.param(404, NO_TAG, "ImageNotFound", id="no such tag"),
        pytest.param(500, "download failed after attempts=1: unknown blob", "ImageNotFound", id="no such layer"),
        pytest.param(404, DENIED, "RegistryDenied", id="denied"),
        pytest.param(500, "Head x: unauthorized: authentication required", "RegistryDenied", id="no login"),
        pytest.param(500, "Head x: no basic auth credentials", "RegistryDenied", id="no login, by name and password"),
        pytest.param(500, "write /var/x: no space left on device", "DiskFull", id="disk"),
        pytest.param(500, "the engine is in a mood", "EngineRefused", id="else"),
    ],
)
def test_pull_that_is_refused_has_the_type_of_its_cause(place: str, status: int, words: str, reason: str) -> None:
    early = place == "before the stream"
    text = json.dumps({"message": words} if early else {"error": words}).encode()
    with fake_engine(status if early else 200, text) as engine:
        fault = refused(engine)
    assert (fault.reason, fault.details) == (reason, words)
    assert "r.example/x:1" in fault.brief


def test_pull_that_the_engine_answers_with_404_in_other_words_is_an_image_that_is_nowhere() -> None:
    with fake_engine(404, b'{"message": "nothing of that kind"}') as engine:
        assert refused(engine).reason == "ImageNotFound"


@pytest.mark.parametrize("silent", ["before the stream", "in the stream"])
def test_pull_that_goes_silent_is_a_registry_that_does_not_answer(silent: str) -> None:
    with fake_engine(200, b"{}", silent=silent) as engine:
        assert refused(engine, idle_timeout_s=1).reason == "RegistryUnreachable"
