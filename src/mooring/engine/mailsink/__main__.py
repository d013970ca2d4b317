# SPDX-License-Identifier: Apache-2.0
"""The mail sink's program: listens, and keeps what comes until it is told to end.

    python3 -m mooring.engine.mailsink /run/mooring/mailsink.json

One process without any right, on the network of one Staging instance. It has no code that connects to anything. Targets keep it
running (`mooring.domain.mailsink` says with what); it is no `mooring task`, since it has no result.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from mooring.domain.mailsink import LISTENS, SinkDocument, load_sink
from mooring.engine.mailsink.session import LINE_BYTES, Session
from mooring.engine.mailsink.store import Store
from mooring.engine.service import run_service, say

# Of the largest messages so many fit beside those that are kept (`VOLUME_BYTES`).
AT_ONCE = 8


async def serve(document: SinkDocument, stop: asyncio.Event, *, address: str = "0.0.0.0") -> None:  # noqa: S104 - its own
    """Take mail until `stop` is set; a message that is coming in then is not kept, and its sender knows that.

    Raises:
        OSError: the port cannot be listened on, or the folder not be used.
    """
    store = Store(Path(document.folder), total_bytes=document.total_bytes, messages=document.messages)
    free = asyncio.Semaphore(AT_ONCE)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with free:
                session = Session(reader, writer, store, message_bytes=document.message_bytes, say=say)
                with contextlib.suppress(OSError):  # it broke off, or could not be kept: the sender has no `250`
                    await session.run()
        finally:
            writer.close()

    server = await asyncio.start_server(talk, address, document.port, limit=LINE_BYTES)
    # Closed without a wait: conversations that go on would hold it open. They end with the caller's loop.
    with contextlib.closing(server):
        port = server.sockets[0].getsockname()[1]
        say(f"{LISTENS} on {port}")
        await stop.wait()


def main(arguments: list[str]) -> int:
    """0 when it was told to end, 1 when it cannot listen or keep, 2 for a document that it cannot read."""
    return run_service(arguments, name="mail", cannot="work", load=load_sink, serve=serve)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
