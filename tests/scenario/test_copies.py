# SPDX-License-Identifier: Apache-2.0
"""One instance's snapshot becomes another's data: as a neutral copy, or moved by a person's word. Nothing reaches the source.

That no Odoo process ever works on data that says it is another instance's, `Machine.watch` sees at every call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mooring.api.errors import ManifestError
from mooring.control.reconcile import reconcile
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import OperationType
from mooring.domain.work.errors import ServerUnreachable
from mooring.domain.work.neutralize_errors import NotNeutral
from mooring.errors import MooringError
from tests.scenario.data import Database
from tests.scenario.machine import READ_RELEASE, kind_of
from tests.scenario.test_kills import DOWNTIMES_S, MOST_EFFECTS
from tests.scenario.world import MARK, SHOP, World, instance, repository

COPY = Ref("OdooInstance", "default", "copy")


@pytest.fixture
async def pair(shop: World) -> World:
    """`shop` with mail in its queue and one snapshot, and a running instance `copy` with data of its own."""
    await shop.apply(repository(), instance(backup={"repository": "nas"}))
    await shop.mark("of the shop")
    await shop.mail("to a customer")
    await shop.ask("Backup", repository="nas")
    assert await shop.rest() is None
    await shop.bring_up(instance("copy", backup={"repository": "nas"}))
    await shop.mark("of the copy", COPY)
    return shop


async def restore(world: World, ref: Ref = COPY, *, mode: str | None = None, **spec: Any) -> Ref:
    """`mooring restore copy --from shop` without the waiting."""
    given = {"source": {"snapshot": "latest", "snapshotOf": "shop"}, **spec}
    return await world.ask("Restore", ref=ref, **given, **({"mode": mode} if mode else {}))


async def ended(world: World, ref: Ref) -> tuple[str, str]:
    """How an operation ended: (phase, reason)."""
    status = (await world.doc(ref)).status
    return status.get("phase", "Pending"), status.get("error", {}).get("reason", "")


async def steps(world: World, ref: Ref) -> list[str]:
    """What an operation did, in order."""
    found = next(one for one in await world.operations(COPY) if one.doc.ref == ref)
    return [one.step for one in found.log if one.state == "done"]


def marks(found: Database) -> list[str]:
    """What users marked."""
    return [one.removeprefix(MARK) for one in found.rows if one.startswith(MARK)]


async def test_copy_is_neutral_before_anything_of_odoo_sees_it(pair: World) -> None:
    before = (await pair.current()).uuid, dict((await pair.current()).waiting)
    asked = await restore(pair)
    assert await pair.rest(COPY) is None
    assert await ended(pair, asked) == ("Succeeded", "")
    done = await steps(pair, asked)
    assert done[:5] == ["build-database", READ_RELEASE, "neutralize", "verify-neutral", "build-filestore"]
    assert done.index("verify-neutral") < done.index("probe") < done.index("swap-database")
    found = await pair.current(COPY)
    assert (marks(found), found.alive, found.waiting) == (["of the shop"], False, {})
    assert found.uuid != before[0]
    assert before == ((await pair.current()).uuid, dict((await pair.current()).waiting))
    assert (await pair.current()).alive
    for ref in (SHOP, COPY):
        await pair.check_rest(ref)
        await pair.check_nothing_gone(ref)
    await pair.check_nothing_lost()


async def test_copy_needs_no_release_of_its_cron_and_can_be_returned_from(pair: World) -> None:
    await restore(pair)
    assert await pair.rest(COPY) is None
    assert (pair.running("web", COPY), pair.running("cron", COPY)) == (1, 1)
    assert not (await pair.doc(COPY)).status.get("warnings")
    await pair.ask("Rollback", ref=COPY)
    assert await pair.rest(COPY) is None
    assert marks(await pair.current(COPY)) == ["of the copy"]


async def test_every_copy_has_an_identity_of_its_own(pair: World) -> None:
    known = {(await pair.current()).uuid, (await pair.current(COPY)).uuid}
    for _ in range(2):
        await restore(pair)
        assert await pair.rest(COPY) is None
        known.add((await pair.current(COPY)).uuid)
    assert len(known) == 4


async def test_snapshot_is_found_by_its_instances_id_as_well(pair: World) -> None:
    source = {"snapshot": "latest", "snapshotOf": (await pair.doc()).id}
    asked = await pair.ask("Restore", ref=COPY, source=source)
    assert await pair.rest(COPY) is None
    assert await ended(pair, asked) == ("Succeeded", "")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param((READ_RELEASE, ServerUnreachable("no")), id="release unread"),
        pytest.param(("database-neutralize", ServerUnreachable("no")), id="not neutralized"),
        pytest.param(("database-verify-neutral", NotNeutral("a mail server is active")), id="not proved"),
        pytest.param(("probe", ServerUnreachable("no")), id="probe"),
    ],
)
async def test_copy_that_is_not_proved_neutral_is_thrown_away_before_any_odoo_sees_it(
    pair: World, fault: tuple[str, MooringError]
) -> None:
    before, runs = await pair.picture(COPY), len(pair.machine.odoo_runs)
    pair.machine.fail_next += [fault] * 3
    asked = await restore(pair)
    assert await pair.rest(COPY) is None
    assert await ended(pair, asked) == ("Failed", fault[1].reason)
    assert await pair.picture(COPY) == before
    assert len(pair.machine.odoo_runs) == runs
    await pair.check_rest(COPY)
    await pair.check_nothing_lost(COPY)


async def test_own_snapshot_comes_back_as_it_was_unless_a_copy_is_asked_for(pair: World) -> None:
    identity = (await pair.current()).uuid
    await restore(pair, SHOP, source={"snapshot": "latest"})
    assert await pair.rest() is None
    assert ((await pair.current()).uuid, (await pair.current()).alive) == (identity, True)
    await restore(pair, SHOP, source={"snapshot": "latest"}, mode="copy")
    assert await pair.rest() is None
    assert not (await pair.current()).alive
    assert (await pair.current()).uuid != identity


async def test_own_snapshot_asked_for_as_anothers_is_refused_until_the_mode_is_said(pair: World) -> None:
    asked = await restore(pair, SHOP)
    assert await pair.rest() is None
    assert await ended(pair, asked) == ("Failed", "ModeNotSaid")
    again = await restore(pair, SHOP, mode="copy")
    assert await pair.rest() is None
    assert await ended(pair, again) == ("Succeeded", "")


async def test_anothers_data_is_moved_by_a_persons_word_alone(pair: World) -> None:
    with pytest.raises(ManifestError, match="stop that instance first"):
        await restore(pair, mode="move")
    early = await restore(pair, mode="move", sourceStopped=True)
    assert await pair.rest(COPY) is None
    assert await ended(pair, early) == ("Failed", "SourceRuns")
    await pair.ask("Stop")
    assert await pair.rest() is None
    pair.machine.moved = True
    asked = await restore(pair, mode="move", sourceStopped=True)
    assert await pair.rest(COPY) is None
    assert await ended(pair, asked) == ("Succeeded", "")
    found = await pair.current(COPY)
    assert (found.uuid, found.alive) == ((await pair.current()).uuid, (await pair.current()).alive)
    assert (pair.running("web", COPY), pair.running("cron", COPY)) == (1, 0), "its data is from an earlier time"


async def test_staging_is_neutral_again_after_its_upgrade_and_keeps_its_identity(world: World) -> None:
    await world.bring_up(instance(environment="Staging"))
    identity = (await world.current()).uuid
    await world.apply(instance(environment="Staging", image="odoo:14.0-next"))
    assert await world.rest() is None
    found = await world.current()
    assert (found.neutral, found.alive, found.uuid) == (True, False, identity)
    (upgrade,) = [one for one in await world.operations() if one.type is OperationType.UPGRADE]
    done = [one.step for one in upgrade.log if one.state == "done"]
    assert done.index("migrate") < done.index("neutralize") < done.index("verify-neutral") < done.index("probe")


async def test_staging_whose_upgrade_is_not_proved_neutral_goes_back(world: World) -> None:
    await world.bring_up(instance(environment="Staging"))
    before = await world.ledger()
    world.machine.fail_next += [("database-verify-neutral", NotNeutral("a new connector"))] * 2
    await world.apply(instance(environment="Staging", image="odoo:14.0-next"))
    await world.rest()
    assert await world.phase() == "UpgradeFailed"
    assert (await world.ledger()).runs == before.runs
    assert not (await world.current()).alive
    await world.check_rest()


async def test_production_is_upgraded_without_a_word_of_neutralizing(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-next"))
    assert await shop.rest() is None
    assert not any("neutral" in one.step for operation in await shop.operations() for one in operation.log)
    assert (await shop.current()).alive


async def test_staging_is_neutralized_when_a_person_asks_and_production_never(shop: World, tmp_path: Path) -> None:
    asked = await shop.ask("Neutralize")
    await shop.rest()
    assert await ended(shop, asked) == ("Failed", "ProductionData")
    assert (await shop.current()).alive
    (tmp_path / "staging").mkdir()
    staging = World(tmp_path / "staging")
    await staging.bring_up(instance(environment="Staging"))
    await staging.mail("by a tester")
    identity = (await staging.current()).uuid
    asked = await staging.ask("Neutralize")
    assert await staging.rest() is None
    assert await ended(staging, asked) == ("Succeeded", "")
    found = await staging.current()
    assert (found.waiting, found.uuid) == ({}, identity)
    assert (staging.running("web"), staging.running("cron")) == (1, 1)
    await staging.check_rest()
    await staging.check_nothing_lost()


@pytest.mark.parametrize("task", ["database-neutralize", "database-verify-neutral"])
async def test_neutralization_that_fails_is_said_and_the_instance_goes_on(world: World, task: str) -> None:
    await world.bring_up(instance(environment="Staging"))
    before = await world.picture()
    world.machine.fail_next += [(task, NotNeutral("a mail server is active"))] * 2
    asked = await world.ask("Neutralize")
    await world.rest()
    assert await ended(world, asked) == ("Failed", "NotNeutral")
    assert await world.picture() == before
    await world.check_rest()


async def test_what_comes_into_a_staging_instance_is_neutral_also_where_it_is_its_own(world: World) -> None:
    staging = instance(environment="Staging", backup={"repository": "nas"})
    await world.apply(repository(), staging)
    await world.drive()
    await world.mail("by a tester")
    await world.ask("Backup", repository="nas")
    assert await world.rest() is None
    asked = await restore(world, SHOP, source={"snapshot": "latest"})
    assert await world.rest() is None
    assert await ended(world, asked) == ("Succeeded", "")
    assert not (await world.current()).waiting
    assert (world.running("web"), world.running("cron")) == (1, 1)


async def test_snapshot_of_another_series_is_refused_before_anything_is_built(pair: World) -> None:
    newer = Ref("OdooInstance", "default", "newer")
    await pair.bring_up(instance("newer", image="odoo:15.0", backup={"repository": "nas"}))
    asked = await restore(pair, newer)
    assert await pair.rest(newer) is None
    assert await ended(pair, asked) == ("Failed", "SeriesUnfit")
    assert len(pair.machine.databases((await pair.doc(newer)).id)) == 1


async def test_source_that_is_backed_up_meanwhile_gives_files_of_the_databases_snapshot(pair: World) -> None:
    asked = await restore(pair)
    services = pair.life()
    for _ in range(300):
        await reconcile(services, COPY)
        if any(kind_of(one) == "filestore-restore" for one in pair.sim.running_tasks() if one.image is None):
            break
        if any(kind_of(one) == "database-neutralize" for one in pair.sim.running_tasks() if one.image is None):
            await pair.mark("late")
            await pair.ask("Backup", repository="nas")
            assert await pair.rest() is None
        await pair.clock.sleep(0.1)
    assert await pair.rest(COPY) is None
    assert await ended(pair, asked) == ("Succeeded", "")
    assert marks(await pair.current(COPY)) == ["of the shop"]
    await pair.check_rest(COPY)


async def _upgrade_staging(world: World) -> None:
    await world.apply(instance(environment="Staging", image="odoo:14.0-next"))


async def _neutralize(world: World) -> None:
    await world.ask("Neutralize")


@pytest.mark.parametrize("act", [_upgrade_staging, _neutralize], ids=["upgrade", "neutralize"])
@pytest.mark.parametrize("reboot", [False, True], ids=["killed", "rebooted"])
async def test_staging_killed_at_any_effect_is_never_seen_alive(
    world: World, act: Callable[[World], Awaitable[None]], *, reboot: bool
) -> None:
    """`Machine.watch` fails the test where a process of a Staging instance works on data that would act."""
    await world.bring_up(instance(environment="Staging"))
    identity = (await world.current()).uuid
    for effect in range(int(reboot), MOST_EFFECTS, 4):
        one = world.fork()

        async def run(one: World = one) -> None:
            await act(one)
            await one.drive()

        if not await one.killed(run, before=effect):
            break
        if reboot:
            one.sim.reboot()
        one.clock.advance(DOWNTIMES_S[effect % len(DOWNTIMES_S)])
        await one.rest()
        try:
            await one.check_rest()
            await one.check_nothing_gone()
        except AssertionError as error:
            raise AssertionError(f"killed before effect {effect}: {error}") from error
        found = await one.current()
        assert (found.neutral, found.alive, found.uuid) == (True, False, identity), f"killed before effect {effect}"
    else:
        raise AssertionError("it never ends")
