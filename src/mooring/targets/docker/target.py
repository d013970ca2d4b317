# SPDX-License-Identifier: Apache-2.0
"""The Docker target: the `Target` protocol over one container engine.

The blocking client runs in a small pool of threads of its own; secrets are read on the caller's loop at the moment a file
is written. Holds no truth: everything it knows is read from the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Change, Found, Observed
from mooring.domain.model.release import Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey
from mooring.domain.task import TaskSpec, TaskState
from mooring.drivers.clock import Clock
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.find import EngineAddress
from mooring.targets.base import SecretReader
from mooring.targets.docker import images, recovery, stock, streams, terminal
from mooring.targets.docker import labels as tag
from mooring.targets.docker.converge import Converger
from mooring.targets.docker.observe import Looker
from mooring.targets.docker.options import CAPABILITIES, DockerOptions
from mooring.targets.docker.plan import plan_moves
from mooring.targets.docker.probes import Probes
from mooring.targets.docker.stops import Stops
from mooring.targets.docker.tasks import Tasks

T = TypeVar("T")
THREADS = 8


class DockerTarget:
    """Docker or Podman.

    Args:
        address: where the engine is (`mooring.drivers.docker.find.find_engine`).
        secrets: what fills the slots of files.
        clock: time.
        installation: id of this Mooring.
        options: settings.

    Raises:
        EngineUnreachable: at the first call, when nobody answers there.
    """

    capabilities = CAPABILITIES

    def __init__(
        self,
        address: EngineAddress,
        *,
        secrets: SecretReader,
        clock: Clock,
        installation: str,
        options: DockerOptions | None = None,
    ) -> None:
        self._address = address
        self._secrets = secrets
        self._clock = clock
        self._installation = installation
        self._options = options or DockerOptions()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")
        self._parts: _Parts | None = None
        self._opening = asyncio.Lock()

    async def observe(self, ref: Ref, *, live: bool = False) -> Observed:
        """See `Target.observe`."""
        parts = await self._open()
        at = self._clock.now()
        return await self._call(lambda: parts.looker.observe(ref, at=at, live=live))

    def diff(self, want: Desired, seen: Observed) -> Sequence[Change]:
        """See `Target.diff`."""
        return [move.change for move in plan_moves(want, seen, self._options)]

    async def converge(self, want: Desired, seen: Observed) -> Sequence[Change]:
        """See `Target.converge`."""
        parts = await self._open()
        converger = Converger(parts.engine, self._options, parts.stops, self._secret())
        return await self._act(lambda: converger.converge(want, seen))

    async def start(self, task: TaskSpec) -> None:
        """See `Target.start`."""
        tasks = await self._tasks()
        await self._act(lambda: tasks.start(task))

    async def task(self, name: str) -> TaskState:
        """See `Target.task`."""
        tasks = await self._tasks()
        now = self._clock.now()
        return await self._call(lambda: tasks.state(name, now=now))

    async def cancel(self, name: str) -> None:
        """See `Target.cancel`."""
        tasks = await self._tasks()
        await self._act(lambda: tasks.cancel(name))

    async def forget(self, name: str) -> None:
        """See `Target.forget`."""
        tasks = await self._tasks()
        await self._act(lambda: tasks.forget(name))

    async def read_task_file(self, name: str, path: str) -> AsyncIterator[bytes]:
        """See `Target.read_task_file`."""
        parts = await self._open()
        pieces = parts.engine.read_file(name, path)
        try:
            while (piece := await self._call(lambda: next(pieces, None))) is not None:
                yield piece
        finally:
            await self._call(pieces.close)

    async def resolve(self, release: Release, *, pull_secret: SecretKey | None = None) -> ResolvedRelease:
        """See `Target.resolve`."""
        parts = await self._open()
        login = None
        if pull_secret is not None:
            login = images.PullLogin(pull_secret, await self._secrets.value(pull_secret))
        return await self._call(lambda: images.resolve_image(parts.engine, self._options, release, login=login))

    async def read_image_file(
        self, image: ResolvedRelease, path: str, *, place: Ref, identity: Identity
    ) -> bytes | None:
        """See `Target.read_image_file`."""
        parts = await self._open()
        return await self._call(
            lambda: recovery.read_image_file(parts.engine, self._options, image, path, ref=place, identity=identity)
        )

    async def remove_volumes(self, ref: Ref, identity: str) -> Sequence[str]:
        """See `Target.remove_volumes`."""
        parts = await self._open()
        return await self._act(
            lambda: stock.remove_volumes(parts.engine, ref, identity, installation=self._installation)
        )

    async def inventory(self) -> Sequence[Found]:
        """See `Target.inventory`."""
        parts = await self._open()
        return await self._call(lambda: stock.inventory(parts.engine))

    async def read_replica_file(self, ref: Ref, *, role: str, path: str) -> bytes | None:
        """See `mooring.control.adopt.FileReader`."""
        parts = await self._open()
        return await self._call(lambda: recovery.read_replica_file(parts.engine, ref, role=role, path=path))

    async def read_volume_file(self, ref: Ref, identity: Identity, *, role: str, path: str) -> bytes | None:
        """See `mooring.control.adopt.FileReader`."""
        parts = await self._open()
        return await self._call(
            lambda: recovery.read_volume_file(parts.engine, self._options, ref, identity, role=role, path=path)
        )

    def selector(self, ref: Ref, *, role: str) -> str:
        """See `Target.selector`; `docker ps --filter label=…` takes each of its parts."""
        return ",".join(tag.role_filter(ref, role))

    async def changes(self) -> AsyncIterator[Ref]:
        """See `Target.changes`."""
        parts = await self._open()
        async for ref in streams.changes(parts.engine, self._clock, installation=self._installation):
            yield ref

    async def logs(self, ref: Ref, *, role: str, follow: bool, lines: int) -> AsyncIterator[str]:
        """See `Target.logs`."""
        parts = await self._open()
        async for line in streams.logs(parts.engine, ref, role=role, follow=follow, lines=lines):
            yield line

    async def attach(self, ref: Ref, argv: Sequence[str], *, role: str, tty: bool) -> int:
        """See `Target.attach`."""
        parts = await self._open()
        return await self._call(lambda: terminal.attach(parts.engine, ref, argv, role=role, tty=tty))

    async def close(self) -> None:
        """Finish the stops that go on, then release threads and connections."""
        parts, self._parts = self._parts, None
        if parts is not None:
            await self._call(parts.close)
        self._pool.shutdown(wait=False)

    async def _tasks(self) -> Tasks:
        parts = await self._open()
        secret = self._secret()
        converger = Converger(parts.engine, self._options, parts.stops, secret)
        return Tasks(parts.engine, self._options, parts.stops, self._installation, converger.fill, secret)

    async def _open(self) -> _Parts:
        async with self._opening:
            if self._parts is None:
                self._parts = await self._call(lambda: _Parts(self._address, self._options, self._clock))
            return self._parts

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def _act(self, work: Callable[[], T]) -> T:
        """As `_call`, for what changes something: who is cancelled leaves when the thread has ended, and not before.

        Else the caller would give its lock back, and another would begin, while this goes on.
        """
        acting = asyncio.ensure_future(self._call(work))
        try:
            return await asyncio.shield(acting)
        except asyncio.CancelledError:
            await asyncio.wait({acting})
            if not acting.cancelled():
                acting.exception()  # nobody waits for it any more
            raise

    def _secret(self) -> Callable[[SecretKey], bytes]:
        """How a thread reads a secret on the caller's loop."""
        loop = asyncio.get_running_loop()

        def read(key: SecretKey) -> bytes:
            value = asyncio.run_coroutine_threadsafe(self._value(key), loop).result()
            return value.encode()

        return read

    async def _value(self, key: SecretKey) -> str:
        return (await self._secrets.value(key)).reveal()


class _Parts:
    """What is made at the first call."""

    def __init__(self, address: EngineAddress, options: DockerOptions, clock: Clock) -> None:
        self.engine = Engine(address)
        self.stops = Stops(self.engine)
        self.probes = Probes(self.engine, clock)
        self.looker = Looker(self.engine, options, self.probes, self.stops)

    def close(self) -> None:
        self.stops.close()
        self.probes.close()
        self.engine.close()
