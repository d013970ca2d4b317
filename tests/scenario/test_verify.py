# SPDX-License-Identifier: Apache-2.0
"""Verifications and the end of replaced pairs, by a whole controller: when they run, what they leave, what they spare."""

from __future__ import annotations

import pytest

from mooring.control.operations import request_cancel
from mooring.domain.operations.plan import OperationType
from mooring.domain.work.backup_errors import RestoreFailed
from mooring.domain.work.errors import ServerUnreachable
from mooring.engine.repository.errors import RepositoryMissing
from tests.scenario.test_backups import ended, kept, marks, restore, snapshots
from tests.scenario.world import SHOP, World, instance, repository

__all__ = ["kept"]  # the fixture: `shop` with a repository and one backup

HOUR_S = 3600.0
CHECKED = {"repository": "nas", "schedule": "0 2 * * *", "verify": {"schedule": "0 5 * * *"}}


async def of(world: World, kind: OperationType) -> list[str]:
    """How every operation of a type ended, oldest first."""
    return [one.phase for one in await world.operations() if one.type is kind]


async def test_verification_of_a_sound_backup_is_in_status_and_holds_nobody_back(kept: World) -> None:
    before = await kept.picture()
    asked = await kept.ask("Verify", readData=100)
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Succeeded", "")
    assert await kept.picture() == before
    last = (await kept.doc()).status["lastVerify"]
    assert (last["result"], last["scope"], last["snapshot"]) == ("Sound", "Data", snapshots(kept)[-1].id)
    assert await kept.condition("BackupHealthy") == ("True", "BackupSucceeded")


async def test_damage_makes_backups_unhealthy_until_a_verification_finds_none(kept: World) -> None:
    place = kept.machine.repositories["/srv/nas"]
    place.damaged.add(place.snapshots[-1].id)
    asked = await kept.ask("Verify")
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Failed", "SnapshotDamaged")
    assert await kept.condition("BackupHealthy") == ("False", "BackupDamaged")
    assert (await kept.doc()).status["lastVerify"]["result"] == "Damaged"
    assert await kept.phase() == "Running"
    await kept.ask("Backup", repository="nas")
    assert await kept.rest() is None
    assert await kept.condition("BackupHealthy") == ("False", "BackupDamaged")
    await kept.ask("Verify")
    assert await kept.rest() is None
    assert await kept.condition("BackupHealthy") == ("True", "BackupSucceeded")


async def test_verification_that_cannot_be_carried_out_says_so(kept: World) -> None:
    kept.machine.fail_next += [("snapshot-verify", RepositoryMissing("There is none."))] * 3
    await kept.ask("Verify")
    assert await kept.rest() is None
    assert await kept.condition("BackupHealthy") == ("False", "VerifyFailed")
    assert "There is none." in (await kept.doc()).status["lastVerify"]["message"]


async def test_verification_without_a_repository_is_refused(shop: World) -> None:
    asked = await shop.ask("Verify")
    assert await shop.rest() is None
    assert await ended(shop, asked) == ("Failed", "RepositoryNotNamed")


async def test_verification_of_one_snapshot_looks_at_that_one(kept: World) -> None:
    first = snapshots(kept)[0].id
    await kept.ask("Backup", repository="nas")
    assert await kept.rest() is None
    await kept.ask("Verify", to={"snapshot": first[:30] + first[30:]})
    assert await kept.rest() is None
    assert (await kept.doc()).status["lastVerify"]["snapshot"] == first


async def test_scheduled_verification_runs_once_a_day_and_only_by_an_agent(kept: World) -> None:
    await kept.apply(instance(backup=CHECKED))
    assert await kept.rest() is None
    kept.clock.advance(48 * HOUR_S)
    assert await kept.rest() is None
    assert await of(kept, OperationType.VERIFY) == []
    kept.schedules = True
    assert await kept.rest() is None  # from now on it counts
    for _ in range(3):
        kept.clock.advance(24 * HOUR_S)
        assert await kept.rest() is None
        await kept.passes(30)
    assert await of(kept, OperationType.VERIFY) == ["Succeeded"] * 3
    assert (await kept.doc()).status["lastVerify"]["scope"] == "Data"


async def test_scheduled_verification_that_fails_is_not_repeated_before_its_time(kept: World) -> None:
    kept.schedules = True
    await kept.apply(instance(backup=CHECKED))
    assert await kept.rest() is None
    kept.machine.repositories["/srv/nas"].damaged |= {f"{number:032x}" for number in range(20)}
    kept.clock.advance(24 * HOUR_S)
    await kept.passes(60)
    assert await of(kept, OperationType.VERIFY) == ["Failed"]
    assert await kept.condition("BackupHealthy") == ("False", "BackupDamaged")


# The pair that was replaced


async def test_replaced_pair_goes_when_its_time_is_over(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    goes = (await kept.doc()).status["previous"]["until"]
    assert len(kept.machine.databases((await kept.doc()).id)) == 2
    kept.clock.advance(23 * HOUR_S)
    assert await kept.rest() is None
    assert await of(kept, OperationType.EXPIRE) == []
    assert (await kept.doc()).status["previous"]["until"] == goes
    kept.clock.advance(2 * HOUR_S)
    assert await kept.rest() is None
    assert await of(kept, OperationType.EXPIRE) == ["Succeeded"]
    assert [one.mark.role for one in kept.machine.databases((await kept.doc()).id).values() if one.mark] == ["current"]
    assert kept.machine.files(SHOP).copies == {}
    assert "previous" not in (await kept.doc()).status
    assert await marks(kept) == ["before"]
    assert await kept.phase() == "Running"
    refused = await kept.ask("Rollback")
    assert await kept.rest() is None
    assert await ended(kept, refused) == ("Failed", "NothingToReturnTo")
    assert "keepPrevious" in (await kept.doc(refused)).status["error"]["brief"]


async def test_rollback_in_time_returns_and_what_it_replaced_is_kept_as_long(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    kept.clock.advance(23 * HOUR_S)
    await kept.ask("Rollback")
    assert await kept.rest() is None
    assert await marks(kept) == ["before", "after"]
    assert len(kept.machine.databases((await kept.doc()).id)) == 2
    kept.clock.advance(23 * HOUR_S)
    assert await kept.rest() is None
    assert len(kept.machine.databases((await kept.doc()).id)) == 2
    kept.clock.advance(2 * HOUR_S)
    assert await kept.rest() is None
    assert len(kept.machine.databases((await kept.doc()).id)) == 1
    assert await marks(kept) == ["before", "after"]


async def test_each_pair_has_its_own_time(kept: World) -> None:
    await kept.apply(instance(backup={"repository": "nas", "keepPrevious": "10h"}))
    for _ in range(2):
        await restore(kept)
        assert await kept.rest() is None
        kept.clock.advance(6 * HOUR_S)
    assert len(kept.machine.databases((await kept.doc()).id)) == 3
    assert await kept.rest() is None
    assert len(kept.machine.databases((await kept.doc()).id)) == 2
    assert (await kept.doc()).status["previous"]["until"]  # the second is there to return to
    kept.clock.advance(5 * HOUR_S)
    assert await kept.rest() is None
    assert len(kept.machine.databases((await kept.doc()).id)) == 1


async def test_replaced_pair_stays_while_an_operation_runs(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    kept.clock.advance(23.9999 * HOUR_S)
    await kept.ask("Backup", repository="nas")
    await kept.passes(2, step_s=0.1)
    kept.clock.advance(2.0)
    await kept.passes(2, step_s=0.05)
    running = [one.type for one in await kept.operations() if not one.ended]
    assert running == [OperationType.BACKUP]
    assert await kept.rest() is None
    assert await of(kept, OperationType.EXPIRE) == ["Succeeded"]


async def test_pair_that_cannot_be_dropped_is_tried_again_later(kept: World) -> None:
    await restore(kept)
    assert await kept.rest() is None
    kept.machine.fail_next += [("database-drop", ServerUnreachable("nobody answers"))] * 5
    kept.clock.advance(25 * HOUR_S)
    await kept.passes(40)
    assert (await of(kept, OperationType.EXPIRE))[:1] == ["Failed"]
    kept.clock.advance(HOUR_S)
    await kept.passes(20)
    assert (await of(kept, OperationType.EXPIRE))[-1] == "Succeeded"
    assert len(kept.machine.databases((await kept.doc()).id)) == 1


@pytest.mark.parametrize("purge", [False, True], ids=["retain", "purge"])
async def test_deletion_with_a_kept_pair_is_carried_out(kept: World, *, purge: bool) -> None:
    await restore(kept)
    assert await kept.rest() is None
    kept.clock.advance(25 * HOUR_S)
    await kept.delete(purge=purge)
    assert (await kept.drive()).gone


async def test_repository_alone_keeps_no_pair(shop: World) -> None:
    await shop.apply(repository())
    assert await shop.rest() is None
    shop.clock.advance(48 * HOUR_S)
    assert await shop.rest() is None
    assert await of(shop, OperationType.EXPIRE) == []


# Drills


def left_of_drills(world: World) -> list[str]:
    """Everything that a drill makes and that is still there."""
    refs = [box.ref.kind for box in world.sim.containers.values()]
    refs += [net.ref.kind for net in world.sim.networks.values()] + [one.ref.kind for one in world.sim.volumes.values()]
    kept = [f"secret {ref.name}" for ref in world.secrets.values if ref.name.endswith("-drill")]
    return [kind for kind in refs if kind.startswith("Drill")] + kept


async def test_drill_restores_aside_tries_it_and_leaves_nothing(kept: World) -> None:
    before, effects = await kept.picture(), len(kept.sim.effects)
    asked = await kept.ask("Verify", restore=True)
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Succeeded", "")
    done = [one.step for one in (await kept.operations())[-1].log if one.state == "done"]
    assert done[:3] == ["verify-snapshot", "serve-scratch", "provision-database"]
    assert done.index("verify-neutral") < done.index("probe")
    assert done[-1] == "remove-scratch"
    last = (await kept.doc()).status["lastVerify"]
    assert (last["result"], last["scope"]) == ("Sound", "Restore")
    assert last["recoverySeconds"] > 0
    assert await kept.picture() == before
    assert left_of_drills(kept) == []
    assert [one for one in kept.sim.effects[effects:] if "volume" in one]
    assert len(kept.machine.databases((await kept.doc()).id)) == 1
    await kept.check_rest()
    await kept.check_nothing_lost()


@pytest.mark.parametrize("kind", ["database-restore", "database-verify-neutral", "filestore-restore", "probe"])
async def test_drill_that_fails_says_so_and_leaves_nothing(kept: World, kind: str) -> None:
    kept.machine.fail_next += [(kind, RestoreFailed("no"))] * 3
    asked = await kept.ask("Verify", restore=True)
    assert await kept.rest() is None
    assert await ended(kept, asked) == ("Failed", "RestoreFailed")
    assert await kept.condition("BackupHealthy") == ("False", "BackupDamaged")
    assert left_of_drills(kept) == []
    assert await kept.phase() == "Running"


async def test_drill_that_is_cancelled_leaves_nothing(kept: World) -> None:
    asked = await kept.ask("Verify", restore=True)
    await kept.until("database-restore")
    operation = next(one for one in await kept.operations() if one.doc.ref == asked)
    await request_cancel(kept.life(), operation)
    assert await kept.rest() is None
    assert (await ended(kept, asked))[0] == "Cancelled"
    assert left_of_drills(kept) == []
    assert "lastVerify" not in (await kept.doc()).status


async def test_scheduled_drill_is_carried_out(kept: World) -> None:
    kept.schedules = True
    verify = {"schedule": "0 5 * * *", "restore": True}
    await kept.apply(instance(backup={"repository": "nas", "verify": verify}))
    assert await kept.rest() is None
    kept.clock.advance(24 * HOUR_S)
    await kept.passes(60)
    assert await kept.rest() is None
    assert await of(kept, OperationType.VERIFY) == ["Succeeded"]
    assert (await kept.doc()).status["lastVerify"]["scope"] == "Restore"
    assert left_of_drills(kept) == []
