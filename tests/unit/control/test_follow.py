# SPDX-License-Identifier: Apache-2.0
"""A command that follows an agent tells the same as one that does the work."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mooring.control.drive import drive
from mooring.control.events import Event
from mooring.control.reconcile import reconcile
from mooring.drivers.locks import AgentLock
from tests.scenario.world import SHOP, World, instance


def steps(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(one.step, one.state, one.text) for one in events if one.kind == "step"]


async def follow(world: World) -> list[Event]:
    """Drive with an agent alive, which makes a pass whenever the follower rests."""
    seen: list[Event] = []
    follower = replace(world.life(), listener=seen.append)
    with AgentLock(world.locks).acquire(command="agent", now=world.clock.now()):
        following = asyncio.create_task(drive(follower, SHOP, command="test", timeout_s=3600))
        agent = world.life()
        while not following.done():
            await reconcile(agent, SHOP)
            await world.clock.sleep(0.1)
        await asyncio.gather(following, return_exceptions=True)
    return seen


@pytest.mark.parametrize("image", ["odoo:14.0-next", "odoo:14.0-bad-migrate"], ids=["success", "failure"])
async def test_follower_tells_every_step_that_the_agent_records(image: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.bring_up()
    await world.apply(instance(image=image))
    world.events.clear()

    told = await follow(world)

    assert steps(told) == steps(world.events)
    assert steps(told)
    ends = [one.text for one in told if one.text.startswith("Upgrade ")]
    assert ends == ["Upgrade succeeded" if image.endswith("next") else "Upgrade failed"]


async def test_follower_does_not_tell_what_was_over_before(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.bring_up()

    assert steps(await follow(world)) == []
