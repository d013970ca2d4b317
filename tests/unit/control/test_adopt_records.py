# SPDX-License-Identifier: Apache-2.0
"""Records written again from the notes on what runs: the world goes on, its records are gone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mooring.control.adopt_records import learn_release, restore_records
from mooring.domain.instance.subject import PinnedRelease
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Found
from mooring.domain.model.release import ResolvedRelease
from mooring.drivers.documents import Document
from tests.scenario.machine import digest
from tests.scenario.world import DEFAULT_SERVER, SHOP, World, instance
from tests.support.memory_documents import MemoryDocuments


def found_instance(world_id: str, spec: dict[str, Any], image: str = "odoo:14.0") -> Found:
    release = ResolvedRelease(image, digest(image), digest(image))
    return Found(
        SHOP,
        Identity("here", world_id),
        workloads=("cron", "web"),
        volumes=("filestore",),
        release=release,
        notes={"spec": json.dumps(spec)},
    )


def found_server(ref: Ref, server_id: str = "1", **spec: Any) -> Found:
    notes = {"spec": json.dumps({"managed": {}, **spec})}
    return Found(ref, Identity("here", server_id), workloads=("database",), notes=notes)


async def lose_records(world: World, spec: dict[str, Any], image: str = "odoo:14.0") -> list[Found]:
    """Forget everything but what is on the machine and the secrets; what is found there."""
    shop, server = await world.doc(), await world.doc(DEFAULT_SERVER)
    world.documents = MemoryDocuments()
    world.connect()
    return [found_instance(shop.id, spec, image), found_server(DEFAULT_SERVER, server.id, default=True)]


async def adopt(world: World, found: list[Found]) -> list[Ref]:
    services = world.life()

    async def learn(one: Found) -> PinnedRelease | None:
        return await learn_release(services, one)

    return await restore_records(found, services.documents, learn, installation="here", now=world.clock.now())


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    await world.bring_up()
    return world


async def test_adopted_instance_runs_on_without_an_operation(world: World) -> None:
    before = await world.doc()
    found = await lose_records(world, dict(before.spec))

    assert await adopt(world, found) == [DEFAULT_SERVER, SHOP]
    await world.drive()

    assert (await world.doc()).id == before.id
    assert (await world.doc()).spec == before.spec
    assert (await world.doc(DEFAULT_SERVER)).spec == {"default": True, "managed": {}}
    assert await world.operations() == []
    assert await world.phase() == "Running"
    await world.check_rest()
    await world.check_nothing_lost()


async def test_adopted_instance_takes_up_the_upgrade_that_its_spec_names(world: World) -> None:
    found = await lose_records(world, {"image": "odoo:14.0-next"})

    await adopt(world, found)
    await world.drive()

    assert [one.type.value for one in await world.operations()] == ["Upgrade"]
    await world.check_rest()
    await world.check_nothing_lost()


async def test_adopted_and_stopped_instance_finds_its_data(world: World) -> None:
    (shop, server) = await lose_records(world, {"image": "odoo:14.0"})

    await adopt(world, [replace(shop, workloads=(), release=None), server])
    await world.drive()

    assert [one.type.value for one in await world.operations()] == ["Provision"]
    await world.check_rest()
    await world.check_nothing_lost()


async def test_adopted_twice_changes_nothing_the_second_time(world: World) -> None:
    found = await lose_records(world, {"image": "odoo:14.0"})
    await adopt(world, found)
    records = await world.documents.list()

    assert await adopt(world, found) == []
    assert await world.documents.list() == records


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(replace(found_instance("1", {}), notes={}), id="no note"),
        pytest.param(found_instance("1", {"unknownField": 1}), id="a note of another version"),
        pytest.param(replace(found_instance("1", {}), identity=Identity("other", "1")), id="another installation"),
        pytest.param(found_instance("1", {}, image="nothing:1"), id="a release that is no Odoo"),
        pytest.param(found_instance("1", {"image": "odoo:14.0", "version": "15.0"}), id="a version that it is not"),
    ],
)
async def test_what_cannot_be_told_is_left_to_its_manifest(found: Found, tmp_path: Path) -> None:
    world = World(tmp_path)

    assert await adopt(world, [found, found_server(DEFAULT_SERVER, default=True)]) == [DEFAULT_SERVER]
    assert await world.documents.get(SHOP) is None


async def test_instance_whose_server_cannot_be_told_is_left_to_its_manifest(tmp_path: Path) -> None:
    world = World(tmp_path)
    other = Ref("DatabaseServer", "default", "other")

    assert await adopt(world, [found_instance("1", {"image": "odoo:14.0"}), found_server(other)]) == [other]
    assert await world.documents.get(SHOP) is None


async def test_record_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.documents.put(Document(SHOP, "mine", spec={"image": "odoo:14.0-next"}), if_version=None)

    assert await adopt(world, [found_instance("1", {"image": "odoo:14.0"})]) == []
    assert (await world.doc()).id == "mine"


async def test_server_of_one_instance_belongs_to_it_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    own = Ref("DatabaseServer", "default", "shop")

    await adopt(world, [found_instance("1", instance(database={"managed": {}})["spec"]), found_server(own)])

    assert (await world.doc(own)).meta["owner"] == str(SHOP)
    assert (await world.doc(own)).spec == {"managed": {}}
