# SPDX-License-Identifier: Apache-2.0
"""What a private image is got with goes wherever the image goes: tasks, processes, memory. The value never does."""

from __future__ import annotations

from pathlib import Path

from mooring.domain.model.secret import SecretKey, SecretRef
from tests.scenario.world import SHOP, World, instance

OLD = SecretKey(SecretRef("default", "old-login"), ".dockerconfigjson")
NEW = SecretKey(SecretRef("default", "new-login"), ".dockerconfigjson")


async def test_everything_of_a_private_release_says_which_secret_it_is_got_with(tmp_path: Path) -> None:
    world = World(tmp_path)
    tasks: list[SecretKey | None] = []

    def note(spec: object) -> bool:
        image = getattr(spec, "image", None)
        if image is not None and image.source == "odoo:14.0":
            tasks.append(image.pull_secret)
        return False

    world.sim.rules.append((note, world.machine.begin))
    await world.bring_up(instance(imagePullSecret="old-login"))
    assert tasks
    assert set(tasks) == {OLD}
    boxes = [*world.sim.running(SHOP, "web"), *world.sim.running(SHOP, "cron")]
    assert [one.workload.image.pull_secret for one in boxes] == [OLD, OLD]


async def test_another_pull_secret_for_the_same_release_is_written_down_and_restarts_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.bring_up(instance(imagePullSecret="old-login"))
    before = {one.name: one.started_at for one in world.sim.containers.values()}
    operations = await world.operations()
    await world.bring_up(instance(imagePullSecret="new-login"))
    ledger = await world.ledger()
    known = ledger.release(ledger.runs)
    assert known is not None
    assert known.release.pull_secret == NEW
    assert {one.name: one.started_at for one in world.sim.containers.values()} == before
    assert [one.doc.ref for one in await world.operations()] == [one.doc.ref for one in operations]


async def test_release_whose_pull_secret_leaves_the_manifest_is_got_without_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.bring_up(instance(imagePullSecret="old-login"))
    await world.bring_up(instance())
    ledger = await world.ledger()
    known = ledger.release(ledger.runs)
    assert known is not None
    assert known.release.pull_secret is None
