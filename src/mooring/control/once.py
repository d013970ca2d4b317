# SPDX-License-Identifier: Apache-2.0
"""Runs one task to its end for a person who waits, outside any operation: what only looks, or is safe to kill at any point.

It has no journal: killed, the task ends by itself, and what it left goes with its place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mooring.control.events import Event
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.domain.task import TaskSpec, TaskState
from mooring.errors import TimeoutExceeded

POLL_S = 0.3
Sink = Callable[[bytes], object]
"""Who gets the pieces of a file, in their order."""


async def run_once(
    services: Services,
    task: TaskSpec,
    *,
    about: Ref,
    timeout_s: float,
    then: Callable[[], Awaitable[None]] | None = None,
) -> TaskState:
    """The end of the task; what it left in the target is removed.

    Args:
        task: with a name that nobody else uses.
        about: whose steps its progress is told as.
        then: done after a success, while what the task left in its own file system is still there.

    Raises:
        TimeoutExceeded: it took longer than `timeout_s` seconds; it was ended.
    """
    until = services.clock.monotonic() + timeout_s
    said = ""
    await services.target.start(task)
    try:
        while True:
            state = await services.target.task(task.name)
            if state.phase in ("succeeded", "failed", "absent"):
                if then is not None and state.phase == "succeeded":
                    await then()
                return state
            step = state.progress.step if state.progress is not None else ""
            if step and step != said:
                services.emit(Event(about, "step", step, step=step))
                said = step
            if services.clock.monotonic() > until:
                raise TimeoutExceeded(f"{task.name} of {about.name} took longer than {timeout_s:.0f} s.")
            await services.clock.sleep(POLL_S)
    finally:
        while (await services.target.task(task.name)).phase in ("pending", "running"):
            await services.target.cancel(task.name)
            await services.clock.sleep(POLL_S)
        await services.target.forget(task.name)


async def hand_over(services: Services, task: str, path: str, sink: Sink) -> None:
    """Give the content of a file that an ended task left to who wants it.

    Raises:
        NoSuchObject: the task left no such file.
    """
    async for piece in services.target.read_task_file(task, path):
        sink(piece)
