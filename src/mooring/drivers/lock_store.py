# SPDX-License-Identifier: Apache-2.0
"""The right to execute: one at a time on an instance or server, one agent at all; what every store of locks promises.

Lock files fulfil it here (`locks.FileLocks`). An operator may hold one lease for its whole process and keep the rest in its
memory. All pass `tests/contract/test_locks.py`. No call waits. A right ends with the process that has it: an implementation
whose right can be lost, such as a lease that was not renewed, ends its process before another one can get it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from mooring.domain.model.identity import Ref
from mooring.errors import ConflictError, Retry


class InstanceLocked(ConflictError):
    """Another process works on this instance."""

    code = "MOOR-520"
    reason = "InstanceLocked"
    retry = Retry.AFTER


class AgentRunning(ConflictError):
    """An agent already runs on this state directory."""

    code = "MOOR-521"
    reason = "AgentRunning"
    default_resolution = "Let it work, or stop it first; `mooring agent status` shows it."


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as it wrote itself.

    Attributes:
        pid: process id, 0 while the holder has not written it yet.
        command: what it runs, such as `mooring apply`.
        since: aware; None while not written yet.
    """

    pid: int
    command: str
    since: datetime | None

    def __str__(self) -> str:
        """`pid 123 (mooring apply) since 2026-01-02T03:04:05+00:00`."""
        if self.since is None:
            return "a process that has just started"
        return f"pid {self.pid} ({self.command}) since {self.since.isoformat(timespec='seconds')}"


class Lock(Protocol):
    """One right; a context manager that gives it back, not one that takes it. Two objects for one right exclude each other."""

    def try_acquire(self, *, command: str, now: datetime) -> Holder | None:
        """Take it if it is free; None when it is this object's now (also if it was before), else who has it.

        Args:
            command: what this process runs; shown to others, so never with a secret.
            now: aware; shown to others.
        """
        ...

    def acquire(self, *, command: str, now: datetime) -> Self:
        """Take it, or say who has it.

        Raises:
            InstanceLocked, AgentRunning: somebody else, or another object of this process, has it.
        """
        ...

    def holder(self) -> Holder | None:
        """Who has it now, None when it is free; does not take it."""
        ...

    @property
    def held(self) -> bool:
        """Whether this object has it."""
        ...

    def release(self) -> None:
        """Give it back; safe to repeat."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Locks(Protocol):
    """A store of locks. What it gives is free to make and holds nothing yet."""

    def execution(self, ref: Ref) -> Lock:
        """The right to execute on one instance or server."""
        ...

    def agent(self) -> Lock:
        """The right to be the agent; others ask its `holder()` whether one is alive."""
        ...
