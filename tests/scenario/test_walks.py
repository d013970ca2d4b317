# SPDX-License-Identifier: Apache-2.0
"""Long lives: people change their minds, controllers are killed, the machine goes down, in an order drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from mooring.domain.work.errors import ServerUnreachable
from mooring.errors import MooringError
from tests.scenario.machine import digest
from tests.scenario.world import SHOP, World, instance, repository

IMAGES = (
    "odoo:14.0",
    "odoo:14.0-next",
    "odoo:14.0-third",
    "odoo:14.0-bad-migrate",
    "odoo:14.0-bad-verify",
    "odoo:15.0",
)
SEEDS = [pytest.param(seed, marks=() if seed < 8 else (pytest.mark.full,)) for seed in range(60)]


VERBS = ("image", "image", "replicas", "option", "Stop", "Start", "Restart", "Upgrade", "rotate", "nothing")
DATA_VERBS = ("Backup", "Backup", "Restore", "Restore", "Rollback", "ReleaseHold", "Stop", "Start", "Restart", "fault")
FAULTS = ("backup", "database-restore", "filestore-restore", "probe", "database-swap", "filestore-swap")


async def _act(world: World, draw: random.Random, verbs: Sequence[str]) -> str:
    """One thing that a person does."""
    what = draw.choice(verbs)
    spec: dict[str, Any] = dict((await world.doc()).spec)
    match what:
        case "image":
            spec["image"] = draw.choice(IMAGES)
        case "replicas":
            spec["replicas"] = draw.randint(0, 3)
        case "option":
            spec["configOptions"] = {"limit_time_real": draw.randint(100, 900)}
        case "rotate":
            from mooring.domain.instance.tasks import generated_secret

            if any(not one.ended for one in await world.operations()):
                return "nothing"  # a password rotated in the middle of an operation waits for its end, up to 15 minutes
            world.secrets.put(generated_secret(SHOP, "database"), password=f"pw{draw.random()}")
        case "nothing":
            pass
        case "Upgrade":
            await world.ask("Upgrade", modules=["base"])
        case "Backup":
            await world.ask("Backup", repository="nas")
        case "Restore":
            await world.ask("Restore", source={"snapshot": "latest", "repository": "nas"})
        case "fault":
            kind = draw.choice(FAULTS)
            world.machine.fail_next += [(kind, ServerUnreachable("nobody answers"))] * draw.randint(1, 3)
        case _:
            await world.ask(what)
    if what in ("image", "replicas", "option"):
        await world.apply(instance(**spec))
    return what


async def _live(world: World, draw: random.Random, verbs: Sequence[str], *, times: int, effects: int) -> list[str]:
    """People do `times` things, and most lives end before one of the first `effects` effects; what happened."""
    story: list[str] = []

    async def live() -> None:
        story.append(await _act(world, draw, verbs))
        await world.drive(timeout_s=draw.choice([2.0, 20.0, 4000.0]))

    for _ in range(times):
        killed = await world.killed(live, before=draw.choice([*range(1, effects), 10_000]))
        story.append("killed" if killed else "went on")
        if draw.random() < 0.2:
            world.sim.reboot()
            story.append("rebooted")
        world.clock.advance(draw.choice([0.0, 0.5, 30.0]))
    return story


@pytest.mark.parametrize("seed", SEEDS)
async def test_long_life_under_kills_loses_nothing_and_comes_to_rest(shop: World, seed: int) -> None:
    draw = random.Random(seed)
    story = await _live(shop, draw, VERBS, times=12, effects=70)
    try:
        for _ in range(2):
            await shop.rest()
        await shop.check_rest()
        await shop.check_nothing_lost()
        await shop.ask("Start")
        await shop.rest()  # ends what waits
        await shop.apply(instance(image="odoo:14.0-next"))
        error = await shop.rest()
        assert error is None, error
        await shop.check_rest()
        await shop.check_nothing_lost()
        picture = await shop.picture()
        assert (picture.phase, picture.runs, picture.web) == ("Running", digest("odoo:14.0-next"), 1)
    except (AssertionError, MooringError) as error:
        raise AssertionError(f"{' → '.join(story)}: {error}") from error


@pytest.mark.parametrize("seed", SEEDS)
async def test_long_life_of_backups_and_restores_keeps_pairs_whole_and_loses_nothing(shop: World, seed: int) -> None:
    draw = random.Random(seed)
    await shop.apply(repository())
    story = await _live(shop, draw, DATA_VERBS, times=14, effects=120)
    try:
        for _ in range(2):
            await shop.rest()
        shop.machine.fail_next.clear()
        for _ in range(2):  # what could not be taken back while everything failed is taken back now
            await shop.retry_stuck()
            await shop.rest()
        await shop.check_rest()
        await shop.check_nothing_gone()
        for verb in ("Start", "ReleaseHold"):
            await shop.ask(verb)
            await shop.rest()
        picture = await shop.picture()
        assert (picture.phase, picture.web, picture.cron, picture.held) == ("Running", 1, 1, False)
        await shop.check_rest()
        await shop.check_nothing_gone()
    except (AssertionError, MooringError) as error:
        raise AssertionError(f"{' → '.join(story)}: {error}") from error
