# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C at every wait of a command: the interrupt comes through, the lock is free, and the next command ends as wanted.

An interrupt reaches a command as `CancelledError`, at whatever it waits for: a call of the target, a record, a secret, a
pause. Before a call nothing has happened; after it the effect is there, and nobody heard of it. That it harms no more than
a kill is not enough: what was begun has to be given back on the way out, and nothing may take the interrupt for an error.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mooring.control.drive import drive
from mooring.control.services import Services
from mooring.drivers.locks import InstanceLock
from tests.scenario.test_kills import STORIES, Act
from tests.scenario.world import SHOP, World, instance

MOST_WAITS = 20_000
# How many waits lie between two that are tried; coprime to what a pass waits for, so that every kind comes up.
STRIDE, FULL_STRIDE = 197, 7


@dataclass
class Interrupt:
    """Counts waits, and is raised at one of them: `after` it took place, or instead."""

    at: int
    after: bool
    count: int = 0

    def wrap(self, below: Any) -> Any:
        """Something whose asynchronous calls can be interrupted."""
        return _Interrupted(below, self)


class _Interrupted:
    def __init__(self, below: Any, interrupt: Interrupt) -> None:
        self._below = below
        self._interrupt = interrupt

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._below, name)
        return self._interruptible(found) if inspect.iscoroutinefunction(found) else found

    def _interruptible(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any, **more: Any) -> Any:
            interrupt = self._interrupt
            interrupt.count += 1
            meant = interrupt.count - 1 == interrupt.at
            if meant and not interrupt.after:
                raise asyncio.CancelledError
            result = await call(*args, **more)
            if meant:
                raise asyncio.CancelledError
            return result

        return called


def interruptible(services: Services, interrupt: Interrupt) -> Services:
    """The same services, interrupted at one wait."""
    return replace(
        services,
        documents=interrupt.wrap(services.documents),
        secrets=interrupt.wrap(services.secrets),
        target=interrupt.wrap(services.target),
        clock=interrupt.wrap(services.clock),
    )


async def interrupted(world: World, interrupt: Interrupt) -> bool:
    """Lead it until the interrupt; whether it came so far."""
    try:
        await drive(interruptible(world.life(), interrupt), SHOP, command="test", timeout_s=3600.0)
    except asyncio.CancelledError:
        return True
    except Exception:  # noqa: BLE001 - it settled in an error, as the story has it
        return False
    return False


FAILING = {name for name in STORIES if "fails" in name}
NEW = "bring up"
STRIDES = [pytest.param(STRIDE, id="some"), pytest.param(FULL_STRIDE, id="most", marks=pytest.mark.full)]


async def _bring_up(world: World) -> None:
    await world.apply(instance())


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", [NEW, *STORIES])
async def test_command_interrupted_at_any_wait_gives_the_lock_back_and_the_next_ends_as_wanted(
    shop: World, tmp_path: Path, name: str, stride: int, *, after: bool
) -> None:
    start = shop
    act: Act = _bring_up
    if name == NEW:
        start = World(tmp_path)
    else:
        act = STORIES[name].act
        if (before := STORIES[name].before) is not None:
            await before(start)
    await act(start)
    golden = start.fork()
    await golden.rest()
    wanted = await golden.picture()
    tried = 0
    for at in range(tried, MOST_WAITS, stride):
        world = start.fork()
        if not await interrupted(world, Interrupt(at, after)):
            break
        tried += 1
        assert InstanceLock(world.locks, SHOP).holder() is None, f"interrupted at {at}"
        try:
            await world.rest()
            await world.check_rest()
            if name == NEW or not STORIES[name].loses:
                await world.check_nothing_lost()
        except AssertionError as error:
            raise AssertionError(f"interrupted at {at}: {error}") from error
        assert await world.picture() == wanted, f"interrupted at {at}"
    else:
        raise AssertionError("it never ends")
    assert tried >= 1


async def test_command_that_follows_another_can_be_interrupted(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-next"))
    lock = InstanceLock(shop.locks, SHOP)
    assert lock.try_acquire(command="the first", now=shop.clock.now()) is None
    with lock:
        assert await interrupted(shop, Interrupt(20, after=False))
        assert lock.holder() is not None
    assert await shop.rest() is None
    await shop.check_rest()
