# SPDX-License-Identifier: Apache-2.0
"""The relay: passes TCP connections to the destinations that its document names, and to nothing else.

    python3 -m mooring.engine.relay /run/mooring/relay.json

One process without any right, with one leg in a network without a way out and one in a network with. It looks names up
when it connects, so that a server that moves is found again. It never looks into what it passes on: TLS is between the two
ends, and no byte of it is logged. Targets start it (`mooring.domain.relay` says with what); it is no `mooring task`, since
it has no result.

One direction that ends is ended on the other side while the other direction goes on (half-close, RFC 9293, 3.6). A destination
that cannot be reached resets the connection, and is said in one line.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import struct
import sys

from mooring.domain.model.desired import Destination
from mooring.domain.relay import COMPLAINS, LISTENS, RelayDocument, load_relay
from mooring.engine.service import run_service, say

CONNECT_TIMEOUT_S = 10.0
PIECE_BYTES = 64 * 1024
# A peer that went away without a word is noticed after 60 + 3 · 20 seconds; silence alone ends nothing.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 3))


async def serve(document: RelayDocument, stop: asyncio.Event, *, address: str = "0.0.0.0") -> None:  # noqa: S104 - both legs
    """Listen on every port of `document` until `stop` is set or its lifetime is over.

    Connections that are open then end with the caller's loop: nobody waits for them.

    Raises:
        OSError: a port cannot be listened on.
    """
    with contextlib.ExitStack() as stack:
        for place in document.destinations:
            server = await asyncio.start_server(functools.partial(_pass_on, place), address, place.port)
            stack.callback(server.close)
        say(f"{LISTENS} for {', '.join(map(_name, document.destinations))}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), document.lifetime_s)


async def _pass_on(place: Destination, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            far_reader, far_writer = await asyncio.open_connection(place.host, place.port)
    except (OSError, UnicodeError) as fault:
        # A name that IDNA cannot write is a UnicodeError, and a TimeoutError has no words.
        say(f"{COMPLAINS} {_name(place)}: {getattr(fault, 'strerror', None) or str(fault) or type(fault).__name__}")
        _reset(writer)
        return
    try:
        for end in (writer, far_writer):
            _keep_alive(end)
        async with asyncio.TaskGroup() as both:
            both.create_task(_pump(reader, far_writer))
            both.create_task(_pump(far_reader, writer))
    except* OSError:
        # One end broke off: the other learns it the same way.
        for end in (writer, far_writer):
            _reset(end)
    finally:
        for end in (writer, far_writer):
            end.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(PIECE_BYTES):
        sink.write(piece)
        await sink.drain()
    if sink.can_write_eof() and not sink.is_closing():
        sink.write_eof()


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    plain: socket.socket = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in KEEPALIVE:
        plain.setsockopt(socket.IPPROTO_TCP, option, seconds)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End it with RST: an orderly end would say that everything had been delivered."""
    plain: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _name(place: Destination) -> str:
    return f"{place.host}:{place.port}"


def main(arguments: list[str]) -> int:
    """0 when it was told to end or its time was over, 1 when it cannot listen, 2 for a document that it cannot read."""
    return run_service(arguments, name="relay", cannot="listen", load=load_relay, serve=serve)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
