# SPDX-License-Identifier: Apache-2.0
"""Locks in memory, as one process that is alone (by a lease, say) needs them. Passes tests/contract/test_locks.py."""

from __future__ import annotations

import os
from datetime import datetime
from types import TracebackType
from typing import Self

from mooring.domain.model.identity import Ref
from mooring.drivers.lock_store import AgentRunning, Holder, InstanceLocked

AGENT = Ref("Agent", "default", "agent")


class MemoryLock:
    """One right; `table` says who has each."""

    def __init__(self, table: dict[Ref, tuple[MemoryLock, Holder]], ref: Ref) -> None:
        self._table = table
        self._ref = ref

    def try_acquire(self, *, command: str, now: datetime) -> Holder | None:
        mine = (self, Holder(os.getpid(), command, now))
        owner, holder = self._table.setdefault(self._ref, mine)
        return None if owner is self else holder

    def acquire(self, *, command: str, now: datetime) -> Self:
        holder = self.try_acquire(command=command, now=now)
        if holder is not None:
            raise (AgentRunning if self._ref == AGENT else InstanceLocked)(f"{self._ref} is held by {holder}.")
        return self

    def holder(self) -> Holder | None:
        found = self._table.get(self._ref)
        return None if found is None else found[1]

    @property
    def held(self) -> bool:
        found = self._table.get(self._ref)
        return found is not None and found[0] is self

    def release(self) -> None:
        if self.held:
            del self._table[self._ref]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class MemoryLocks:
    """The store."""

    def __init__(self) -> None:
        self._table: dict[Ref, tuple[MemoryLock, Holder]] = {}

    def execution(self, ref: Ref) -> MemoryLock:
        return MemoryLock(self._table, ref)

    def agent(self) -> MemoryLock:
        return MemoryLock(self._table, AGENT)
