# SPDX-License-Identifier: Apache-2.0
"""What comes by itself: the engine's events as references to look at, and logs line by line.

Blocking streams are read by threads of their own, one a stream, that end with the stream or when nobody reads any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TypeVar

from mooring.domain.model.identity import Ref
from mooring.drivers.clock import Clock
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.stream import Stream
from mooring.drivers.errors import EngineUnreachable
from mooring.errors import MooringError
from mooring.targets.docker import labels as tag
from mooring.targets.docker.sites import KIND
from mooring.targets.errors import NotRunning

T = TypeVar("T")
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_QUIET = ("exec_", "attach", "archive-path", "top", "resize", "health_status")


async def changes(engine: Engine, clock: Clock, *, installation: str) -> AsyncIterator[Ref]:
    """References whose objects changed. Follows events; reconnects with growing pauses, from where it stopped."""
    since = int(clock.now().timestamp())
    failures = 0
    labels = [f"{tag.INSTALLATION}={installation}"]
    while True:
        try:
            async for event in _threaded(partial(engine.events, labels=labels, since=since)):
                failures = 0
                since = int(event.get("time") or since)
                action = str(event.get("Action") or event.get("status") or "")
                ref = tag.ref_of((event.get("Actor") or {}).get("Attributes") or {})
                if ref is not None and ref.kind != KIND and not action.startswith(_QUIET):
                    yield ref
        except EngineUnreachable:
            # The engine restarts: what asks it for anything says so; this one waits until it is back.
            failures += 1
        await clock.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])


async def logs(engine: Engine, ref: Ref, *, role: str, follow: bool, lines: int) -> AsyncIterator[str]:
    """Lines of all replicas of a role.

    Raises:
        NotRunning: there is no replica.
    """
    loop = asyncio.get_running_loop()
    filters = [*tag.owner_filter(ref), f"{tag.ROLE}={role}"]
    found = await loop.run_in_executor(None, lambda: engine.containers(labels=filters))
    names = sorted(str(item["Names"][0]).lstrip("/") for item in found)
    if not names:
        raise NotRunning(f"{ref} has no {role}")
    queue: asyncio.Queue[str | MooringError | None] = asyncio.Queue(1000)

    async def read(name: str) -> None:
        prefix = f"{name}: " if len(names) > 1 else ""
        rest = b""
        try:
            async for chunk in _threaded(lambda: engine.log_stream(name, follow=follow, lines=lines)):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    await queue.put(prefix + line.decode(errors="replace").rstrip("\r"))
            if rest:
                await queue.put(prefix + rest.decode(errors="replace"))
        except MooringError as fault:
            await queue.put(fault)
        else:
            await queue.put(None)

    readers = [asyncio.create_task(read(name)) for name in names]
    try:
        for _ in readers:
            while (item := await queue.get()) is not None:
                if isinstance(item, MooringError):
                    raise item
                yield item
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _threaded(make: Callable[[], Stream[T]]) -> AsyncIterator[T]:
    """The items of a blocking stream, read by a thread that ends with it."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[T | None, BaseException | None, bool]] = asyncio.Queue()
    stop = threading.Event()
    opened: list[Stream[T]] = []

    def put(item: T | None, fault: BaseException | None, *, end: bool) -> None:
        if not stop.is_set() and not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, (item, fault, end))

    def work() -> None:
        try:
            stream = make()
            opened.append(stream)
            for item in stream:
                if stop.is_set():
                    break
                put(item, None, end=False)
        except Exception as fault:  # noqa: BLE001 - carried over to the reader, who raises it
            put(None, fault, end=True)
        else:
            put(None, None, end=True)
        finally:
            for stream in opened:
                stream.close()

    thread = threading.Thread(target=work, name="docker-stream", daemon=True)
    thread.start()
    try:
        while True:
            item, fault, end = await queue.get()
            if fault is not None:
                raise fault
            if end:
                return
            if item is not None:
                yield item
    finally:
        stop.set()
        for stream in opened:
            stream.close()
