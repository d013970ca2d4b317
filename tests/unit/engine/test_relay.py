# SPDX-License-Identifier: Apache-2.0
"""The relay on real sockets of the loopback address."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

import pytest

from mooring.domain.model.desired import Destination
from mooring.domain.relay import COMPLAINS, LISTENS, RelayDocument, dump_relay, load_relay, plan_relays
from mooring.engine.relay import main, serve

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HERE = "127.0.0.1"
# The relay listens on a loopback address of its own, so that it can have the destination's port.
RELAY = "127.0.0.2"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def far_end(handler: Handler, port: int = 0) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, HERE, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@asynccontextmanager
async def relay(*places: Destination) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(serve(RelayDocument(places), address=RELAY, stop=stop))
    try:
        await asyncio.sleep(0.05)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)
        await asyncio.sleep(0.05)  # what was closed here is learnt by the far end


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1000):
        writer.write(piece)
        await writer.drain()
    writer.close()


async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers only after the other side's end, which half-close alone allows."""
    data = await reader.read()
    writer.write(str(len(data)).encode())
    await writer.drain()
    writer.close()


async def drop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Breaks off as a process that was killed does: with RST."""
    plain: socket.socket = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_relay_passes_bytes_both_ways() -> None:
    async with far_end(echo) as port, relay(Destination(HERE, port)):
        reader, writer = await asyncio.open_connection(RELAY, port)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
        writer.close()


async def test_relay_passes_the_end_of_one_direction_on_and_keeps_the_other() -> None:
    async with far_end(count) as port, relay(Destination(HERE, port)):
        reader, writer = await asyncio.open_connection(RELAY, port)
        writer.write(b"x" * 3_000_000)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 20) == b"3000000"
        writer.close()


async def test_relay_serves_several_destinations_each_by_its_port() -> None:
    async with (
        far_end(echo) as one,
        far_end(count) as two,
        relay(Destination(HERE, one), Destination("localhost", two)),
    ):
        for port, answer in ((one, b"abc"), (two, b"3")):
            reader, writer = await asyncio.open_connection(RELAY, port)
            writer.write(b"abc")
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 5) == answer
            writer.close()


@pytest.mark.parametrize("host", [HERE, "no-such-host.invalid"], ids=["nobody listens", "no such name"])
async def test_relay_to_what_does_not_answer_resets_and_says_which(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    async with relay(Destination(host, port)):
        reader, writer = await asyncio.open_connection(RELAY, port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 20)
        writer.close()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(LISTENS)
    assert said[1].startswith(f"{COMPLAINS} {host}:{port}: ")


async def test_relay_hands_on_that_a_server_broke_off() -> None:
    async with far_end(drop) as port, relay(Destination(HERE, port)):
        reader, writer = await asyncio.open_connection(RELAY, port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 5)
        writer.close()


async def test_relay_finds_a_server_that_comes_later() -> None:
    port = free_port()
    async with relay(Destination(HERE, port)):
        reader, writer = await asyncio.open_connection(RELAY, port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.readexactly(1), 5)
        writer.close()
        async with far_end(echo, port):
            reader, writer = await asyncio.open_connection(RELAY, port)
            writer.write(b"hello")
            assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
            writer.close()


async def test_relay_prints_nothing_of_what_passes(capsys: pytest.CaptureFixture[str]) -> None:
    async with far_end(echo) as port, relay(Destination(HERE, port)):
        reader, writer = await asyncio.open_connection(RELAY, port)
        writer.write(b"hunter2")
        await asyncio.wait_for(reader.readexactly(7), 5)
        writer.close()
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{LISTENS} for {HERE}:{port}\n", "")


async def test_relay_ends_by_itself_when_its_time_is_over() -> None:
    document = RelayDocument((Destination(HERE, free_port()),), lifetime_s=0.1)
    await asyncio.wait_for(serve(document, address=RELAY, stop=asyncio.Event()), 5)


def test_relay_without_a_document_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "no document" in capsys.readouterr().out


@pytest.mark.parametrize("lifetime", [None, 90.0], ids=["for ever", "with an end"])
def test_document_of_a_relay_comes_back_as_it_was(lifetime: float | None) -> None:
    document = RelayDocument((Destination("db.example.com", 5432), Destination("192.0.2.7", 25)), lifetime)
    assert load_relay(dump_relay(document)) == document


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{}", id="empty"),
        pytest.param('{"v": 2, "destinations": [], "lifetimeS": null}', id="another version"),
        pytest.param('{"v": 1, "destinations": [], "lifetimeS": null}', id="nothing to pass on"),
        pytest.param("no json", id="no JSON"),
    ],
)
def test_document_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        load_relay(text)


def test_relays_are_as_few_as_ports_allow_and_keep_a_host_together() -> None:
    allow = (
        Destination("one", 5432),
        Destination("mail", 25),
        Destination("two", 5432),
        Destination("ONE", 443),
        Destination("two", 25),
        Destination("one", 5432),
    )
    groups = plan_relays(allow)
    assert [[(item.host, item.port) for item in group] for group in groups] == [
        [("one", 5432), ("ONE", 443), ("mail", 25)],
        [("two", 5432), ("two", 25)],
    ]


def test_relays_for_nothing_are_none() -> None:
    assert plan_relays(()) == ()
