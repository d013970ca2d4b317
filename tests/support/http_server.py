# SPDX-License-Identifier: Apache-2.0
"""An HTTP server on the loopback address, for tests that say themselves what it answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serve_http(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Its host and port, such as `127.0.0.1:40001`, while it serves; it prints nothing of what it is asked."""

    class Quiet(handler):  # type: ignore[misc, valid-type]  # a class that is an argument
        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
