# SPDX-License-Identifier: Apache-2.0
"""The mail sink's program: listens, and keeps what comes until it is told to end.

    python3 -m mooring.engine.mailsink /run/mooring/mailsink.json

One process without any right, on the network of one Staging instance. It has no code that connects to anything. Targets keep it
running (`mooring.domain.mailsink` says with what); it is no `mooring task`, since it has no result.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from mooring.domain.mailsink import LISTENS, SinkDocument, load_sink
from mooring.engine.mailsink.session import LINE_BYTES, Session
from mooring.engine.mailsink.store import Store

# Of the largest messages so many fit beside those that are kept (`VOLUME_BYTES`).
AT_ONCE = 8


async def serve(document: SinkDocument, *, address: str = "0.0.0.0", stop: asyncio.Event) -> None:  # noqa: S104 - its own
    """Take mail until `stop` is set; a message that is coming in then is not kept, and its sender knows that.

    Raises:
        OSError: the port cannot be listened on, or the folder not be used.
    """
    store = Store(Path(document.folder), total_bytes=document.total_bytes, messages=document.messages)
    free = asyncio.Semaphore(AT_ONCE)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with free:
                session = Session(reader, writer, store, message_bytes=document.message_bytes, say=_say)
                with contextlib.suppress(OSError):  # it broke off, or could not be kept: the sender has no `250`
                    await session.run()
        finally:
            writer.close()

    server = await asyncio.start_server(talk, address, document.port, limit=LINE_BYTES)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _say(f"{LISTENS} on {port}")
        await stop.wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _run(document: SinkDocument) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.create_task(serve(document, stop=stop))
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not serving.done():
        serving.cancel()  # conversations that go on hold the server open
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def main(arguments: list[str]) -> int:
    """0 when it was told to end, 1 when it cannot listen or keep, 2 for a document that it cannot read."""
    try:
        document = load_sink(Path(arguments[0]).read_text(encoding="utf-8"))
    except (IndexError, OSError, ValueError) as fault:
        _say(f"mail: no document to go by: {fault}")
        return 2
    try:
        asyncio.run(_run(document))
    except OSError as fault:
        _say(f"mail: cannot work: {fault}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
