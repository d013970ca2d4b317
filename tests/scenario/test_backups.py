# SPDX-License-Identifier: Apache-2.0
"""Backups and restores of a whole controller: beside what, in which order, on which schedule, and what follows from them."""

from __future__ import annotations

from typing import Any

import pytest

from mooring.control.errors import OperationFailed
from mooring.control.operations import Operation, request_cancel
from mooring.control.outgoing import count_outgoing
from mooring.control.reconcile import reconcile
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import OperationType
from mooring.domain.work.backup_errors import DumpFailed, RestoreFailed
from mooring.domain.work.errors import ProbeFailed, ServerUnreachable
from mooring.errors import MooringError
from tests.scenario.data import Database
from tests.scenario.machine import digest
from tests.scenario.snapshots import Repository, Snapshot
from tests.scenario.world import MARK, SHOP, World, instance, repository

NIGHTLY = {"repository": "nas", "schedule": "0 2 * * *"}
DAY_S = 86_400.0


@pytest.fixture
async def kept(shop: World) -> World:
    """`shop` with a repository and one backup; written to before and after it."""
    await shop.apply(repository(), instance(backup={"repository": "nas"}))
    await shop.mark("before")
    await shop.ask("Backup", repository="nas")
    assert await shop.rest() is None
    await shop.mark("after")
    return shop


def snapshots(world: World, place: str = "/srv/nas") -> list[Snapshot]:
    """What a repository has."""
    return world.machine.repositories.get(place, Repository()).snapshots


async def restore(world: World, snapshot: str = "latest", **source: Any) -> Ref:
    """`mooring restore` without the waiting."""
    return await world.ask("Restore", source={"snapshot": snapshot, **source})


async def ended(world: World, ref: Ref) -> tuple[str, str]:
    """How an operation ended: (phase, reason)."""
    status = (await world.doc(ref)).status
    return status.get("phase", "Pending"), status.get("error", {}).get("reason", "")


async def marks(world: World) -> list[str]:
    """What users marked, of the data that is current."""
    return [one.removeprefix(MARK) for one in (await world.picture()).marks]


async def backups(world: World) -> list[Operation]:
    """All that were begun or asked for."""
    return [one for one in await world.operations() if one.type is OperationType.BACKUP]


# Backups beside other things


async def test_backup_holds_nobody_back_and_is_of_one_moment(kept: World) -> None:
    before, effects = await kept.picture(), len(kept.sim.effects)
    asked = await kept.ask("Backup", repository="nas")
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Succeeded", "")
    assert await kept.picture() == before
    assert not [one for one in kept.sim.effects[effects:] if "container" in one]
    assert kept.machine.written_beside["backup"] > 0
    last = snapshots(kept)[-1]
    assert last.database is not None
    assert set(last.files or ()) == set(last.database.rows)
    await kept.check_rest()
    await kept.check_nothing_lost()


async def test_backup_leaves_its_health_and_the_last_one_in_status(kept: World) -> None:
    assert (await kept.doc()).status["lastBackup"]["snapshot"] == snapshots(kept)[-1].id
    assert await kept.condition("BackupHealthy") == ("True", "BackupSucceeded")
    good = (await kept.doc()).status["lastBackup"]["lastGood"]
    kept.machine.fail_next += [("backup", DumpFailed("no"))] * 3
    asked = await kept.ask("Backup", repository="nas")
    assert await kept.rest() is None  # a verb that failed: who asked reads its record
    assert await ended(kept, asked) == ("Failed", "DumpFailed")
    last = (await kept.doc()).status["lastBackup"]
    assert (last["result"], last["lastGood"]) == ("Failed", good)
    assert await kept.condition("BackupHealthy") == ("False", "BackupFailed")
    assert await kept.phase() == "Running"


async def test_backup_that_lacks_attachments_kept_elsewhere_says_so_until_one_lacks_none(kept: World) -> None:
    for external in (3, 0):
        (await kept.current()).external = external
        await kept.ask("Backup", repository="nas")
        assert await kept.rest() is None
        status = (await kept.doc()).status
        assert status["lastBackup"].get("external", 0) == external
        said = [one for one in status.get("warnings", ()) if one.startswith("Attachments")]
        assert [f"({external})" in one for one in said] == ([True] if external else [])
    assert [one.text for one in kept.events if one.kind == "warning" and "outside the filestore" in one.text]


@pytest.mark.parametrize("verb", ["Stop", "Restart"])
async def test_verb_during_a_backup_is_carried_out_beside_it(kept: World, verb: str) -> None:
    await kept.ask("Backup", repository="nas")
    await kept.until("backup")
    asked = await kept.ask(verb)
    services = kept.life()
    for _ in range(12):  # the backup takes longer
        await reconcile(services, SHOP)
        await kept.clock.sleep(0.1)
    assert (await ended(kept, asked))[0] in ("Running", "Succeeded")
    assert await ended(kept, (await backups(kept))[-1].doc.ref) == ("Running", "")
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Succeeded", "")
    assert await ended(kept, (await backups(kept))[-1].doc.ref) == ("Succeeded", "")
    assert len(snapshots(kept)) == 2
    assert kept.running("web") == (0 if verb == "Stop" else 1)
    await kept.check_rest()


@pytest.mark.parametrize("what", ["Upgrade", "Restore", "Rollback", "release"])
async def test_what_changes_data_waits_for_a_backup(kept: World, what: str) -> None:
    if what == "Rollback":
        await restore(kept)
        assert await kept.rest() is None
    before = len(snapshots(kept))
    await kept.ask("Backup", repository="nas")
    await kept.until("backup")
    match what:
        case "release":
            await kept.apply(instance(image="odoo:14.0-next", backup={"repository": "nas"}))
        case "Restore":
            await restore(kept)
        case "Upgrade":
            await kept.ask("Upgrade", modules=["all"])
        case _:
            await kept.ask(what)
    assert await kept.rest() is None  # Machine.begin fails the test where one works beside the other
    own = 1 if what in ("Upgrade", "release") else 0  # an upgrade takes a backup of its own first
    assert len(snapshots(kept)) == before + 1 + own
    assert [one.phase for one in await kept.operations()] == ["Succeeded"] * len(await kept.operations())
    await kept.check_rest()
    await kept.check_nothing_gone()


@pytest.mark.parametrize("verb", ["Backup", "Restore"])
async def test_second_of_a_kind_that_would_surprise_is_refused(kept: World, verb: str) -> None:
    """The matrix says so: two backups, or two restores, of one instance at a time."""
    spec: dict[str, Any] = {"repository": "nas"} if verb == "Backup" else {"source": {"snapshot": "latest"}}
    first = await kept.ask(verb, **spec)
    await kept.until("backup" if verb == "Backup" else "database-restore")
    second = await kept.ask(verb, **spec)
    await kept.rest()
    assert await ended(kept, first) == ("Succeeded", "")
    assert await ended(kept, second) == ("Failed", "OperationExcluded")


async def test_backup_asked_for_during_a_restore_is_refused(kept: World) -> None:
    first = await restore(kept)
    await kept.until("database-restore")
    second = await kept.ask("Backup", repository="nas")
    await kept.rest()
    assert await ended(kept, first) == ("Succeeded", "")
    assert await ended(kept, second) == ("Failed", "OperationExcluded")
    assert len(snapshots(kept)) == 1


async def test_deletion_waits_for_a_backup(kept: World) -> None:
    await kept.ask("Backup", repository="nas")
    await kept.until("backup")
    await kept.delete()
    assert (await kept.drive()).gone
    assert len(snapshots(kept)) == 2


async def test_backup_needs_data_and_a_repository(kept: World, world: World) -> None:
    asked = await kept.ask("Backup", repository="elsewhere")
    await kept.rest()
    assert await ended(kept, asked) == ("Failed", "UnknownRepository")
    await world.apply(repository(), instance(backup={"repository": "nas"}))
    early = await world.ask("Backup", repository="nas")
    await world.rest()
    assert await ended(world, early) == ("Failed", "NotInitialized")
    assert await world.rest() is None


# Restores


async def test_restore_lets_users_work_while_it_builds_and_nobody_at_the_swap(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    beside = kept.machine.written_beside
    assert all(beside[kind] > 0 for kind in ("database-restore", "filestore-restore"))
    assert all(beside[kind] == 0 for kind in ("database-swap", "filestore-swap"))
    assert await marks(kept) == ["before"]
    await kept.check_rest()
    await kept.check_nothing_gone()


async def test_restore_from_a_repository_that_it_names_takes_it_from_there(kept: World) -> None:
    await kept.apply(repository("other"))
    await kept.ask("Backup", repository="other")
    assert await kept.rest() is None
    await kept.mark("late")
    asked = await restore(kept, repository="other")
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Succeeded", "")
    assert await marks(kept) == ["before", "after"]


async def test_restore_of_a_snapshot_that_is_not_there_changes_nothing(kept: World) -> None:
    before, data = await kept.picture(), await kept.current()
    asked = await restore(kept, "f" * 32)
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Failed", "SnapshotMissing")
    assert await kept.picture() == before
    assert await kept.current() is data
    await kept.check_rest()


async def test_restore_of_production_holds_cron_until_a_person_releases_it(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    assert ((await kept.picture()).web, (await kept.picture()).cron) == (1, 0)
    assert "release-hold" in (await kept.doc()).status["warnings"][0]
    for verb in ("Restart", "Stop", "Start"):
        await kept.ask(verb)
        assert await kept.rest() is None
    kept.sim.reboot()
    assert await kept.rest() is None
    assert kept.running("cron") == 0
    asked = await kept.ask("ReleaseHold")
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Succeeded", "")
    assert kept.running("cron") == 1
    assert not (await kept.doc()).status.get("warnings")
    again = await kept.ask("ReleaseHold")
    await kept.rest()
    assert await ended(kept, again) == ("Failed", "NothingHeld")


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        pytest.param({"cancelOlder": True}, ["since"], id="cancelled"),
        pytest.param({"cancelOlder": False}, ["before", "since"], id="kept"),
        pytest.param({}, ["before", "since"], id="nothing said"),
    ],
)
async def test_release_of_the_hold_cancels_what_waits_since_before_the_return_where_that_is_asked(
    shop: World, spec: dict[str, Any], left: list[str]
) -> None:
    await shop.apply(repository(), instance(backup={"repository": "nas"}))
    await shop.mail("before")
    await shop.ask("Backup", repository="nas")
    assert await shop.rest() is None
    await restore(shop)
    assert await shop.rest() is None
    shop.clock.advance(60.0)
    await shop.mail("since")
    asked = await shop.ask("ReleaseHold", **spec)
    assert await shop.rest() is None
    assert await ended(shop, asked) == ("Succeeded", "")
    assert list((await shop.current()).waiting) == left
    assert shop.running("cron") == 1
    steps = [(one.step, one.result) for one in next(reversed(await shop.operations())).log if one.state == "done"]
    assert [name for name, _ in steps] == ["count", *(["cancel"] if spec.get("cancelOlder") else []), "mark", "start"]
    counted = steps[0][1]["waiting"][0]
    assert (counted["total"], counted["older"]) == (2, 1)


@pytest.mark.parametrize("fault", ["outgoing-count", "outgoing-cancel"])
async def test_release_of_the_hold_that_cannot_look_or_cancel_keeps_cron_away(kept: World, fault: str) -> None:
    await restore(kept)
    assert await kept.rest() is None
    kept.machine.fail_next += [(fault, ServerUnreachable("nobody answers"))] * 3
    asked = await kept.ask("ReleaseHold", cancelOlder=True)
    await kept.rest()
    assert await ended(kept, asked) == ("Failed", "DatabaseUnreachable")
    assert kept.running("cron") == 0
    assert "release-hold" in (await kept.doc()).status["warnings"][0]
    await kept.ask("ReleaseHold", cancelOlder=True)
    assert await kept.rest() is None
    assert kept.running("cron") == 1


async def test_what_waits_is_counted_from_the_last_return_also_after_a_rollback(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    first = (await kept.ledger()).cron_held_since
    kept.clock.advance(60.0)
    await restore(kept)
    assert await kept.rest() is None
    assert (await kept.ledger()).cron_held_since > first
    await kept.ask("Rollback")  # to the data of the first restore, held since then
    assert await kept.rest() is None
    assert ((await kept.ledger()).cron_held_since, kept.running("cron")) == (first, 0)
    counted = await count_outgoing(kept.life(), await kept.doc(), timeout_s=60.0)
    assert counted.waiting[0].total == 0
    assert not kept.sim.running_tasks()


async def test_cron_stays_held_when_the_instance_is_deleted_and_comes_back(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    await kept.delete()
    assert (await kept.drive()).gone
    await kept.bring_up()
    assert (kept.running("web"), kept.running("cron")) == (1, 0)


@pytest.mark.parametrize("fault", ["probe", "database-restore", "filestore-restore", "database-swap", "filestore-swap"])
async def test_restore_that_fails_leaves_what_was_and_cron_runs(kept: World, fault: str) -> None:
    before = await kept.picture()
    kept.machine.fail_next += [(fault, ServerUnreachable("nobody answers"))] * 3
    asked = await restore(kept)
    assert await kept.rest() is None
    kept.machine.fail_next.clear()
    assert await ended(kept, asked) == ("Failed", "DatabaseUnreachable")
    assert await kept.picture() == before
    await kept.check_rest()
    await kept.check_nothing_lost()
    copies = [one.mark.role for one in kept.machine.databases((await kept.doc()).id).values() if one.mark]
    assert (copies, kept.machine.files(SHOP).copies) == (["current"], {})
    again = await restore(kept)
    assert await kept.rest() is None
    assert await ended(kept, again) == ("Succeeded", "")


@pytest.mark.parametrize("when", ["database-restore", "filestore-restore", "probe", "database-swap", "filestore-swap"])
async def test_restore_that_a_person_cancels_leaves_what_was(kept: World, when: str) -> None:
    before = await kept.picture()
    asked = await restore(kept)
    await kept.until(when)
    running = next(one for one in await kept.operations() if one.doc.ref == asked)
    await request_cancel(kept.life(), running)
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Cancelled", "Cancelled")
    assert await kept.picture() == before
    await kept.check_rest()
    await kept.check_nothing_lost()
    copies = [one.mark.role for one in kept.machine.databases((await kept.doc()).id).values() if one.mark]
    assert (copies, kept.machine.files(SHOP).copies) == (["current"], {})


async def test_stopped_instance_is_restored_and_stays_stopped(kept: World) -> None:
    await kept.ask("Stop")
    assert await kept.rest() is None
    await restore(kept)
    assert await kept.rest() is None
    assert (await kept.phase(), kept.running("web"), await marks(kept)) == ("Stopped", 0, ["before"])
    await kept.check_rest()


async def test_rollback_of_a_restore_brings_back_what_was_and_keeps_what_came(kept: World) -> None:
    before = await kept.picture()
    await restore(kept)
    assert await kept.rest() is None
    await kept.mark("since")
    asked = await kept.ask("Rollback")
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Succeeded", "")
    assert await kept.picture() == before  # cron too: it never ran on the restored data
    assert await marks(kept) == ["before", "after"]
    await kept.check_rest()
    await kept.check_nothing_gone()


@pytest.mark.parametrize("kind", ["database-swap", "filestore-swap"])
async def test_rollback_of_a_restore_that_fails_leaves_a_pair_and_the_way_back(kept: World, kind: str) -> None:
    await restore(kept)
    assert await kept.rest() is None
    before = await kept.picture()
    kept.machine.fail_next += [(kind, ServerUnreachable("nobody answers"))] * 3
    asked = await kept.ask("Rollback")
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Failed", "DatabaseUnreachable")
    assert await kept.picture() == before
    await kept.check_rest()
    await kept.check_nothing_gone()
    await kept.ask("Rollback")
    assert await kept.rest() is None
    assert await marks(kept) == ["before", "after"]
    await kept.check_rest()
    await kept.check_nothing_gone()


async def test_rollback_of_a_second_restore_leaves_cron_held_for_the_first(kept: World) -> None:
    for _ in range(2):
        await restore(kept)
        assert await kept.rest() is None
    await kept.ask("Rollback")
    assert await kept.rest() is None
    assert kept.running("cron") == 0
    await kept.ask("ReleaseHold")
    assert await kept.rest() is None
    assert kept.running("cron") == 1


async def test_rollback_of_a_restore_whose_cron_ran_holds_cron_again(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    await kept.ask("ReleaseHold")
    assert await kept.rest() is None
    await kept.ask("Rollback")  # what cron did meanwhile is not in that data
    assert await kept.rest() is None
    assert (kept.running("web"), kept.running("cron")) == (1, 0)


async def test_second_restore_replaces_the_first_and_nothing_is_gone(kept: World) -> None:
    first = snapshots(kept)[0].id
    await kept.ask("Backup", repository="nas")
    assert await kept.rest() is None
    await kept.mark("late")
    await restore(kept, first)
    assert await kept.rest() is None
    assert await marks(kept) == ["before"]
    await restore(kept)
    assert await kept.rest() is None
    assert await marks(kept) == ["before", "after"]
    await kept.check_rest()
    await kept.check_nothing_gone()


@pytest.mark.parametrize("fault", ["", "update", "probe"], ids=["it goes well", "update fails", "probe fails"])
async def test_snapshot_of_another_release_is_updated_beside_before_it_is_tried(kept: World, fault: str) -> None:
    await kept.apply(instance(image="odoo:14.0-next", backup={"repository": "nas"}))
    assert await kept.rest() is None
    runs, before = len(kept.machine.odoo_runs), await kept.picture()
    if fault:
        kept.machine.fail_next.append((fault, ProbeFailed("no")))
    asked = await restore(kept)
    assert await kept.rest() is None
    updates = [one for one in kept.machine.odoo_runs[runs:] if any(word.startswith("--update=") for word in one)]
    assert len(updates) == (0 if fault == "update" else 1)
    picture = await kept.picture()
    if fault:
        assert await ended(kept, asked) == ("Failed", "ProbeFailed")
        assert picture == before
    else:
        assert await ended(kept, asked) == ("Succeeded", "")
        assert (picture.runs, picture.code) == (digest("odoo:14.0-next"), digest("odoo:14.0-next"))
        assert await marks(kept) == ["before", "after"]  # of the backup that the upgrade took
    await kept.check_rest()
    await kept.check_nothing_gone()


async def test_snapshot_of_the_release_that_runs_is_not_updated(kept: World) -> None:
    runs = len(kept.machine.odoo_runs)
    await restore(kept)
    assert await kept.rest() is None
    assert not [one for one in kept.machine.odoo_runs[runs:] if any(word.startswith("--update=") for word in one)]
    (restored,) = [one for one in await kept.operations() if one.type is OperationType.RESTORE]
    assert "update-modules" not in [one.step for one in restored.log]


async def test_upgrade_after_a_restore_is_carried_out_with_cron_held(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    await kept.apply(instance(image="odoo:14.0-next", backup={"repository": "nas"}))
    assert await kept.rest() is None
    picture = await kept.picture()
    assert (picture.runs, picture.web, picture.cron) == (digest("odoo:14.0-next"), 1, 0)
    await kept.check_rest()


# From nothing


async def _nothing(world: World) -> None:
    """An instance that is asked for together with its restore; its data is in the repository alone."""
    await world.apply(repository(), instance(backup={"repository": "nas"}))
    doc = await world.doc()
    rows = [f"{MARK}kept", "shop-0"]
    data = Database("x", code=digest("odoo:14.0"), series="14.0", modules={"base": "installed"}, rows=rows)
    snapshot = Snapshot("1" * 32, "2026-01-01T00:00:00Z", doc.id, "default", (), data, list(rows))
    world.machine.repositories["/srv/nas"] = Repository(made=True, snapshots=[snapshot])
    await restore(world)


async def test_restore_asked_for_with_the_instance_comes_instead_of_init(world: World) -> None:
    await _nothing(world)
    assert await world.rest() is None
    kinds = [(one.type, one.phase) for one in await world.operations()]
    assert sorted(kinds) == [(OperationType.PROVISION, "Succeeded"), (OperationType.RESTORE, "Succeeded")]
    picture = await world.picture()
    assert (picture.phase, picture.web, picture.cron, picture.previous) == ("Running", 1, 0, False)
    assert (await world.ledger()).initialized
    assert await marks(world) == ["kept"]
    await world.check_rest()
    asked = await world.ask("Rollback")
    await world.rest()
    assert await ended(world, asked) == ("Failed", "NothingToReturnTo")


async def test_restore_from_nothing_that_fails_is_said_and_no_empty_odoo_comes_in_its_place(world: World) -> None:
    await _nothing(world)
    world.machine.fail_next.append(("database-restore", RestoreFailed("no")))
    began = world.clock.monotonic()
    for _ in range(2):
        error = await world.rest()
        assert isinstance(error, OperationFailed)
        assert "Restore" in str(error)
    await world.passes(20, step_s=60)
    assert world.clock.monotonic() - began < 1500
    kinds = sorted((one.type.value, one.phase) for one in await world.operations())
    assert kinds == [("Provision", "Succeeded"), ("Restore", "Failed")]
    assert world.running("web") == 0
    assert await world.condition("Stalled") == ("True", "OperationFailed")
    again = await restore(world)
    assert await world.rest() is None
    assert await ended(world, again) == ("Succeeded", "")
    assert await marks(world) == ["kept"]
    await world.check_rest()


async def test_person_may_initialize_after_a_restore_from_nothing_that_failed(world: World) -> None:
    await _nothing(world)
    world.machine.fail_next.append(("database-restore", RestoreFailed("no")))
    assert await world.rest() is not None
    await world.ask("Init")
    assert await world.rest() is None
    assert await world.phase() == "Running"
    await world.check_rest()


@pytest.mark.parametrize("part", [pytest.param(one, marks=() if one == 0 else (pytest.mark.full,)) for one in range(4)])
async def test_restore_from_nothing_killed_at_any_effect_ends_with_the_data(world: World, part: int) -> None:
    await _nothing(world)
    for effect in range(part, 400, 4):
        one = world.fork()
        if not await one.killed(one.drive, before=effect):
            break
        try:
            assert await one.rest() is None
            await one.check_rest()
            assert await marks(one) == ["kept"]
            assert (await one.ledger()).initialized
            assert (await one.picture()).previous is False
            assert OperationType.INIT not in [each.type for each in await one.operations()]
        except (AssertionError, MooringError) as error:
            raise AssertionError(f"killed before effect {effect}: {error}") from error
    else:
        raise AssertionError("it never ends")
    assert effect > 50


# Schedules


async def test_schedule_is_carried_out_by_an_agent_alone(shop: World) -> None:
    shop.machine.writing = False
    await shop.apply(repository(), instance(backup=NIGHTLY))
    assert await shop.rest() is None
    shop.clock.advance(3 * DAY_S)
    assert await shop.rest() is None
    assert await backups(shop) == []
    await shop.agent(DAY_S, step_s=600)
    assert len(await backups(shop)) == 1
    assert snapshots(shop)[0].tags == ("scheduled",)
    assert await shop.condition("BackupHealthy") == ("True", "BackupSucceeded")


async def test_runs_that_were_missed_are_made_up_for_once(shop: World) -> None:
    shop.machine.writing = False
    await shop.apply(repository(), instance(backup=NIGHTLY))
    await shop.agent(60)
    shop.clock.advance(10 * DAY_S)
    await shop.agent(3600)
    assert len(await backups(shop)) == 1
    await shop.agent(3 * DAY_S, step_s=600)
    assert len(await backups(shop)) == 4


async def test_scheduled_backup_that_fails_waits_for_the_next_time(shop: World) -> None:
    shop.machine.writing = False
    await shop.apply(repository(), instance(backup=NIGHTLY))
    await shop.agent(60)
    shop.machine.fail_next += [("backup", DumpFailed("no"))] * 3
    await shop.agent(18 * 3600 + 3600, step_s=300)
    shop.machine.fail_next.clear()
    assert [one.phase for one in await backups(shop)] == ["Failed"]
    assert await shop.condition("BackupHealthy") == ("False", "BackupFailed")
    assert shop.running("web") == 1
    await shop.agent(DAY_S, step_s=300)
    assert [one.phase for one in await backups(shop)] == ["Failed", "Succeeded"]
    assert await shop.condition("BackupHealthy") == ("True", "BackupSucceeded")


async def test_scheduled_backup_whose_repository_is_gone_is_said_and_not_repeated(shop: World) -> None:
    shop.machine.writing = False
    await shop.apply(repository(), instance(backup=NIGHTLY))
    await shop.agent(60)
    doc = await shop.doc(Ref("BackupRepository", "default", "nas"))
    await shop.documents.delete(doc.ref, if_version=doc.version)
    await shop.agent(20 * 3600, step_s=300)
    assert [one.phase for one in await backups(shop)] == ["Failed"]
    assert (await backups(shop))[0].doc.status["error"]["reason"] == "UnknownRepository"
    assert await shop.condition("BackupHealthy") == ("False", "BackupFailed")
    assert await shop.phase() == "Running"


async def test_backup_that_never_comes_is_overdue(shop: World) -> None:
    shop.machine.writing = False
    await shop.apply(repository(), instance(backup=NIGHTLY))
    await shop.agent(60)
    shop.clock.advance(3 * DAY_S)
    assert await shop.rest() is None  # no agent here
    assert await shop.condition("BackupHealthy") == ("False", "BackupOverdue")


async def test_scheduled_backup_and_a_new_release_at_once_come_one_after_the_other(shop: World) -> None:
    shop.machine.writing = False
    await shop.apply(repository(), instance(backup=NIGHTLY))
    await shop.agent(60)
    shop.clock.advance(2 * DAY_S)
    await shop.apply(instance(image="odoo:14.0-next", backup=NIGHTLY))
    await shop.agent(600, step_s=5)
    ended_so = [(one.type, one.phase) for one in await shop.operations()][-2:]
    assert sorted(ended_so) == [(OperationType.BACKUP, "Succeeded"), (OperationType.UPGRADE, "Succeeded")]
    assert (await shop.picture()).runs == digest("odoo:14.0-next")
