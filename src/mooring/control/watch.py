# SPDX-License-Identifier: Apache-2.0
"""Rests between two passes over an instance: until the task that its operation waits for has ended, or time is up.

A pass asks the target and the store about everything; the end of a task is all that most waiting is for, and asking for
one task costs next to nothing. So it is asked for often, and the pass comes at once when there is something to do, or
after a while in any case: somebody may have cancelled the operation.
Decides nothing and records nothing. Called by `drive`.
"""

from __future__ import annotations

from mooring.control.operations import list_operations
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.domain.operations.progress import current_task

LOOK_S = 0.05
PASS_S = 1.5
SOON_S = 0.1


async def rest(services: Services, ref: Ref, *, seconds: float) -> None:
    """Wait `seconds`, at most `SOON_S`: a person waits, too. While a task runs, until its end instead, at most `PASS_S`.

    Raises:
        MooringError: the target cannot be asked.
    """
    tasks = []
    if seconds >= SOON_S:
        operations = await list_operations(services, ref)
        tasks = [name for one in operations if one.phase == "Running" and (name := current_task(one.log))]
    if not tasks:
        await services.clock.sleep(min(seconds, SOON_S))
        return
    until = services.clock.monotonic() + PASS_S
    while services.clock.monotonic() < until:
        await services.clock.sleep(LOOK_S)
        for name in tasks:
            if (await services.target.task(name)).phase != "running":
                return
