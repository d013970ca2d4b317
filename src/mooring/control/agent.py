# SPDX-License-Identifier: Apache-2.0
"""The agent: keeps every instance and server of the machine in shape, until it is told to stop.

It looks at what is named by a change of a record, by an event of the target, by a pass that wants to be followed, or by a
slow round over everything, and makes one pass at a time over each, a few at once. It decides nothing itself: a pass is
`reconcile`, as in a command. Killed at any point, the next agent or command goes on where it stopped. Called by
`mooring agent run`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from mooring.api.server import DatabaseServerSpec
from mooring.control.expire import forget_old
from mooring.control.heartbeat import next_ping
from mooring.control.operations import ALL_KINDS, read_operation
from mooring.control.reconcile import Pass, reconcile
from mooring.control.send import send_due
from mooring.control.servers import reconcile_server
from mooring.control.services import Services
from mooring.control.templates import keep_templates
from mooring.domain.model.identity import Ref
from mooring.errors import MooringError, NotFoundError, Retry

logger = logging.getLogger("mooring.agent")

INSTANCE = "OdooInstance"
SERVER = "DatabaseServer"
# A pass that asks for another one sooner than this has moved something.
HAPPENED_S = 0.1
GROWTH = 1.1


@dataclass(frozen=True)
class Pace:
    """How fast the agent goes; all in seconds.

    Attributes:
        together: how many are worked on at once.
        resync_s: after which everything is looked at again, though nothing happened.
        busy_s: after which one that a command works on is tried again.
        back_off_s: pauses after the first, second, … failure in a row; the last one stays.
        stop_s: how long passes may take to end after a stop.
        server_s: between looks at a server that does not answer yet.
        template_s: how long the making of a template may take.
        slow_s: what the pause between passes grows to while an instance is not as it is wanted and nothing happens.
    """

    together: int = 4
    resync_s: float = 300.0
    busy_s: float = 2.0
    back_off_s: tuple[float, ...] = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0)
    stop_s: float = 8.0
    server_s: float = 1.0
    template_s: float = 7200.0
    slow_s: float = 5.0


@dataclass
class _Known:
    """What the agent remembers of one reference.

    Attributes:
        failures: in a row.
        said: the last error that was logged, so that it is logged once.
    """

    failures: int = 0
    said: str = ""


@dataclass
class _Agent:
    services: Services
    pace: Pace
    command: str
    due: dict[Ref, float] = field(default_factory=dict)
    live: set[Ref] = field(default_factory=set)
    running: dict[Ref, asyncio.Task[None]] = field(default_factory=dict)
    known: dict[Ref, _Known] = field(default_factory=dict)
    idle: dict[Ref, int] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def want(self, ref: Ref, after_s: float = 0.0, *, live: bool = False) -> None:
        """Look at `ref` in `after_s` seconds, or sooner if that was wanted before."""
        at = self.services.clock.monotonic() + after_s
        self.due[ref] = min(at, self.due.get(ref, at))
        if live:
            self.live.add(ref)
        self.wake.set()

    async def want_changed(self, ref: Ref) -> None:
        """Look at whatever a changed record or object means work for."""
        if ref.kind in ALL_KINDS:
            doc = await self.services.documents.get(ref)
            if doc is not None:
                instance = read_operation(doc).instance
                self.idle.pop(instance, None)
                self.want(instance)
            return
        if ref.kind not in (INSTANCE, SERVER):
            return  # a repository or a memory: whoever uses it reads it then
        self.idle.pop(ref, None)
        self.want(ref)
        if ref.kind == SERVER:
            for doc in await self.services.documents.list(INSTANCE):
                server = (doc.status.get("database") or {}).get("server")
                if doc.ref.namespace == ref.namespace and server in (None, ref.name):
                    self.want(doc.ref)

    async def want_all(self, *, spread_s: float) -> None:
        """Look at everything, spread over some time."""
        for kind in (SERVER, INSTANCE):
            for doc in await self.services.documents.list(kind):
                self.want(doc.ref, _jitter(spread_s), live=True)

    def begin_due(self) -> float | None:
        """Begin passes that are due; seconds until the next is, None when nothing waits or no pass may begin."""
        now = self.services.clock.monotonic()
        for ref in sorted(self.due, key=lambda one: self.due[one]):
            if len(self.running) >= self.pace.together:
                return None
            if self.due[ref] > now:
                break
            if ref not in self.running:
                del self.due[ref]
                self.running[ref] = asyncio.create_task(self._pass(ref), name=str(ref))
        waiting = [at for ref, at in self.due.items() if ref not in self.running]
        return max(0.0, min(waiting) - now) if waiting else None

    async def _pass(self, ref: Ref) -> None:
        try:
            again = await self._tried(ref)
            if again is not None:
                self.want(ref, again)
        finally:
            self.running.pop(ref, None)
            self.wake.set()

    async def _tried(self, ref: Ref) -> float | None:
        try:
            again = await (self._locked(ref) if ref.kind == INSTANCE else self._server(ref))
        except NotFoundError as error:
            if await self.services.documents.get(ref) is None:
                return None  # removed between the event and the pass: nothing is left to keep in shape
            return self._failed(ref, f"{error.code} {error.brief}", details=error.details)
        except MooringError as error:
            if error.retry is Retry.NOW:
                return 0.1
            return self._failed(ref, f"{error.code} {error.brief}", details=error.details)
        except Exception as error:
            logger.exception("A pass ended in an error that nobody knows", extra={"instance": str(ref)})
            return self._failed(ref, repr(type(error)), told=True)
        self._well(ref)
        return again

    async def _locked(self, ref: Ref) -> float | None:
        with self.services.locks.execution(ref) as lock:
            if lock.try_acquire(command=self.command, now=self.services.clock.now()) is not None:
                return self.pace.busy_s
            live = ref in self.live
            self.live.discard(ref)
            return await self._instance(ref, live=live)

    async def _instance(self, ref: Ref, *, live: bool) -> float | None:
        if await self.services.documents.get(ref) is None:
            self.known.pop(ref, None)
            return None
        result = await reconcile(self.services, ref, live=live)
        if result.gone:
            self.known.pop(ref, None)
            return None
        await send_due(self.services, ref)
        times = [self._patience(ref, result), await self._notification(ref), await forget_old(self.services, ref)]
        if result.error is not None:
            self._say(ref, f"{result.error.code} {result.error.brief}", details="")
        return min((one for one in times if one is not None), default=None)

    def _patience(self, ref: Ref, result: Pass) -> float | None:
        """Seconds until the next pass: more and more while nothing happens, since what happens is heard in any case."""
        asked = result.requeue_s
        if result.settled or asked is None or asked < HAPPENED_S:
            self.idle.pop(ref, None)
            return asked
        passes = self.idle[ref] = min(self.idle.get(ref, 0) + 1, 60)
        return max(asked, min(asked * GROWTH**passes, self.pace.slow_s))

    async def _server(self, ref: Ref) -> float | None:
        doc = await self.services.documents.get(ref)
        if doc is None:
            return None
        if DatabaseServerSpec.model_validate(doc.spec).managed is not None:
            result = await reconcile_server(self.services, ref)
            if not result.ready:
                return self.pace.server_s
        await keep_templates(self.services, ref, timeout_s=self.pace.template_s)
        return None

    async def _notification(self, ref: Ref) -> float | None:
        """Seconds until a notification or heartbeat that was not taken is tried again."""
        doc = await self.services.documents.get(ref)
        if doc is None:
            return None
        times = [datetime.fromisoformat(one["notBefore"]) for one in doc.status.get("notifications", ())[:1]]
        times += [at for at in (next_ping(doc.status),) if at is not None]
        return max(0.5, (min(times) - self.services.clock.now()).total_seconds()) if times else None

    def _failed(self, ref: Ref, text: str, *, details: str = "", told: bool = False) -> float:
        known = self.known.setdefault(ref, _Known())
        pauses = self.pace.back_off_s
        pause = pauses[min(known.failures, len(pauses) - 1)]
        known.failures += 1
        if not told:
            self._say(ref, text, details=details)
        return pause * (0.8 + 0.4 * _jitter(1.0))

    def _say(self, ref: Ref, text: str, *, details: str) -> None:
        known = self.known.setdefault(ref, _Known())
        if known.said != text:
            known.said = text
            logger.warning("%s", text + (f"\n{details}" if details else ""), extra={"instance": str(ref)})

    def _well(self, ref: Ref) -> None:
        known = self.known.get(ref)
        if known is not None and known.failures:
            logger.info("It works again.", extra={"instance": str(ref)})
            del self.known[ref]


async def run_agent(
    services: Services, stop: asyncio.Event, *, command: str = "mooring agent run", pace: Pace | None = None
) -> None:
    """Keep everything in shape until `stop` is set; passes in progress end first, or are left after `pace.stop_s`.

    Args:
        command: what others are told.

    Raises:
        AgentRunning: there is an agent on this state directory.
    """
    pace = pace or Pace()
    with services.locks.agent() as lock:
        lock.acquire(command=command, now=services.clock.now())
        agent = _Agent(replace(services, schedules=True), pace, command)
        helpers = [
            asyncio.create_task(one)
            for one in (
                _feed(agent, "records", services.documents.changes),
                _feed(agent, "target", services.target.changes),
                _rounds(agent),
            )
        ]
        logger.info("The agent works.")
        try:
            await _work(agent, stop)
        finally:
            await _end([*helpers, *agent.running.values()], helpers=helpers, patience_s=pace.stop_s)
            logger.info("The agent has stopped.")


async def _work(agent: _Agent, stop: asyncio.Event) -> None:
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            agent.wake.clear()
            delay = agent.begin_due()
            woken = asyncio.create_task(agent.wake.wait())
            timer = None if delay is None else asyncio.create_task(agent.services.clock.sleep(delay))
            waited = [one for one in (stopped, woken, timer) if one is not None]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for one in (woken, timer):
                if one is not None:
                    one.cancel()
    finally:
        stopped.cancel()


async def _feed(agent: _Agent, what: str, changes: Callable[[], AsyncIterator[Ref]]) -> None:
    """Pass on what changes; a source that fails is opened again after a pause."""
    failures = 0
    while True:
        try:
            async for ref in changes():
                failures = 0
                await agent.want_changed(ref)
        except MooringError as error:
            if failures == 0:
                logger.warning("Changes of %s are not heard: %s", what, error.brief)
        pauses = agent.pace.back_off_s
        await agent.services.clock.sleep(pauses[min(failures, len(pauses) - 1)])
        failures += 1


async def _rounds(agent: _Agent) -> None:
    """Look at everything, first at once and then slowly."""
    spread = 0.0
    while True:
        try:
            await agent.want_all(spread_s=spread)
        except MooringError as error:
            logger.warning("The records cannot be read: %s", error.brief)
        spread = agent.pace.resync_s / 2
        await agent.services.clock.sleep(agent.pace.resync_s * (0.8 + 0.4 * _jitter(1.0)))


async def _end(tasks: list[asyncio.Task[None]], *, helpers: list[asyncio.Task[None]], patience_s: float) -> None:
    for one in helpers:
        one.cancel()
    _, late = await asyncio.wait(tasks, timeout=patience_s)
    for one in late:
        logger.warning("A pass over %s is left where it is; the next agent goes on.", one.get_name())
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _jitter(upto: float) -> float:
    return random.uniform(0.0, upto)  # noqa: S311 - spreads work over time, guards nothing
