# SPDX-License-Identifier: Apache-2.0
"""An upgrade does what changed, and nothing else: Odoo's runs, what stops, what is copied, what a rollback returns to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.scenario.machine import digest
from tests.scenario.world import World, instance, repository


async def steps(world: World) -> list[str]:
    """What the last upgrade did, in its order."""
    last = [one for one in await world.operations() if one.type == "Upgrade"][-1]
    assert last.phase == "Succeeded", last.doc.status.get("message")
    return [record.step for record in last.log if record.state == "done"]


def updates(world: World) -> list[str]:
    """What Odoo was told to update or install, run by run."""
    options = ("--update=", "--init=")
    return [word for argv in world.machine.odoo_runs for word in argv if word.startswith(options)]


async def upgrade(world: World, **spec: object) -> None:
    await world.ask("Upgrade", **spec)
    await world.drive()


async def test_init_stores_what_the_modules_files_are(shop: World) -> None:
    assert (await shop.current()).checksums == {"base": "base of odoo:14.0"}


async def test_upgrade_with_nothing_to_do_runs_no_odoo_and_stops_nothing(shop: World) -> None:
    await shop.passes(3)
    before, boxes = list(shop.machine.odoo_runs), set(shop.sim.containers)
    previous = (await shop.ledger()).previous
    await upgrade(shop)
    assert await steps(shop) == ["read-modules", "hash-modules"]
    assert shop.machine.odoo_runs == before
    assert boxes <= set(shop.sim.containers)
    assert (await shop.ledger()).previous == previous


async def test_upgrade_to_a_release_with_the_same_modules_only_restarts(shop: World) -> None:
    before = updates(shop)
    await shop.apply(instance(image="odoo:14.0-patch"))
    await shop.drive()
    done = await steps(shop)
    assert done == [
        "read-modules", "hash-modules", "stop", "probe", "switch", "start", "drop-old-copies", "drop-old-files",
    ]  # fmt: skip
    assert updates(shop) == before
    assert (await shop.picture()).runs == digest("odoo:14.0-patch")
    previous = (await shop.ledger()).previous
    assert previous is not None
    assert not previous.data


async def test_rollback_of_a_release_alone_keeps_what_users_wrote_and_cron(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-patch"))
    await shop.drive()
    await shop.mark("after the upgrade")
    await shop.ask("Rollback")
    await shop.drive()
    picture = await shop.picture()
    assert (picture.runs, picture.web, picture.cron, picture.held) == (digest("odoo:14.0"), 1, 1, False)
    assert "* after the upgrade" in (await shop.current()).rows
    await shop.check_nothing_lost()


async def test_upgrade_updates_only_the_module_that_changed(shop: World) -> None:
    await upgrade(shop, install=["sale"])
    before = updates(shop)
    await shop.apply(instance(image="odoo:14.0-sale"))
    await shop.drive()
    assert updates(shop)[len(before) :] == ["--update=sale"]
    assert (await shop.current()).checksums == {"base": "base of odoo:14.0", "sale": "sale of odoo:14.0-sale"}
    assert "copy-database" in await steps(shop)
    await upgrade(shop)
    assert updates(shop)[len(before) :] == ["--update=sale"]


async def test_upgrade_whose_base_changed_updates_everything(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-next"))
    await shop.drive()
    assert updates(shop)[-1] == "--update=all"
    assert (await shop.current()).checksums == {"base": "base of odoo:14.0-next"}


async def test_upgrade_of_data_without_checksums_updates_everything(shop: World) -> None:
    (await shop.current()).checksums = {}
    await upgrade(shop)
    assert updates(shop)[-1] == "--update=all"
    assert (await shop.current()).checksums == {"base": "base of odoo:14.0"}


async def test_upgrade_that_fails_stores_nothing(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-bad-migrate"))
    assert await shop.rest() is not None
    assert (await shop.current()).checksums == {"base": "base of odoo:14.0"}


@pytest.mark.parametrize(
    ("spec", "asked", "expected"),
    [
        pytest.param({}, {"modules": ["all"]}, ["--update=all"], id="all by a person's word"),
        pytest.param({}, {"modules": ["base"]}, ["--update=base"], id="one by a person's word"),
        pytest.param({"autoUpgrade": {"modules": "all"}}, {}, ["--update=all"], id="all by the manifest"),
        pytest.param({}, {"install": ["sale"]}, ["--init=sale"], id="one to install"),
        pytest.param(
            {}, {"modules": ["changed"], "install": ["sale"]}, ["--init=sale"], id="changed, and one to install"
        ),
    ],
)
async def test_upgrade_does_what_it_is_asked(
    shop: World, spec: dict[str, object], asked: dict[str, object], expected: Sequence[str]
) -> None:
    await shop.apply(instance(**spec))
    await shop.drive()
    before = len(updates(shop))
    await upgrade(shop, **asked)
    assert updates(shop)[before:] == expected


async def test_module_that_was_updated_alone_is_stored_alone(shop: World) -> None:
    await upgrade(shop, install=["sale"])
    current = await shop.current()
    current.checksums = {"base": "older", "sale": "older"}
    await upgrade(shop, modules=["sale"])
    assert (await shop.current()).checksums == {"base": "older", "sale": "sale of odoo:14.0"}


@pytest.mark.parametrize(
    ("auto", "asked", "backups"),
    [
        pytest.param({}, {"modules": ["all"]}, 1, id="as the manifest is by default"),
        pytest.param({"backupBefore": False}, {"modules": ["all"]}, 0, id="the manifest wants none"),
        pytest.param({"backupBefore": False}, {"modules": ["all"], "backupBefore": True}, 1, id="a person wants one"),
        pytest.param({}, {"modules": ["all"], "backupBefore": False}, 0, id="a person wants none"),
        pytest.param({}, {}, 0, id="nothing changed"),
    ],
)
async def test_upgrade_takes_a_backup_before_it_stops_anything(
    shop: World, auto: dict[str, object], asked: dict[str, object], backups: int
) -> None:
    await shop.apply(repository(), instance(backup={"repository": "nas"}, autoUpgrade=auto))
    await shop.drive()
    await upgrade(shop, **asked)
    kept = [one for place in shop.machine.repositories.values() for one in place.snapshots]
    assert [one.tags for one in kept] == [("before-upgrade",)] * backups
    done = await steps(shop)
    if backups:
        assert done.index("back-up") < done.index("stop")
    assert bool((await shop.ledger()).backups.good) is bool(backups)


async def test_upgrade_whose_backup_fails_stops_nothing(shop: World) -> None:
    from mooring.domain.work.errors import ServerUnreachable

    await shop.apply(repository(), instance(backup={"repository": "nas"}))
    await shop.drive()
    before = len(shop.machine.odoo_runs)
    shop.machine.fail_next += [("backup", ServerUnreachable("nobody answers"))] * 3
    await shop.apply(repository(), instance(image="odoo:14.0-next", backup={"repository": "nas"}))
    assert await shop.rest() is not None
    assert len(shop.machine.odoo_runs) == before
    assert (await shop.picture()).runs == digest("odoo:14.0")
