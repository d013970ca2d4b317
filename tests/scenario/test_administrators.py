# SPDX-License-Identifier: Apache-2.0
"""An external database on whose server nobody here may create another: what needs one is refused, and nothing is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mooring.api.kinds import Manifest
from mooring.api.loader import load_resource
from mooring.control.errors import NoAdministrator
from mooring.control.plan import plan_manifests
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretRef
from mooring.domain.operations.plan import OperationType
from mooring.errors import MooringError
from tests.scenario.data import Database, Postgres, Role
from tests.scenario.test_input import everything, words
from tests.scenario.world import SHOP, World, instance, manifest, repository

HOST = "db.example.com"
NARROW: dict[str, Any] = {"host": HOST, "secretRef": {"name": "mydb"}}
WIDE: dict[str, Any] = {**NARROW, "adminSecretRef": {"name": "root"}}
BLOG = Ref("OdooInstance", "default", "blog")


@pytest.fixture
async def narrow(world: World) -> World:
    """`shop` on an external database with its owner's secret alone."""
    world.secrets.put(SecretRef("default", "mydb"), user="me", password="pw", dbname="mine")
    world.secrets.put(SecretRef("default", "root"), user="postgres", password="rootpw")
    server = Postgres(roles={"me": Role(None, "pw"), "postgres": Role(None, "rootpw", admin=True)})
    server.databases["mine"] = Database("me")
    world.machine.external[HOST] = server
    await world.apply(repository())
    await world.bring_up(instance(database={"external": NARROW}, backup={"repository": "nas"}))
    return world


def job(kind: str, **spec: Any) -> dict[str, Any]:
    return manifest(kind, "asked", instanceRef={"name": "shop"}, **spec)


ASKED: Mapping[str, dict[str, Any]] = {
    "restore": job("OdooRestoreJob", source={"snapshot": "latest"}),
    "import": job("OdooRestoreJob", source={"url": "file:///srv/shop.zip"}),
    "restore from an instance": job("OdooRestoreJob", source={"instance": {"name": "blog"}}),
    "refresh": job("OdooStagingRefreshJob"),
    "upgrade": job("OdooUpgradeJob", modules=["base"]),
}


def load(*given: dict[str, Any]) -> list[Manifest]:
    return [load_resource(one, source="test") for one in given]


@pytest.mark.parametrize("given", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("way", ["plan", "apply"])
async def test_what_needs_another_database_is_refused_before_anything_is_written(
    narrow: World, given: dict[str, Any], way: str
) -> None:
    before = await everything(narrow)
    with pytest.raises(MooringError) as caught:
        await (plan_manifests(narrow.life(), load(given)) if way == "plan" else narrow.apply(given))
    said = words(caught.value, NoAdministrator)
    assert "nobody here may create one" in said
    assert "adminSecretRef" in caught.value.resolution
    assert "DatabaseServer" in caught.value.resolution
    assert await everything(narrow) == before
    await narrow.check_rest()


async def test_a_staging_copy_on_such_a_database_is_refused(narrow: World) -> None:
    narrow.secrets.put(SecretRef("default", "other"), user="you", password="pw", dbname="yours")
    copy = instance(
        "blog", stagingOf={"name": "shop"}, database={"external": {**NARROW, "secretRef": {"name": "other"}}}
    )
    with pytest.raises(NoAdministrator):
        await narrow.apply(copy)


@pytest.mark.parametrize("together", [True, False], ids=["in one file", "applied before"])
async def test_a_named_server_of_others_without_an_administrator_is_as_narrow(world: World, together: bool) -> None:
    server = manifest("DatabaseServer", "theirs", external={"host": HOST})
    copy = instance("blog", stagingOf={"name": "shop"}, database={"server": "theirs"})
    await world.apply(instance())
    if not together:
        await world.apply(server)
    with pytest.raises(NoAdministrator):
        await world.apply(*([server] if together else []), copy)


async def test_with_an_administrators_secret_it_is_carried_out(narrow: World) -> None:
    await narrow.ask("Backup", repository="nas")
    assert await narrow.rest() is None
    await narrow.apply(instance(database={"external": WIDE}, backup={"repository": "nas"}))
    await narrow.apply(ASKED["restore"])
    assert await narrow.rest() is None
    assert [one.type for one in await narrow.operations()][-1] is OperationType.RESTORE
    assert (await narrow.ledger()).previous is not None


async def test_a_way_back_is_refused_where_the_administrators_secret_was_taken_away(narrow: World) -> None:
    """Also where it is taken away after the rollback was asked for, and nothing is stopped."""
    await test_with_an_administrators_secret_it_is_carried_out(narrow)
    await narrow.apply(job("OdooOperation", type="Rollback") | {"metadata": {"name": "early", "namespace": "default"}})
    await narrow.apply(instance(database={"external": NARROW}, backup={"repository": "nas"}))
    with pytest.raises(NoAdministrator):
        await narrow.apply(job("OdooOperation", type="Rollback"))
    effects = [one for one in narrow.sim.timeline if one.what == "ended"]
    await narrow.rest()
    last = (await narrow.operations())[-1]
    assert (last.type, last.phase) == (OperationType.ROLLBACK, "Failed")
    assert "nobody here may create one" in last.doc.status["error"]["brief"]
    assert [one for one in narrow.sim.timeline if one.what == "ended"] == effects
    assert narrow.running("web", SHOP) == 1
