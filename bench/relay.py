# SPDX-License-Identifier: Apache-2.0
"""Stands between a program and the engine's socket, and counts what is asked for. Nothing is changed on the way."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE) (?:/v[0-9.]+)?(/[^ ?]*)[^ ]* HTTP/1\.1\r\n")
_NAME = re.compile(r"^/(containers|networks|volumes|images|exec)/(?!json|create|prune)[^/]+")
# Looking into a container (a probe, a file) changes nothing in it.
_HARMLESS = re.compile(r"^POST /(containers/NAME/exec|exec/NAME/start)$")


class Relay:
    """A listening socket beside the real one.

    Attributes:
        host: its address, for DOCKER_HOST.
        seen: `METHOD /path` with NAME for names → how often.
    """

    def __init__(self, real: Path, own: Path) -> None:
        self.host = f"unix://{own}"
        self.seen: Counter[str] = Counter()
        self._real, self._own = real, own
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="relay", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._ready.wait(10)

    def stop(self) -> None:
        """Hear no more."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._own.unlink(missing_ok=True)

    def take(self) -> Counter[str]:
        """What was seen since the last call."""
        seen, self.seen = self.seen, Counter()
        return seen

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_unix_server(self._client, str(self._own))
        self._ready.set()
        await self._stop.wait()
        server.close()  # the end of the loop cancels what is left of open connections

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        real_reader, real_writer = await asyncio.open_unix_connection(str(self._real))
        copies = {
            asyncio.create_task(self._copy(reader, real_writer, counted=True)),
            asyncio.create_task(self._copy(real_reader, writer, counted=False)),
        }
        self._open |= copies  # the loop itself would let them go
        try:
            # Neither side ever says that it has said everything and still listens.
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in copies:
                one.cancel()
            await asyncio.gather(*copies, return_exceptions=True)
            self._open -= copies
            for stream in (writer, real_writer):
                stream.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool) -> None:
        while data := await source.read(65536):
            # A client sends the head of a request at once, and nothing else before it has the answer.
            if counted and (found := _REQUEST.match(data)) is not None:
                self.seen[request_name(found[1].decode(), found[2].decode())] += 1
            sink.write(data)
            await sink.drain()


@contextlib.contextmanager
def relay_to(host: str | None, folder: Path) -> Iterator[Relay]:
    """A relay to the engine at `host` (a unix address, or None for Docker's usual one)."""
    real = Path((host or "unix:///var/run/docker.sock").removeprefix("unix://"))
    relay = Relay(real, folder / "relay.sock")
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()


def request_name(method: str, path: str) -> str:
    """A request without the name of what it is about."""
    return f"{method} {_NAME.sub(lambda found: f'/{found[1]}/NAME', path)}"


def changing(seen: Counter[str]) -> Counter[str]:
    """Those requests that may change an object."""
    kept = Counter({name: count for name, count in seen.items() if not name.startswith(("GET ", "HEAD "))})
    return Counter({name: count for name, count in kept.items() if not _HARMLESS.match(name)})
