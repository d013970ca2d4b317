# SPDX-License-Identifier: Apache-2.0
"""What the runner's mind answers, and what it decides from: the words between `advance` and who carries a move out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mooring.domain.model.observed import Observed
from mooring.domain.operations.journal import StepRecord
from mooring.domain.operations.plan import ScratchGone
from mooring.domain.server.desired import ServerSubject
from mooring.domain.task import TaskSpec, TaskState

POLL_S = 0.3


@dataclass(frozen=True)
class Start:
    """Start this task, or adopt it."""

    task: TaskSpec


@dataclass(frozen=True)
class Cancel:
    """Ask this task to end."""

    task: str


@dataclass(frozen=True)
class Purge:
    """Remove the owner's volumes, then come again."""


@dataclass(frozen=True)
class Serve:
    """Keep this scratch server in shape, then come again."""

    server: ServerSubject


@dataclass(frozen=True)
class Clear:
    """Remove what a drill made, then come again."""

    gone: ScratchGone


@dataclass(frozen=True)
class Record:
    """Append this record, then come again at once."""

    record: StepRecord


@dataclass(frozen=True)
class Wait:
    """Nothing to do but to look again: live when a barrier needs it, at once when the last look was before the step."""

    reason: str
    seconds: float = POLL_S
    live: bool = False


@dataclass(frozen=True)
class Finished:
    """The operation is over.

    Attributes:
        outcome: `stuck` is a failed undo: the hold stays until a person retries.
        error: the error object of what failed first; None after success.
        log_tail: end of that task's log.
    """

    outcome: Literal["succeeded", "failed", "cancelled", "stuck"]
    error: Mapping[str, str] | None = None
    log_tail: str = ""


Move = Start | Cancel | Purge | Serve | Clear | Record | Wait | Finished


@dataclass(frozen=True)
class Seen:
    """What a move is decided from.

    Attributes:
        observed: the owner, this pass.
        tasks: state of each task that `current_task` named; others may be missing.
        wanted: replicas that are wanted now, by role: fewer than the plan expects are enough where the spec changed since
            it was accepted, or the instance is being deleted. None knows nothing: the plan counts.
        pending: whether `target.diff` still finds something to change.
        purged: `Purge` was carried out in this pass.
        served: the scratch server answered in this pass.
        cleared: `Clear` was carried out in this pass, and nothing is left.
        cancelled: a person asked to cancel.
        overdue: it runs for longer than its deadline.
        retries: how often a person asked to try a stuck undo again.
    """

    observed: Observed
    tasks: Mapping[str, TaskState]
    wanted: Mapping[str, int] | None = None
    pending: bool = False
    purged: bool = False
    served: bool = False
    cleared: bool = False
    cancelled: bool = False
    overdue: bool = False
    retries: int = 0
