# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and the S3 server, and counts requests and bytes that the client sends. Changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|DELETE) /[^ \r\n]* HTTP/1\.1\r\n")


@dataclass
class Counted:
    """What went through.

    Attributes:
        sent_bytes: from the client, heads of requests included.
        requests: method → how many.
    """

    sent_bytes: int = 0
    requests: Counter[str] = field(default_factory=Counter)

    def take(self) -> Counted:
        """What was counted since the last call."""
        taken = Counted(self.sent_bytes, self.requests)
        self.sent_bytes, self.requests = 0, Counter()
        return taken


@contextlib.contextmanager
def counting(listen: str, target: str, port: int) -> Iterator[tuple[str, Counted]]:
    """Listen on an address of this machine for the length of the block: (URL, what is counted)."""
    counted, ready, ends = Counted(), threading.Event(), []

    async def serve() -> None:
        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            out_reader, out_writer = await asyncio.open_connection(target, port)
            await asyncio.gather(_pass(reader, out_writer, counted), _pass(out_reader, writer, None))

        stop = asyncio.Event()
        server = await asyncio.start_server(client, listen, 0)
        ends.append((asyncio.get_running_loop(), stop, server.sockets[0].getsockname()[1]))
        ready.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="counting", daemon=True)
    thread.start()
    ready.wait(10)
    loop, stop, found = ends[0]
    try:
        yield f"http://{listen}:{found}", counted
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: Counted | None) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1 << 18):
            if counted is not None:
                counted.sent_bytes += len(piece)
                counted.requests.update(one.decode() for one in _REQUEST.findall(piece))
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
