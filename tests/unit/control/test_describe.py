# SPDX-License-Identifier: Apache-2.0
"""What `render` prints is looked up without any effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.control.describe import NotApplied, describe_instance
from tests.scenario.world import DEFAULT_SERVER, SHOP, World, instance, manifest


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def everything(world: World) -> tuple[object, ...]:
    """Documents, secrets and the world."""
    return (
        await world.documents.list(),
        {ref: sorted(keys) for ref, keys in world.secrets.values.items()},
        list(world.sim.effects),
    )


async def test_instance_is_described_without_effects(world: World) -> None:
    await world.bring_up()
    before = await everything(world)
    found = await describe_instance(world.life(), await world.doc())
    assert found.server is not None
    assert {one.role for one in found.instance.workloads} == {"web", "cron"}
    assert await everything(world) == before


@pytest.mark.parametrize("image", ["postgres:17", "elsewhere/postgres:17"], ids=["known", "another"])
async def test_server_whose_image_was_never_asked_is_not_asked_by_looking(world: World, image: str) -> None:
    await world.bring_up()
    await world.apply(manifest("DatabaseServer", "default", default=True, managed={"version": 17, "image": image}))
    before = await everything(world)
    if image == "postgres:17":
        assert (await describe_instance(world.life(), await world.doc())).server is not None
    else:
        with pytest.raises(NotApplied, match=str(DEFAULT_SERVER)):
            await describe_instance(world.life(), await world.doc())
    assert await everything(world) == before


async def test_instance_that_was_never_applied_is_not_brought_up_by_looking(world: World) -> None:
    await world.apply(instance())
    before = await everything(world)
    with pytest.raises(NotApplied):
        await describe_instance(world.life(), await world.doc(SHOP))
    assert await everything(world) == before
