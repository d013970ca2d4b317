# SPDX-License-Identifier: Apache-2.0
"""What every store of locks promises, on each one there is."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mooring.domain.model.identity import Ref
from mooring.drivers.lock_store import AgentRunning, InstanceLocked, Locks
from mooring.drivers.locks import FileLocks
from tests.support.memory_locks import MemoryLocks

SHOP = Ref("OdooInstance", "default", "shop")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["files", "memory"])
def locks(request: pytest.FixtureRequest, tmp_path: Path) -> Locks:
    return FileLocks(tmp_path) if request.param == "files" else MemoryLocks()


def test_free_lock_has_no_holder_and_is_taken_at_once(locks: Locks) -> None:
    lock = locks.execution(SHOP)
    assert lock.holder() is None
    assert not lock.held
    assert lock.try_acquire(command="mooring apply", now=NOW) is None
    assert lock.held
    assert lock.try_acquire(command="mooring apply", now=NOW) is None or lock.held


def test_second_one_learns_who_has_it_and_takes_nothing(locks: Locks) -> None:
    first, second = locks.execution(SHOP), locks.execution(SHOP)
    assert first.try_acquire(command="mooring apply", now=NOW) is None
    holder = second.try_acquire(command="mooring stop", now=NOW)
    assert holder is not None
    assert (holder.pid, holder.command, holder.since) == (os.getpid(), "mooring apply", NOW)
    assert second.holder() == holder
    assert not second.held
    second.release()
    assert first.held


def test_lock_that_is_given_back_is_free_for_others(locks: Locks) -> None:
    first, second = locks.execution(SHOP), locks.execution(SHOP)
    with first.acquire(command="a", now=NOW), pytest.raises(InstanceLocked, match="shop"):
        second.acquire(command="b", now=NOW)
    assert first.holder() is None
    first.release()
    assert second.acquire(command="b", now=NOW).held


def test_context_gives_back_after_an_error(locks: Locks) -> None:
    with pytest.raises(KeyError), locks.execution(SHOP).acquire(command="a", now=NOW):
        raise KeyError
    assert locks.execution(SHOP).holder() is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Ref("OdooInstance", "default", "wiki"), id="another name"),
        pytest.param(Ref("OdooInstance", "team", "shop"), id="another namespace"),
        pytest.param(Ref("DatabaseServer", "default", "shop"), id="another kind"),
    ],
)
def test_others_go_on_side_by_side(locks: Locks, other: Ref) -> None:
    with locks.execution(SHOP).acquire(command="a", now=NOW):
        assert locks.execution(other).try_acquire(command="b", now=NOW) is None


def test_one_agent_at_a_time_and_it_keeps_nobody_from_executing(locks: Locks) -> None:
    with locks.agent().acquire(command="mooring agent run", now=NOW):
        with pytest.raises(AgentRunning):
            locks.agent().acquire(command="mooring agent run", now=NOW)
        assert locks.execution(SHOP).try_acquire(command="a", now=NOW) is None
    assert locks.agent().holder() is None
