# SPDX-License-Identifier: Apache-2.0
"""The agent's own work: when it looks, how often, side by side, and how it stops. Passes are replaced; they have tests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mooring.control import agent as module
from mooring.control.agent import Pace, run_agent
from mooring.control.expire import expiry
from mooring.control.operations import read_operation
from mooring.control.reconcile import Pass
from mooring.control.services import Services
from mooring.domain.lifecycle import State
from mooring.domain.model.identity import Ref
from mooring.drivers.clock import SystemClock
from mooring.drivers.documents import Document
from mooring.drivers.lock_store import AgentRunning
from mooring.drivers.locks import FileLocks
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.state import StateDir
from mooring.targets.errors import EngineUnreachable
from tests.support.memory_documents import MemoryDocuments
from tests.support.sim_clock import START
from tests.support.sim_target import SimTarget

FAST = Pace(resync_s=30.0, busy_s=0.02, back_off_s=(0.02, 0.05), stop_s=0.3)
SETTLED = Pass(State.RUNNING, "Running", settled=True, requeue_s=None)

Reconcile = Callable[..., Awaitable[Pass]]


class Passes:
    """Counts passes, and answers as it is told."""

    def __init__(self) -> None:
        self.seen: list[Ref] = []
        self.together = 0
        self.most = 0
        self.answers: list[Pass | Exception] = []
        self.seconds = 0.0

    async def __call__(self, services: Services, ref: Ref, *, live: bool = False) -> Pass:
        del services, live
        self.seen.append(ref)
        self.together += 1
        self.most = max(self.most, self.together)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.together -= 1
        answer = self.answers.pop(0) if self.answers else SETTLED
        if isinstance(answer, Exception):
            raise answer
        return answer


class QuietTarget(SimTarget):
    """Never tells of a change by itself."""

    async def changes(self) -> AsyncIterator[Ref]:
        await asyncio.Event().wait()
        yield Ref("", "", "")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    made = Passes()
    monkeypatch.setattr(module, "reconcile", made)
    return made


@pytest.fixture
def services(tmp_path: Path) -> Services:
    state = StateDir.open(tmp_path / "home")
    return Services(
        documents=MemoryDocuments(),
        secrets=SecretFiles(state.secrets),
        target=QuietTarget(),
        clock=SystemClock(),
        installation=state.installation,
        locks=FileLocks(state.locks),
    )


def ref(name: str) -> Ref:
    return Ref("OdooInstance", "default", name)


async def have(services: Services, *names: str) -> None:
    for name in names:
        await services.documents.put(Document(ref(name), name, spec={}), if_version=None)


async def until(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions are of many kinds, and none has an event
            await asyncio.sleep(0.005)


async def stopped(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_agent_looks_at_each_once_and_then_rests(services: Services, passes: Passes) -> None:
    await have(services, "a", "b")
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: {one.name for one in passes.seen} == {"a", "b"})
    await asyncio.sleep(0.2)
    rested = len(passes.seen)
    await asyncio.sleep(0.3)
    await stopped(task, stop)

    assert len(passes.seen) == rested <= 4


async def test_agent_looks_again_when_a_record_or_an_operation_of_it_is_written(
    services: Services, passes: Passes
) -> None:
    await have(services, "a", "b")
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: len(passes.seen) >= 2)
    await asyncio.sleep(0.1)
    passes.seen.clear()
    spec = {"type": "Restart", "instanceRef": {"name": "a"}}
    await services.documents.put(
        Document(Ref("OdooOperation", "default", "a-restart"), "1", spec=spec), if_version=None
    )
    await until(lambda: passes.seen == [ref("a")])
    await stopped(task, stop)


async def test_agent_leaves_records_of_other_kinds_alone(
    services: Services, passes: Passes, caplog: pytest.LogCaptureFixture
) -> None:
    await have(services, "a")
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: len(passes.seen) >= 1)
    where = Ref("BackupRepository", "default", "offsite")
    await services.documents.put(Document(where, "1", spec={"url": "file:///srv/backups"}), if_version=None)
    await asyncio.sleep(0.1)
    await stopped(task, stop)

    assert [one.message for one in caplog.records if one.levelname in ("WARNING", "ERROR")] == []


async def test_agent_comes_back_when_a_pass_wants_to_be_followed(services: Services, passes: Passes) -> None:
    await have(services, "a")
    passes.answers = [replace(SETTLED, settled=False, requeue_s=0.05), replace(SETTLED, settled=False, requeue_s=0.05)]
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: len(passes.seen) >= 3)
    await stopped(task, stop)


async def test_agent_with_one_that_never_serves_looks_at_it_more_and_more_rarely(
    services: Services, passes: Passes
) -> None:
    await have(services, "a")
    passes.answers = [replace(SETTLED, settled=False, requeue_s=0.1) for _ in range(1000)]
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=replace(FAST, slow_s=0.3)))
    await until(lambda: len(passes.seen) >= 12, seconds=10)
    begun = len(passes.seen)
    await asyncio.sleep(1.0)
    looked = len(passes.seen) - begun
    await until(lambda: len(passes.seen) > begun + looked)  # and goes on
    await stopped(task, stop)

    assert looked <= 5  # ten without a growing pause


async def test_agent_works_on_a_few_at_once_and_never_twice_on_one(services: Services, passes: Passes) -> None:
    await have(services, *(f"i{number}" for number in range(10)))
    passes.seconds = 0.05
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: len(set(passes.seen)) == 10)
    await stopped(task, stop)

    assert passes.most == FAST.together


async def test_agent_tries_again_after_trouble_and_logs_it_once(
    services: Services, passes: Passes, caplog: pytest.LogCaptureFixture
) -> None:
    await have(services, "a")
    passes.answers = [EngineUnreachable("nobody answers") for _ in range(3)]
    stop = asyncio.Event()
    with caplog.at_level(logging.INFO, logger="mooring.agent"):
        task = asyncio.create_task(run_agent(services, stop, pace=FAST))
        await until(lambda: len(passes.seen) >= 4)
        await until(lambda: "It works again." in caplog.messages)
        await stopped(task, stop)

    assert sum("nobody answers" in message for message in caplog.messages) == 1


async def test_agent_survives_an_error_that_nobody_knows(services: Services, passes: Passes) -> None:
    await have(services, "a")
    passes.answers = [RuntimeError("a bug")]
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: len(passes.seen) >= 2)
    await stopped(task, stop)


async def test_agent_waits_for_a_command_that_holds_the_instance(services: Services, passes: Passes) -> None:
    await have(services, "a", "b")
    held = services.locks.execution(ref("a"))
    held.acquire(command="mooring apply", now=START)
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: ref("b") in passes.seen)
    await asyncio.sleep(0.1)
    assert ref("a") not in passes.seen
    held.release()
    await until(lambda: ref("a") in passes.seen)
    await stopped(task, stop)


async def test_agent_stops_in_time_though_a_pass_hangs_and_gives_its_lock_back(
    services: Services, passes: Passes
) -> None:
    await have(services, "a")
    passes.seconds = 60.0
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: passes.together == 1)
    assert services.locks.agent().holder() is not None
    await stopped(task, stop)

    assert services.locks.agent().holder() is None
    assert services.locks.execution(ref("a")).holder() is None


async def test_second_agent_is_refused(services: Services, passes: Passes) -> None:
    del passes
    with services.locks.agent().acquire(command="mooring agent run", now=START), pytest.raises(AgentRunning):
        await run_agent(services, asyncio.Event(), pace=FAST)


async def test_records_of_operations_go_when_their_time_is_over(services: Services, passes: Passes) -> None:
    await have(services, "a")
    now = services.clock.now()
    for name, ttl, ended in (("old", "1h", now - timedelta(hours=2)), ("young", "1h", now), ("kept", None, now)):
        spec = {"type": "Restart", "instanceRef": {"name": "a"}} | ({"ttlAfterFinished": ttl} if ttl else {})
        doc = await services.documents.put(
            Document(Ref("OdooOperation", "default", name), name, spec=spec), if_version=None
        )
        status = {"phase": "Succeeded", "completionTime": ended.isoformat()}
        await services.documents.put_status(replace(doc, status=status), if_version=doc.version)
    stop = asyncio.Event()
    task = asyncio.create_task(run_agent(services, stop, pace=FAST))
    await until(lambda: len(passes.seen) >= 1)
    await asyncio.sleep(0.1)
    await stopped(task, stop)

    assert [one.ref.name for one in await services.documents.list("OdooOperation")] == ["kept", "young"]


def test_operation_that_runs_never_expires() -> None:
    doc = Document(
        Ref("OdooOperation", "default", "x"),
        "1",
        spec={"type": "Stop", "instanceRef": {"name": "a"}, "ttlAfterFinished": "1s"},
        status={"phase": "Running"},
    )

    assert expiry(read_operation(doc)) is None
