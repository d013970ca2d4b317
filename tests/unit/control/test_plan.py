# SPDX-License-Identifier: Apache-2.0
"""What `plan` says is what `apply` then does, and planning does nothing."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from mooring.api.loader import load_documents
from mooring.control.errors import FieldUnsupported, UnknownServer
from mooring.control.plan import InstancePlan, plan_manifests
from tests.scenario.world import DEFAULT_SERVER, SHOP, World, instance, manifest


async def planned(world: World, *manifests: dict[str, Any]) -> list[InstancePlan]:
    text = "\n---\n".join(json.dumps(one) for one in manifests)
    return await plan_manifests(world.life(), load_documents(text.encode(), source="test"))


async def begun(world: World, *manifests: dict[str, Any]) -> list[str]:
    """The types of the operations that applying begins."""
    before = {one.doc.id for one in await world.operations()}
    await world.apply(*manifests)
    await world.rest()
    return [one.type.value for one in await world.operations() if one.doc.id not in before]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("before", "then", "operations"),
    [
        pytest.param([], {}, ["Provision", "Init"], id="new"),
        pytest.param([], {"init": {"enabled": False}}, ["Provision"], id="new and to stay empty"),
        pytest.param([{}], {}, [], id="nothing changed"),
        pytest.param([{}], {"image": "odoo:14.0-next"}, ["Upgrade"], id="another image"),
        pytest.param(
            [{}],
            {"image": "odoo:14.0-next", "autoUpgrade": {"enabled": False}},
            [],
            id="another image, taken up by hand only",
        ),
        pytest.param(
            [{}, {"image": "odoo:14.0-bad-migrate"}],
            {"image": "odoo:14.0-bad-migrate"},
            [],
            id="an upgrade that failed",
        ),
        pytest.param(
            [{}, {"image": "odoo:14.0-bad-migrate"}],
            {"image": "odoo:14.0-bad-migrate", "configOptions": {"limit_time_real": "300"}},
            ["Upgrade"],
            id="an upgrade that failed, and another field",
        ),
        pytest.param([{"image": "odoo:14.0-bad-init"}], {"image": "odoo:14.0-bad-init"}, [], id="an init that failed"),
        pytest.param([{"image": "odoo:14.0-bad-init"}], {}, ["Init"], id="an init that failed, and another image"),
    ],
)
async def test_plan_names_the_operations_that_apply_begins(
    before: list[dict[str, Any]], then: dict[str, Any], operations: list[str], world: World
) -> None:
    for spec in before:
        await world.apply(instance(**spec))
        await world.rest()

    (plan,) = await planned(world, instance(**then))

    assert [one.type for one in plan.operations] == operations
    assert await begun(world, instance(**then)) == operations


async def test_plan_names_the_upgrade_to_what_is_pinned_and_does_not_run(world: World) -> None:
    await world.bring_up()
    await world.apply(instance(autoUpgrade={"enabled": False}))
    await world.rest()
    await world.apply(instance(image="odoo:14.0-next", autoUpgrade={"enabled": False}))
    await world.rest()
    wanted = instance(image="odoo:14.0-next")

    (plan,) = await planned(world, wanted)

    assert [one.type for one in plan.operations] == ["Upgrade"]
    assert await begun(world, wanted) == ["Upgrade"]


async def test_plan_names_what_was_asked_for_and_waits(world: World) -> None:
    await world.bring_up()
    await world.ask("Restart")

    (plan,) = await planned(world, instance())

    assert [one.type for one in plan.operations] == ["Restart"]


async def test_plan_names_an_operation_in_progress_once(world: World) -> None:
    await world.bring_up()
    wanted = instance(image="odoo:14.0-next")
    await world.apply(wanted)
    await world.passes(4)

    (plan,) = await planned(world, wanted)

    assert [one.phase for one in (await world.operations())[-1:]] == ["Running"]
    assert [one.type for one in plan.operations] == ["Upgrade"]
    assert "in progress" in plan.operations[0].reason


async def test_plan_of_a_server_shows_its_changes_and_who_is_hit(world: World) -> None:
    await world.bring_up()
    changed = manifest("DatabaseServer", "default", default=True, managed={"parameters": {"work_mem": "8MB"}})

    (plan,) = await planned(world, changed)

    assert any(one.action == "replace" for one in plan.changes)
    assert any("shop" in note for note in plan.notes)


async def test_plan_of_an_instances_own_server_shows_its_changes(world: World) -> None:
    await world.bring_up(instance(database={"managed": {}}))
    changed = instance(database={"managed": {"parameters": {"work_mem": "8MB"}}})

    (plan,) = await planned(world, changed)

    assert any("database" in one.object and one.action == "replace" for one in plan.changes)
    (same,) = await planned(world, instance(database={"managed": {}}))
    assert same.changes == ()


async def test_plan_of_a_server_whose_image_is_not_known_says_so(world: World) -> None:
    (plan,) = await planned(world, manifest("DatabaseServer", "own", managed={}))

    assert plan.changes == ()
    assert any("image" in one for one in plan.unknown)


@pytest.mark.parametrize("brought_up", [False, True], ids=["nothing there", "running"])
async def test_plan_has_no_effects(brought_up: bool, world: World) -> None:
    if brought_up:
        await world.bring_up()
    records = await world.documents.list()
    secrets = copy.copy({ref: dict(keys) for ref, keys in world.secrets.values.items()})
    effects = list(world.sim.effects)
    events = len(world.events)

    await planned(
        world,
        instance(image="odoo:14.0-next"),
        instance("other", database={"managed": {}}),
        manifest("DatabaseServer", "third", managed={"version": 16}),
    )

    assert await world.documents.list() == records
    assert world.secrets.values == secrets
    assert world.sim.effects == effects
    assert len(world.events) == events


@pytest.mark.parametrize("brought_up", [False, True], ids=["new", "running"])
async def test_plan_with_an_unknown_server_is_refused_as_apply_is(brought_up: bool, world: World) -> None:
    if brought_up:
        await world.bring_up()
    wanted = instance("till", database={"server": "nowhere"})

    with pytest.raises(UnknownServer):
        await planned(world, wanted)


async def test_plan_with_a_server_of_the_same_file_goes_on(world: World) -> None:
    plans = await planned(world, instance(database={"server": "pg"}), manifest("DatabaseServer", "pg", managed={}))

    assert [one.ref.name for one in plans] == ["shop", "pg"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param({"filestore": {"storageSize": "20Gi"}}, "filestore.storageSize 20Gi", id="filestore"),
        pytest.param(
            {"database": {"managed": {"storageSize": "30Gi"}}}, "database.managed.storageSize 30Gi", id="own server"
        ),
    ],
)
async def test_plan_says_that_a_size_is_not_enforced(spec: dict[str, Any], words: str, world: World) -> None:
    (plan,) = await planned(world, instance(**spec))

    assert any(words in note and "not enforced" in note for note in plan.notes)


async def test_server_for_other_namespaces_is_refused(world: World) -> None:
    with pytest.raises(FieldUnsupported, match="allowedNamespaces"):
        await planned(world, manifest("DatabaseServer", "own", managed={}, allowedNamespaces=["*"]))
    assert await world.documents.get(DEFAULT_SERVER) is None
    assert await world.documents.get(SHOP) is None
