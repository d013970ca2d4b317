# SPDX-License-Identifier: Apache-2.0
"""The status that stands in the record: everything that the manifest page promises, with real values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mooring.api.instance import OdooInstanceSpec
from mooring.api.server import DatabaseServerSpec
from mooring.api.status import InstanceStatus, ServerStatus
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretRef
from mooring.drivers.folders import FolderUnreadable
from tests.scenario.data import Database, Postgres, Role
from tests.scenario.world import DEFAULT_SERVER, SHOP, World, instance

CONDITIONS = {
    "Ready",
    "Progressing",
    "Reconciling",
    "Stalled",
    "Degraded",
    "DatabaseReady",
    "BackupHealthy",
    "UpToDate",
}


async def status(world: World, ref: Ref = SHOP) -> InstanceStatus:
    """As its model reads it: nothing in it is unknown to the model."""
    return InstanceStatus.model_validate((await world.doc(ref)).status)


async def holds(world: World, kind: str) -> bool:
    return (await world.condition(kind))[0] == "True"


async def test_status_of_an_instance_that_runs_has_every_field(shop: World) -> None:
    found = await status(shop)
    doc = await shop.doc()

    assert found.phase == "Running"
    assert found.observed_generation == doc.generation
    assert {one.type.value for one in found.conditions} == CONDITIONS
    assert found.release is not None
    assert found.release.version == "14.0"
    assert found.database is not None
    assert (found.database.server, found.database.name) == ("default", (await shop.ledger()).database)
    assert found.database.size_bytes == 8_000_000
    assert found.database.max_connections == 200
    assert (found.replicas, found.ready_replicas) == (1, 1)
    assert found.selector == "owner=OdooInstance shop,role=web"
    assert found.last_backup is None
    assert found.previous is None
    assert await holds(shop, "Ready")
    assert not await holds(shop, "Reconciling")
    assert not await holds(shop, "Stalled")


async def test_resolved_is_a_spec_with_its_defaults_and_what_was_settled(world: World) -> None:
    await world.bring_up(instance(image=None, configOptions={"limit_request": 9000, "smtp_password": "s3cret"}))
    value = (await world.doc()).status["resolved"]

    spec = OdooInstanceSpec.model_validate(value)
    assert (spec.image, spec.version, spec.workers) == ("odoo:14.0", "14.0", 2)
    assert (spec.database.server, spec.database.name) == ("default", (await world.ledger()).database)
    assert spec.environment is not None
    assert spec.environment.value == "Production"
    assert spec.cron.resources is not None
    assert spec.service.port == world.sim.ports[SHOP, "http"]
    assert value["deletionPolicy"] == "Retain"
    assert value["configOptions"] == {"limit_request": "9000"}
    assert "s3cret" not in str((await world.doc()).status)


async def test_upgrade_says_what_a_rollback_returns_to_and_measures_again(shop: World) -> None:
    (await shop.current()).size_bytes = 9_000_000
    await shop.apply(instance(image="odoo:14.0-next"))
    await shop.drive()
    found = await status(shop)
    assert found.previous is not None
    assert (found.previous.image, found.previous.version) == ("odoo:14.0", "14.0")
    assert found.database is not None
    assert found.database.size_bytes == 9_000_000
    await shop.ask("Rollback")
    await shop.drive()
    assert (await status(shop)).previous is None


async def test_database_that_only_a_secret_names_is_named_in_status(world: World) -> None:
    server = Postgres({"kept-by-them": Database("me")}, {"me": Role(None, "pw-of-theirs")})
    world.machine.external["db.example.com"] = server
    world.secrets.put(SecretRef("default", "mydb"), user="me", password="pw-of-theirs", dbname="kept-by-them")
    external: dict[str, Any] = {"host": "db.example.com", "secretRef": {"name": "mydb"}}
    await world.bring_up(instance(database={"external": external}))
    found = await status(world)
    assert found.database is not None
    assert (found.database.server, found.database.name) == ("db.example.com", "kept-by-them")
    assert "pw-of-theirs" not in str((await world.doc()).status)


async def test_release_that_cannot_be_had_stalls_and_what_runs_stays_ready(shop: World) -> None:
    await shop.apply(instance(image="odoo:nowhere"))
    assert await shop.rest() is not None
    assert await holds(shop, "Ready")
    assert await holds(shop, "Stalled") != await holds(shop, "Reconciling")
    assert not await holds(shop, "UpToDate")


async def test_first_release_that_cannot_be_had_says_so_in_the_conditions(world: World) -> None:
    await world.apply(instance(image="odoo:nowhere"))
    assert await world.rest() is not None
    found = await status(world)
    assert {one.type.value for one in found.conditions} == CONDITIONS
    assert not await holds(world, "Ready")
    assert (await world.condition("Ready"))[1] == "ImageNotFound"
    assert found.observed_generation == 1


async def test_paused_instance_is_looked_at(shop: World) -> None:
    await shop.apply(instance(paused=True))
    await shop.drive()
    assert await shop.condition("Ready") == ("True", "Paused")
    shop.sim.containers.clear()
    await shop.drive()
    found = await status(shop)
    assert found.phase == "Paused"
    assert (found.replicas, found.ready_replicas) == (0, 0)
    assert await shop.condition("Ready") == ("False", "Paused")
    assert not shop.sim.containers


async def test_server_has_conditions_its_version_and_its_spec_with_defaults(shop: World) -> None:
    doc = await shop.doc(DEFAULT_SERVER)
    found = ServerStatus.model_validate(doc.status)
    assert {one.type.value: one.status.value for one in found.conditions} == {
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
    }
    assert found.version == "15.6"
    resolved = DatabaseServerSpec.model_validate(doc.status["resolved"])
    assert resolved.managed is not None
    assert resolved.managed.version == 17


async def test_record_of_an_operation_goes_when_a_command_comes_after_its_time(shop: World) -> None:
    await shop.ask("Restart", ttlAfterFinished="1h")
    await shop.drive()
    kept = [one.type.value for one in await shop.operations()]
    assert kept[-1] == "Restart"
    await shop.clock.sleep(3601)
    await shop.drive()
    assert [one.type.value for one in await shop.operations()] == kept[:-1]
    await shop.drive()
    assert await shop.phase() == "Running"


async def test_addons_that_the_working_user_may_not_read_are_named_and_nothing_changes(
    shop: World, tmp_path: Path
) -> None:
    folder = tmp_path / "addons"
    (folder / "my_module").mkdir(parents=True)
    (folder / "my_module/__manifest__.py").write_text("{}")
    before = {(box.name, box.started_at) for box in shop.sim.containers.values()}
    await shop.apply(instance(addons=[{"path": str(folder)}]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mooring.control.subjects.module_names", refuse_folder)
        assert isinstance(await shop.rest(), FolderUnreadable)
    found = await status(shop)
    assert found.problem is not None
    assert found.problem["code"] == "MOOR-517"
    assert (await shop.condition("Reconciling"))[1] == "FolderUnreadable"
    assert {(box.name, box.started_at) for box in shop.sim.containers.values()} == before
    await shop.drive()
    assert (await status(shop)).problem is None


def refuse_folder(folder: Path) -> list[str]:
    raise FolderUnreadable(f"{folder} may not be read.")
