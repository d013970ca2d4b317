# SPDX-License-Identifier: Apache-2.0
"""What is refused, what waits, what is latched, and what is never touched."""

from __future__ import annotations

from typing import Any

import pytest

from mooring.control.errors import OperationFailed, SeriesMismatch
from mooring.control.operations import create_operation, request_cancel
from mooring.domain.model.identity import child
from mooring.domain.model.secret import SecretRef
from mooring.domain.operations.plan import OperationType
from mooring.domain.work.errors import ServerUnreachable
from mooring.errors import FailedError
from tests.scenario.machine import digest
from tests.scenario.world import SHOP, World, instance

NEXT = instance(image="odoo:14.0-next")


def tasks(world: World) -> list[str]:
    """Data tasks so far, in order."""
    return list(world.machine.started)


# Releases


async def test_upgrade_to_another_series_is_refused_and_the_instance_goes_on(shop: World) -> None:
    before, started = await shop.picture(), tasks(shop)
    await shop.apply(instance(image="odoo:15.0"))
    error = await shop.rest()
    assert isinstance(error, SeriesMismatch)
    assert await shop.picture() == before
    assert tasks(shop) == started
    await shop.check_rest()
    assert (await shop.doc()).status["problem"]["reason"] == "SeriesMismatch"
    await shop.bring_up()
    assert "problem" not in (await shop.doc()).status


@pytest.mark.parametrize("image", ["odoo:15.0", "odoo:gone", "nothing:1"])
@pytest.mark.parametrize("verb", ["Stop", "Restart"])
async def test_verb_while_the_wanted_release_cannot_be_had_is_carried_out(shop: World, image: str, verb: str) -> None:
    await shop.apply(instance(image=image))
    assert await shop.rest() is not None
    asked = await shop.ask(verb)
    assert await shop.rest() is not None  # the release is still not to be had
    assert (await shop.doc(asked)).status["phase"] == "Succeeded"
    assert shop.running("web") == (0 if verb == "Stop" else 1)


@pytest.mark.parametrize("image", ["odoo:15.0", "odoo:gone", "nothing:1"])
async def test_deletion_while_the_wanted_release_cannot_be_had_is_carried_out(shop: World, image: str) -> None:
    await shop.apply(instance(image=image))
    assert await shop.rest() is not None
    await shop.delete()
    assert (await shop.drive(timeout_s=600)).gone
    assert not shop.sim.running(SHOP)


@pytest.mark.parametrize("image", ["odoo:15.0", "odoo:gone", "nothing:1"])
async def test_upgrade_asked_for_to_a_release_that_cannot_be_had_fails_with_the_reason(shop: World, image: str) -> None:
    await shop.apply(instance(image=image))
    asked = await shop.ask("Upgrade", modules=["all"])
    assert await shop.rest() is not None
    status = (await shop.doc(asked)).status
    assert status["phase"] == "Failed"
    assert status["error"]["brief"]
    assert (await shop.picture()).phase == "Running"


async def test_upgrade_asked_for_takes_what_the_name_stands_for_now_and_stays_there(shop: World) -> None:
    await shop.passes(3)
    assert shop.sim.images["odoo:14.0"] == digest("odoo:14.0")
    shop.sim.images["odoo:14.0"] = digest("odoo:14.0-next")
    assert await shop.rest() is None
    assert (await shop.picture()).runs == digest("odoo:14.0")  # a tag that moves moves nothing
    await shop.ask("Upgrade", modules=["all"])
    assert await shop.rest() is None
    assert (await shop.picture()).runs == digest("odoo:14.0-next")
    upgrades = [one for one in await shop.operations() if one.type is OperationType.UPGRADE]
    assert len(upgrades) == 1
    await shop.check_rest()
    await shop.check_nothing_lost()


async def test_release_is_asked_once_what_it_is(shop: World) -> None:
    shop.sim.effects.clear()
    await shop.apply(NEXT)
    assert await shop.rest() is None
    assert len([one for one in shop.sim.effects if one.startswith("start task shop-release")]) == 1


async def test_release_without_auto_upgrade_waits_for_a_person(shop: World) -> None:
    before = await shop.picture()
    await shop.apply(instance(image="odoo:14.0-next", autoUpgrade={"enabled": False}))
    assert await shop.rest() is None
    assert await shop.picture() == before
    assert await shop.condition("UpToDate") == ("False", "AnotherReleaseRuns")
    await shop.ask("Upgrade", modules=["all"])
    assert await shop.rest() is None
    assert (await shop.picture()).runs == digest("odoo:14.0-next")


# Latches


@pytest.mark.parametrize("flaw", ["migrate", "verify", "probe"])
async def test_failed_upgrade_stays_latched_until_the_spec_changes(shop: World, flaw: str) -> None:
    await shop.apply(instance(image=f"odoo:14.0-bad-{flaw}"))
    assert isinstance(await shop.rest(), OperationFailed)
    started = tasks(shop)
    assert isinstance(await shop.rest(), OperationFailed)
    await shop.passes(30, step_s=60)
    assert tasks(shop) == started
    assert await shop.phase() == "UpgradeFailed"
    assert await shop.condition("Stalled") == ("True", "UpgradeFailed")
    assert (await shop.condition("Ready"))[0] == "True"
    await shop.apply(NEXT)
    assert await shop.rest() is None
    assert (await shop.picture()).runs == digest("odoo:14.0-next")
    await shop.check_rest()
    await shop.check_nothing_lost()


async def test_failed_upgrade_is_tried_again_when_a_person_asks(shop: World) -> None:
    shop.machine.fail_next.append(("update", FailedError("the disk was full")))
    await shop.apply(NEXT)
    error = await shop.rest()
    assert "the disk was full" in str(error)
    assert isinstance(error, OperationFailed)
    assert "the log's end of update" in error.details
    await shop.ask("Upgrade", modules=["all"])
    assert await shop.rest() is None
    assert (await shop.picture()).phase == "Running"
    assert (await shop.ledger()).latched == {}


async def test_failed_init_stays_latched_until_a_person_asks(world: World) -> None:
    world.machine.fail_next.append(("init", FailedError("out of memory")))
    await world.apply(instance())
    assert isinstance(await world.rest(), OperationFailed)
    started = tasks(world)
    await world.passes(20, step_s=60)
    assert tasks(world) == started
    assert (await world.phase(), world.running("web")) == ("InitFailed", 0)
    from mooring.control.accept import accept_manifests
    from mooring.control.requests import build_request

    request = build_request(SHOP, "OdooInitJob", {}, verb="init")
    await accept_manifests(world.life(), [request])
    assert await world.rest() is None
    assert (await world.picture()).phase == "Running"


async def test_init_with_a_module_that_does_not_exist_fails_although_odoo_ends_with_0(world: World) -> None:
    await world.apply(instance(init={"modules": ["nowhere"]}))
    error = await world.rest()
    assert isinstance(error, OperationFailed)
    assert "nowhere" in str(error)
    assert world.running("web") == 0
    await world.apply(instance(init={"modules": ["sale"]}))
    assert await world.rest() is None
    assert (await world.current()).modules.keys() >= {"base", "sale"}


async def test_spec_corrected_while_its_upgrade_fails_is_taken_up(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-bad-probe"))
    await shop.until("update")
    await shop.apply(NEXT)
    assert await shop.rest() is None
    assert (await shop.picture()).runs == digest("odoo:14.0-next")


async def test_spec_corrected_between_end_and_record_of_a_failure_is_taken_up(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-bad-probe"))
    golden = shop.fork()
    golden.machine.crash.seen.clear()
    assert isinstance(await golden.rest(), OperationFailed)
    last = max(i for i, what in enumerate(golden.machine.crash.seen) if what.startswith("write OdooUpgradeJob"))
    assert await shop.killed(shop.drive, before=last)
    await shop.apply(NEXT)
    assert await shop.rest() is None
    assert (await shop.picture()).runs == digest("odoo:14.0-next")


# Refusals


@pytest.mark.parametrize(
    ("verb", "reason"), [("Rollback", "NothingToReturnTo"), ("Init", "AlreadyInitialized")], ids=lambda value: value
)
async def test_operation_that_makes_no_sense_ends_failed_with_the_reason(shop: World, verb: str, reason: str) -> None:
    started = tasks(shop)
    if verb == "Init":
        made = await create_operation(shop.life(), SHOP, OperationType.INIT, {})
        asked = made.doc.ref
    else:
        asked = await shop.ask(verb)
    await shop.rest()
    status = (await shop.doc(asked)).status
    assert (status["phase"], status["error"]["reason"]) == ("Failed", reason)
    assert tasks(shop) == started
    assert (await shop.picture()).phase == "Running"


@pytest.mark.parametrize("verb", ["Stop", "Upgrade", "Restart"])
async def test_operation_that_needs_data_before_there_is_any_ends_failed(world: World, verb: str) -> None:
    await world.apply(instance())
    asked = await (world.ask("Upgrade", modules=["base"]) if verb == "Upgrade" else world.ask(verb))
    await world.rest()
    status = (await world.doc(asked)).status
    assert (status["phase"], status["error"]["reason"]) == ("Failed", "NotInitialized")
    assert await world.rest() is None or await world.phase() == "Running"


async def test_record_deleted_and_created_again_runs_nothing(shop: World) -> None:
    asked = await shop.ask("Upgrade", modules=["base"])
    assert await shop.rest() is None
    doc, started = await shop.doc(asked), tasks(shop)
    await shop.documents.delete(asked, if_version=doc.version)
    await shop.documents.put(doc, if_version=None)
    assert (await shop.doc(asked)).status == {}
    assert await shop.rest() is None
    assert (await shop.doc(asked)).status["phase"] == "Superseded"
    assert tasks(shop) == started


async def test_deletion_during_an_upgrade_waits_for_its_end(shop: World) -> None:
    await shop.apply(NEXT)
    await shop.until("update")
    await shop.delete()
    began = shop.clock.monotonic()
    assert (await shop.drive()).gone
    assert shop.clock.monotonic() - began < 60
    found = [one for one in shop.machine.servers()[0].databases.values() if one.mark and one.mark.role == "current"]
    assert [one.whole for one in found] == [True]


@pytest.mark.parametrize(
    "spec",
    [{"replicas": 0}, {"replicas": 1, "cron": {"replicas": 0}}],
    ids=["stopped by the spec", "without cron"],
)
async def test_upgrade_during_which_fewer_replicas_are_wanted_ends(shop: World, spec: dict[str, Any]) -> None:
    await shop.apply(NEXT)
    await shop.until("update")
    began = shop.clock.monotonic()
    await shop.apply(instance(image="odoo:14.0-next", **spec))
    assert await shop.rest() is None
    assert shop.clock.monotonic() - began < 60
    assert (await shop.picture()).runs == digest("odoo:14.0-next")
    assert shop.running("cron") == 0
    assert shop.running("web") == (0 if spec["replicas"] == 0 else 1)


async def test_upgrade_that_a_person_cancels_returns(shop: World) -> None:
    before = await shop.picture()
    await shop.apply(NEXT)
    await shop.until("update")
    running = next(one for one in await shop.operations() if one.phase == "Running")
    await request_cancel(shop.life(), running)
    await shop.rest()
    assert (await shop.doc(running.doc.ref)).status["phase"] == "Cancelled"
    assert (await shop.picture()).runs == before.runs
    await shop.check_rest()
    await shop.check_nothing_lost()


# Data


async def test_filestore_gone_is_degraded_and_nothing_is_made_in_its_place(shop: World) -> None:
    volume, started = child(SHOP, "filestore"), tasks(shop)
    for box in shop.sim.running(SHOP):
        shop.sim.drop(box.name)
    del shop.sim.volumes[volume]
    shop.machine.writing = False
    await shop.passes(30, step_s=10)
    assert await shop.phase() == "Degraded"
    assert (await shop.condition("Ready"))[1] == "DataMissing"
    assert volume not in shop.sim.volumes
    assert tasks(shop) == started
    assert not shop.sim.running(SHOP)


@pytest.mark.parametrize("what", ["release", "Upgrade", "Restart", "Rollback", "rotation"])
async def test_filestore_gone_starts_no_task_whatever_is_asked(shop: World, what: str) -> None:
    volume = child(SHOP, "filestore")
    if what == "Rollback":
        await shop.apply(NEXT)
        assert await shop.rest() is None
    for box in shop.sim.running(SHOP):
        shop.sim.drop(box.name)
    del shop.sim.volumes[volume]
    shop.machine.writing = False
    started = tasks(shop)
    asked = None
    if what == "release":
        await shop.apply(NEXT)
    elif what == "rotation":
        shop.secrets.put(_owner(shop), password="rotated")
    else:
        asked = await (shop.ask(what, modules=["all"]) if what == "Upgrade" else shop.ask(what))
    await shop.passes(30, step_s=10)
    assert volume not in shop.sim.volumes
    assert tasks(shop) == started
    assert (await shop.condition("Ready"))[1] == "DataMissing"
    if asked is not None:
        status = (await shop.doc(asked)).status
        assert (status["phase"], status["error"]["reason"]) == ("Failed", "DataMissing")


async def test_filestore_gone_lets_a_deletion_pass(shop: World) -> None:
    for box in shop.sim.running(SHOP):
        shop.sim.drop(box.name)
    del shop.sim.volumes[child(SHOP, "filestore")]
    shop.machine.writing = False
    await shop.delete()
    assert (await shop.drive(timeout_s=600)).gone
    assert child(SHOP, "filestore") not in shop.sim.volumes


async def test_server_that_does_not_answer_is_said_and_comes_back(shop: World) -> None:
    from tests.scenario.world import DEFAULT_SERVER

    shop.sim.end(f"{child(DEFAULT_SERVER, 'database')}-0")
    await shop.passes(1)
    assert await shop.phase() == "Degraded"
    assert await shop.rest() is None
    assert (await shop.picture()).phase == "Running"
    await shop.check_nothing_lost()


@pytest.mark.parametrize("release", ["odoo:14.0", "odoo:14.0-next"])
async def test_data_retained_comes_back_under_its_name(shop: World, release: str) -> None:
    await shop.passes(3)
    rows, doc_id = list((await shop.current()).rows), (await shop.doc()).id
    assert rows
    await shop.delete()
    assert (await shop.drive()).gone
    await shop.bring_up(instance(image=release))
    assert (await shop.doc()).id == doc_id
    assert set((await shop.current()).rows) >= set(rows)
    assert (await shop.picture()).runs == digest(release)
    kinds = [one.type for one in await shop.operations()]
    assert OperationType.INIT not in kinds
    assert (OperationType.UPGRADE in kinds) == (release != "odoo:14.0")
    await shop.check_rest()
    await shop.check_nothing_lost()


@pytest.mark.parametrize("release", ["odoo:14.0", "odoo:14.0-next"])
async def test_data_retained_comes_back_after_a_kill_at_any_effect_of_apply(shop: World, release: str) -> None:
    await shop.passes(3)
    await shop.delete()
    assert (await shop.drive()).gone
    for effect in range(200):
        world = shop.fork()

        async def act(world: World = world) -> None:
            await world.apply(instance(image=release))
            await world.drive()

        if not await world.killed(act, before=effect):
            break
        await world.bring_up(instance(image=release))
        try:
            await world.check_rest()
            await world.check_nothing_lost()
            assert (await world.picture()).runs == digest(release)
        except AssertionError as error:
            raise AssertionError(f"killed before effect {effect}: {error}") from error


@pytest.mark.parametrize("flaw", ["migrate", "verify", "probe"])
async def test_failed_second_upgrade_leaves_the_way_back_behind_the_first(shop: World, flaw: str) -> None:
    await shop.apply(NEXT)
    await shop.drive()
    await shop.apply(instance(image=f"odoo:14.0-bad-{flaw}"))
    assert isinstance(await shop.rest(), OperationFailed)
    await shop.check_rest()
    await shop.check_nothing_lost()
    assert (await shop.picture()).previous

    await shop.ask("Rollback")
    await shop.rest()
    assert (await shop.picture()).runs == digest("odoo:14.0")
    assert (await shop.current()).code == digest("odoo:14.0")
    await shop.check_rest()


async def test_second_upgrade_leaves_its_own_copies_alone(shop: World) -> None:
    await shop.apply(NEXT)
    await shop.drive()
    await shop.apply(instance(image="odoo:14.0-third"))
    await shop.drive()
    kept = [
        one.mark.operation
        for one in shop.machine.databases((await shop.doc()).id).values()
        if one.mark and one.mark.role != "current"
    ]
    files = [operation for _, operation in shop.machine.files(SHOP).copies]
    previous = (await shop.ledger()).previous
    assert previous is not None
    assert (kept, files) == ([previous.operation], [previous.operation])


async def test_rollback_keeps_aside_what_was_written_since(shop: World) -> None:
    await shop.passes(3)
    await shop.apply(NEXT)
    assert await shop.rest() is None
    kept = set((await shop.current()).rows)
    await shop.passes(5)
    late = set((await shop.current()).rows) - kept
    assert late
    await shop.ask("Rollback")
    assert await shop.rest() is None
    picture = await shop.picture()
    assert (picture.runs, picture.phase, picture.previous) == (digest("odoo:14.0"), "Running", False)
    await shop.check_rest()
    aside = [
        one
        for one in shop.machine.databases((await shop.doc()).id).values()
        if one.mark and one.mark.role == "previous"
    ]
    assert [late <= set(one.rows) for one in aside] == [True]
    assert not late & set((await shop.current()).rows)
    await shop.passes(20, step_s=60)
    assert (await shop.picture()).runs == digest("odoo:14.0")  # the release that was left is not taken up again
    files = shop.machine.files(SHOP)
    assert [late <= set(one) for (role, _), one in files.copies.items() if role == "previous"] == [True]


@pytest.mark.parametrize("kind", ["database-return", "filestore-return"])
async def test_rollback_that_fails_leaves_release_and_data_together_and_the_way_back(shop: World, kind: str) -> None:
    await shop.apply(NEXT)
    assert await shop.rest() is None
    await shop.passes(4)
    before = await shop.picture()
    shop.machine.fail_next += [(kind, ServerUnreachable("nobody answers"))] * 3
    asked = await shop.ask("Rollback")
    await shop.rest()
    assert (await shop.doc(asked)).status["phase"] == "Failed"
    assert await shop.picture() == before
    await shop.check_rest()
    await shop.check_nothing_gone()
    await shop.check_nothing_lost()
    await shop.ask("Rollback")
    assert await shop.rest() is None
    assert (await shop.picture()).runs == digest("odoo:14.0")
    await shop.check_rest()
    await shop.check_nothing_gone()


async def test_undo_that_fails_holds_the_instance_until_a_person_asks(shop: World) -> None:
    shop.machine.fail_next += [("database-return", ServerUnreachable("nobody answers"))] * 3
    await shop.apply(instance(image="odoo:14.0-bad-migrate"))
    error = await shop.rest()
    assert error is not None
    assert error.reason == "OperationStuck"
    await shop.passes(20, step_s=60)
    assert (shop.running("web"), shop.running("cron")) == (0, 0)
    await shop.retry_stuck()
    assert isinstance(await shop.rest(), OperationFailed)
    assert (await shop.picture()).runs == digest("odoo:14.0")
    await shop.check_rest()
    await shop.check_nothing_lost()


def _owner(world: World) -> SecretRef:
    from mooring.domain.instance.tasks import generated_secret

    return generated_secret(SHOP, "database")


async def test_deletion_of_an_instance_whose_filestore_is_gone_takes_its_processes(shop: World) -> None:
    del shop.sim.volumes[child(SHOP, "filestore")]
    await shop.delete()
    assert (await shop.drive()).gone
    assert not shop.sim.running(SHOP)
    assert child(SHOP, "filestore") not in shop.sim.volumes
