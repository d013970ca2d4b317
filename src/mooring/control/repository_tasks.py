# SPDX-License-Identifier: Apache-2.0
"""Runs one task on a backup repository to its end, for a person who waits: listing, checking, pruning, passphrases.

Such tasks belong to no instance and to no journal: the repository itself is made so that they may run beside anything, and be
killed at any point. What they leave in the target is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from mooring.control.errors import RepositoryTaskFailed
from mooring.control.once import Sink, hand_over, run_once
from mooring.control.services import Services, new_id
from mooring.domain.instance.repository import RepositoryAccess, repository_task
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import child
from mooring.domain.task import TaskState
from mooring.domain.work.codec import Document


async def run_repository_task(
    services: Services,
    access: RepositoryAccess,
    document: Document,
    *,
    timeout_s: float,
    cache: bool = True,
    read: tuple[str, Sink] | None = None,
) -> Mapping[str, Any]:
    """The result of the task that `document` describes.

    Args:
        cache: with the repository's cache; not for one that has no record yet.
        read: a file that the task leaves, by its path there, and who gets its pieces.

    Raises:
        RepositoryTaskFailed: it ended with an error; carries the task's own words.
        TimeoutExceeded: it took longer than `timeout_s` seconds; it was ended.
    """
    name = child(access.ref, f"{document.TASK}-{new_id()[:6]}")
    task = repository_task(access, name, document, deadline=timedelta(seconds=timeout_s), cache=cache)
    try:
        then = None if read is None else partial(hand_over, services, name, *read)
        return _result(document, await run_once(services, task, about=access.ref, timeout_s=timeout_s, then=then))
    finally:
        await _clean(services, access)


def _result(document: Document, state: TaskState) -> Mapping[str, Any]:
    if state.phase == "succeeded" and isinstance(state.result, Mapping):
        return state.result
    fault = state.error or {}
    raise RepositoryTaskFailed(
        str(fault.get("brief") or f"{document.TASK} ended without a result."),
        details="\n".join(text for text in (str(fault.get("details", "")), state.log_tail) if text),
        resolution=str(fault["resolution"]) if fault.get("resolution") else None,
    )


async def _clean(services: Services, access: RepositoryAccess) -> None:
    """The network goes; the cache stays."""
    nothing = Desired(access.ref, access.identity, network=False)
    seen = await services.target.observe(access.ref, live=True)
    if not seen.tasks:
        await services.target.converge(nothing, seen)
