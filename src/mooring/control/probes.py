# SPDX-License-Identifier: Apache-2.0
"""Runs the short tasks that ask an image what it is. They change nothing, so they need no journal: only their answer stays."""

from __future__ import annotations

from mooring.control.services import Services
from mooring.domain.task import TaskSpec
from mooring.errors import FailedError
from mooring.targets.errors import TaskInterrupted


class ProbeFailed(FailedError):
    """A release could not be asked what it is."""

    code = "MOOR-617"
    reason = "ProbeFailed"
    default_resolution = "Look at the end of its log; the image may lack a shell, or the engine may be in trouble."


async def ask(services: Services, task: TaskSpec) -> str | None:
    """The output of a probe, None while it runs. Safe to call again and again: it starts what is not there.

    Raises:
        ProbeFailed: it ended with an error; the next call starts it anew.
    """
    state = await services.target.task(task.name)
    match state.phase:
        case "absent" | "pending":
            await services.target.start(task)
            return None
        case "running":
            return None
        case "succeeded":
            await services.target.forget(task.name)
            return state.log_tail
        case "failed":
            await services.target.forget(task.name)
            if (state.error or {}).get("reason") == TaskInterrupted.reason:
                return None  # the machine went down: that says nothing about the image
            brief = (state.error or {}).get("brief", f"{task.argv[0]} ended with {state.exit_code}.")
            raise ProbeFailed(f"An image could not be asked what it is: {brief}", details=state.log_tail)
