# SPDX-License-Identifier: Apache-2.0
"""An upgrade does what changed, and nothing else: Odoo's runs, what stops, what is copied, what a rollback returns to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.scenario.machine import digest
from tests.scenario.world import World, instance, repository
from tests.support.sim_world import SimContainer


async def steps(world: World) -> list[str]:
    """What the last upgrade did, in its order."""
    last = [one for one in await world.operations() if one.type == "Upgrade"][-1]
    assert last.phase == "Succeeded", last.doc.status.get("message")
    return [record.step for record in last.log if record.state == "done"]


def updates(world: World) -> list[str]:
    """What Odoo was told to update or install, run by run."""
    options = ("--update=", "--init=")
    return [word for argv in world.machine.odoo_runs for word in argv if word.startswith(options)]


async def upgrade(world: World, **spec: Any) -> None:
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
    shop: World, spec: dict[str, Any], asked: dict[str, Any], expected: Sequence[str]
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
    shop: World, auto: dict[str, Any], asked: dict[str, Any], backups: int
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


# Once users are in


def log_lines(world: World, level: str, count: int, logger: str = "odoo.http") -> list[str]:
    """So many lines of Odoo's log, now."""
    at = world.clock.now().strftime("%Y-%m-%d %H:%M:%S")
    return [f"{at},123 7 {level} shop {logger}: something" for _ in range(count)]


def web(world: World) -> SimContainer:
    """The web's process."""
    return next(box for box in world.sim.containers.values() if box.role == "web")


async def degraded(world: World) -> tuple[str, str]:
    """The condition `Degraded`."""
    found = next(one for one in (await world.doc()).status["conditions"] if one["type"] == "Degraded")
    return found["status"], found["reason"]


async def wait_in_vain(world: World) -> None:
    """Until users are to be let in, and then longer than they are waited for."""
    while not any(one.step == "start" and one.state == "started" for one in world.events):
        await world.passes(2)
    await world.passes(3)
    world.clock.advance(20 * 60)


async def test_release_without_new_modules_that_does_not_start_goes_back_alone(shop: World) -> None:
    await shop.mark("before")
    shop.events.clear()
    await shop.apply(instance(image="odoo:14.0-patch-bad-start"))
    await wait_in_vain(shop)
    error = await shop.rest()
    assert error is not None  # the upgrade failed, and is not tried again by itself
    picture = await shop.picture()
    assert (picture.phase, picture.runs, picture.web, picture.cron) == ("UpgradeFailed", digest("odoo:14.0"), 1, 1)
    await shop.check_rest()
    await shop.check_nothing_lost()
    assert [one.type.value for one in await shop.operations()][-2:] == ["Upgrade", "Rollback"]
    await shop.passes(3)
    assert (await shop.picture()).runs == digest("odoo:14.0")


async def test_release_with_new_modules_that_does_not_start_stays_for_a_person(shop: World) -> None:
    shop.events.clear()
    await shop.apply(instance(image="odoo:14.0-bad-start"))
    await wait_in_vain(shop)
    await shop.passes(20)
    assert (await shop.picture()).runs == digest("odoo:14.0-bad-start")
    assert await degraded(shop) == ("True", "UnhealthyAfterUpgrade")
    assert [one.type.value for one in await shop.operations()][-1] == "Upgrade"


@pytest.mark.parametrize(
    ("rollback", "image", "runs"),
    [
        pytest.param({}, "odoo:14.0-patch", "odoo:14.0", id="no module was updated"),
        pytest.param({}, "odoo:14.0-next", "odoo:14.0-next", id="modules were updated"),
        pytest.param({"enabled": False}, "odoo:14.0-patch", "odoo:14.0-patch", id="the manifest does not want it"),
    ],
)
async def test_errors_in_the_log_after_an_upgrade_alert_and_return_the_release_alone(
    shop: World, rollback: dict[str, Any], image: str, runs: str
) -> None:
    await shop.apply(instance(image=image, autoUpgrade={"rollback": rollback}))
    await shop.drive()
    await shop.mark("after the upgrade")
    shop.clock.advance(30)
    web(shop).lines += log_lines(shop, "ERROR", 12)
    await shop.passes(1)
    assert any("proves bad: the log holds 12 errors" in one.text for one in shop.events)
    await shop.drive()
    assert (await shop.picture()).runs == digest(runs)
    assert "* after the upgrade" in (await shop.current()).rows
    if runs == image:
        assert await degraded(shop) == ("True", "UnhealthyAfterUpgrade")
        shop.clock.advance(600)
        await shop.passes(2)
        assert await degraded(shop) == ("False", "NotDegraded")


async def test_few_errors_among_many_requests_and_errors_after_the_window_mean_nothing(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-patch", autoUpgrade={"rollback": {"window": "2m"}}))
    await shop.drive()
    shop.clock.advance(30)
    web(shop).lines += [*log_lines(shop, "ERROR", 12), *log_lines(shop, "INFO", 200, "werkzeug")]
    await shop.passes(2)
    assert (await degraded(shop))[0] == "False"
    shop.clock.advance(120)
    web(shop).lines += log_lines(shop, "ERROR", 100)
    await shop.passes(2)
    assert (await degraded(shop))[0] == "False"
    assert (await shop.ledger()).watch is None
    assert (await shop.picture()).runs == digest("odoo:14.0-patch")
