# SPDX-License-Identifier: Apache-2.0
"""A controller is killed before each of its effects in turn, and another one comes: all or nothing, and no write lost.

An effect is a write of a document or secret, or a change of the world. What is never allowed (a process beside a data task,
a task twice, a release on another's data) `Machine.watch` says while it happens; here stands how it ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.instance.tasks import generated_secret
from mooring.domain.model.identity import Ref
from mooring.domain.work.backup_errors import RestoreFailed, RestoreIncomplete
from mooring.domain.work.errors import ProbeFailed, ServerUnreachable
from mooring.domain.work.import_errors import DumpRefused
from mooring.domain.work.neutralize_errors import NotNeutral
from mooring.errors import MooringError
from tests.scenario.world import SHOP, Picture, World, instance, repository

MOST_EFFECTS = 400
DOWNTIMES_S = (0.0, 0.3, 90.0)

Act = Callable[[World], Awaitable[object]]


@dataclass(frozen=True)
class Story:
    """What is asked of an instance.

    Attributes:
        before: what has happened to a running `shop`.
        act: what is asked for.
        loses: whether what users wrote since the last upgrade or backup may be aside.
        full: it is long, and only part of the full run.
    """

    act: Act
    before: Act | None = None
    loses: bool = False
    full: bool = False


async def _upgrade(world: World) -> None:
    await world.apply(instance(image="odoo:14.0-next"))


async def _upgrade_with_new_password(world: World) -> None:
    await _upgrade(world)
    world.secrets.put(generated_secret(SHOP, "database"), password="a-new-one")


async def _upgraded(world: World) -> None:
    await _upgrade(world)
    await world.drive()
    await world.passes(4)  # users write


async def _with_sale(world: World) -> None:
    await world.ask("Upgrade", install=["sale"])
    await world.drive()
    await world.passes(4)  # users write


async def _patched(world: World) -> None:
    await world.apply(instance(image="odoo:14.0-patch"))
    await world.drive()
    await world.passes(4)  # users write


async def _stopped(world: World) -> None:
    await world.ask("Stop")
    await world.drive()


async def _backed_up(world: World) -> None:
    await world.apply(repository())
    await world.mark("before the backup")
    await world.ask("Backup", repository="nas")
    await world.drive()
    await world.mark("after the backup")
    await world.passes(4)  # users write


async def _restored(world: World) -> None:
    await _backed_up(world)
    await _restore(world)
    await world.drive()
    await world.mark("after the restore")


async def _backed_up_here(world: World) -> None:
    """As `_backed_up`, and the manifest names the repository."""
    await world.apply(repository(), instance(backup={"repository": "nas"}))
    await _backed_up(world)


async def _restored_here(world: World) -> None:
    """Nothing was written between the backup and the restore: nothing is lost when what was replaced goes."""
    await world.apply(repository())
    await world.drive()
    world.machine.writing = False
    await world.ask("Backup", repository="nas")
    await world.drive()
    await _restore(world)
    await world.drive()
    assert (await world.doc()).status["previous"]["until"]


async def _restored_with_mail(world: World) -> None:
    """Mail that waited at the backup waits again, and somebody writes more."""
    await world.mail("old")
    await _restored(world)
    world.clock.advance(5.0)
    await world.mail("new")


async def _beside_another(world: World) -> None:
    """Another instance runs here, and has a snapshot with mail that waits."""
    other = Ref("OdooInstance", "default", "other")
    await world.apply(repository())
    await world.bring_up(instance("other"))
    await world.mark("of the other", other)
    await world.mail("to a customer", other)
    await world.ask("Backup", ref=other, repository="nas")
    await world.drive(other)
    await world.mark("of the shop")
    await world.passes(4)  # users write


async def _copy(world: World) -> None:
    await world.ask("Restore", source={"snapshot": "latest", "repository": "nas", "snapshotOf": "other"})


async def _beside_another_release(world: World) -> None:
    """As `_beside_another`, and the other one is at another release."""
    other = Ref("OdooInstance", "default", "other")
    await world.bring_up(instance("other", image="odoo:14.0-next"))
    await world.mark("of the other", other)
    await world.mail("to a customer", other)
    await world.mark("of the shop")
    await world.passes(4)  # users write


async def _clone(world: World) -> None:
    await world.ask("Restore", source={"instance": {"name": "other"}})


def _clone_fails(kind: str) -> Act:
    """The task of that kind fails as often as it may."""

    async def act(world: World) -> None:
        world.machine.fail_next += [(kind, ServerUnreachable("nobody answers"))] * 3
        await _clone(world)

    return act


async def _copy_not_neutral(world: World) -> None:
    world.machine.fail_next += [("database-verify-neutral", NotNeutral("mail"))] * 2
    await _copy(world)


async def _import(world: World) -> None:
    await world.ask("Restore", source={"url": "file:///srv/shop.zip"})


async def _import_moves(world: World) -> None:
    await world.ask("Restore", source={"url": "file:///srv/shop.zip"}, mode="move")


def _import_fails(kind: str, *faults: MooringError) -> Act:
    """The task of that kind fails as often as there are faults."""

    async def act(world: World) -> None:
        world.machine.fail_next += [(kind, one) for one in faults]
        await _import(world)

    return act


async def _backed_up_and_upgraded(world: World) -> None:
    await _backed_up(world)
    await _upgraded(world)


async def _backup(world: World) -> None:
    await world.apply(repository())
    await world.ask("Backup", repository="nas")


async def _drill_fails(world: World) -> None:
    world.machine.fail_next += [("probe", ProbeFailed("no page"))] * 3
    await world.ask("Verify", restore=True)


async def _kept_long_enough(world: World) -> None:
    """The time of what a restore replaced is over; a pass of anybody finds it."""
    world.clock.advance(25 * 3600.0)
    world.machine.last_write = world.clock.monotonic()


async def _restore(world: World) -> None:
    await world.ask("Restore", source={"snapshot": "latest", "repository": "nas"})


def _restore_fails(kind: str, *faults: MooringError) -> Act:
    """The task of that kind fails as often as there are faults."""

    async def act(world: World) -> None:
        world.machine.fail_next += [(kind, one) for one in faults]
        await _restore(world)

    return act


def _rollback_fails(kind: str) -> Act:
    """The task of that kind fails as often as it may."""

    async def act(world: World) -> None:
        world.machine.fail_next += [(kind, ServerUnreachable("nobody answers"))] * 3
        await world.ask("Rollback")

    return act


def _apply(**spec: Any) -> Act:
    return lambda world: world.apply(instance(**spec))


STORIES: dict[str, Story] = {
    "upgrade": Story(_upgrade),
    "upgrade, migration fails": Story(_apply(image="odoo:14.0-bad-migrate")),
    "upgrade, verification fails": Story(_apply(image="odoo:14.0-bad-verify")),
    "upgrade, probe fails": Story(_apply(image="odoo:14.0-bad-probe")),
    "upgrade, with a new password of the owner": Story(_upgrade_with_new_password),
    "second upgrade": Story(_apply(image="odoo:14.0-third"), _upgraded),
    "upgrade asked for": Story(lambda world: world.ask("Upgrade", modules=["base"])),
    "upgrade that changes one module": Story(_apply(image="odoo:14.0-sale"), _with_sale),
    "upgrade that changes no module": Story(_apply(image="odoo:14.0-patch")),
    "upgrade that changes no module, probe fails": Story(_apply(image="odoo:14.0-patch-bad-probe")),
    "upgrade with nothing to do": Story(lambda world: world.ask("Upgrade")),
    "upgrade after a backup": Story(
        lambda world: world.apply(instance(image="odoo:14.0-next", backup={"repository": "nas"})),
        lambda world: world.apply(repository()),
    ),
    "rollback of a release alone": Story(lambda world: world.ask("Rollback"), _patched),
    "stop": Story(lambda world: world.ask("Stop")),
    "start": Story(lambda world: world.ask("Start"), _stopped),
    "restart": Story(lambda world: world.ask("Restart")),
    "rollback": Story(lambda world: world.ask("Rollback"), _upgraded, loses=True),
    "backup": Story(_backup),
    "verification": Story(lambda world: world.ask("Verify", readData=100), _backed_up_here, loses=True),
    "drill": Story(lambda world: world.ask("Verify", restore=True), _backed_up_here, loses=True),
    "drill, probe fails": Story(_drill_fails, _backed_up_here, loses=True, full=True),
    "end of what a restore replaced": Story(_kept_long_enough, _restored_here, loses=True),
    "restore": Story(_restore, _backed_up, loses=True),
    "restore, probe fails": Story(_restore_fails("probe", ProbeFailed("no page")), _backed_up, loses=True),
    "restore, build fails": Story(
        _restore_fails("database-restore", RestoreFailed("no"), RestoreFailed("no")), _backed_up, loses=True
    ),
    "restore, files fail": Story(
        _restore_fails("filestore-restore", RestoreIncomplete("no"), RestoreIncomplete("no")), _backed_up, loses=True
    ),
    "restore, swap of the files fails": Story(
        _restore_fails("filestore-swap", *[ServerUnreachable("nobody answers")] * 3), _backed_up, loses=True
    ),
    "restore, swap of the database fails": Story(
        _restore_fails("database-swap", *[ServerUnreachable("nobody answers")] * 3), _backed_up, loses=True
    ),
    "copy of another": Story(_copy, _beside_another, loses=True),
    "clone of another": Story(_clone, _beside_another, loses=True),
    "clone of another, updated": Story(_clone, _beside_another_release, loses=True),
    "clone of another, update fails": Story(_clone_fails("update"), _beside_another_release, loses=True),
    "clone of another, files fail": Story(_clone_fails("filestore-copy"), _beside_another, loses=True),
    "copy of another, not proved neutral": Story(_copy_not_neutral, _beside_another),
    "import": Story(_import, loses=True),
    "import that moves here": Story(_import_moves, loses=True),
    "import, dump is refused": Story(_import_fails("database-load", DumpRefused("no"))),
    "import, files fail": Story(_import_fails("filestore-load", *[ServerUnreachable("nobody answers")] * 2)),
    "restore of another release's snapshot": Story(_restore, _backed_up_and_upgraded, loses=True),
    "second restore": Story(_restore, _restored, loses=True),
    "rollback of a restore, swap of the files fails": Story(_rollback_fails("filestore-swap"), _restored, loses=True),
    "rollback, files fail": Story(_rollback_fails("filestore-return"), _upgraded),
    "rollback of a restore": Story(lambda world: world.ask("Rollback"), _restored, loses=True),
    "release of cron, old mail cancelled": Story(
        lambda world: world.ask("ReleaseHold", cancelOlder=True), _restored_with_mail, loses=True
    ),
    "release of cron": Story(lambda world: world.ask("ReleaseHold"), _restored_with_mail, loses=True),
    "configuration": Story(_apply(configOptions={"limit_time_real": 600})),
}


async def _rest(world: World) -> Picture:
    """Where it comes to rest, and that it is whole there."""
    await world.rest()
    await world.check_rest()
    await world.check_nothing_gone()
    return await world.picture()


async def _records(world: World) -> list[tuple[str, str]]:
    """Every operation and how it ended."""
    return [(one.type.value, one.phase) for one in await world.operations()]


def _stories() -> list[object]:
    return [pytest.param(one, id=name, marks=pytest.mark.full if one.full else ()) for name, one in STORIES.items()]


def _stride(every: int) -> list[object]:
    """All kills in `every` parts; the first is part of every run, the others of the full one."""
    marks = [() if part == 0 else (pytest.mark.full,) for part in range(every)]
    return [pytest.param(part, every, id=f"part{part}", marks=marks[part]) for part in range(every)]


@pytest.mark.parametrize("story", _stories())
@pytest.mark.parametrize(("part", "every"), _stride(3))
async def test_operation_killed_at_any_effect_ends_wanted_or_as_before(
    shop: World, story: Story, part: int, every: int
) -> None:
    if story.before is not None:
        await story.before(shop)
    before = await shop.picture()
    golden = shop.fork()
    await story.act(golden)
    after, carried_out = await _rest(golden), await _records(golden)
    ended = []
    for effect in range(part, MOST_EFFECTS, every):
        world = shop.fork()

        async def act(world: World = world) -> None:
            await story.act(world)
            await world.drive()

        if not await world.killed(act, before=effect):
            break
        world.clock.advance(DOWNTIMES_S[effect % len(DOWNTIMES_S)])
        try:
            ended.append(await _rest(world))
            if not story.loses:
                await world.check_nothing_lost()
        except (AssertionError, MooringError) as error:
            raise AssertionError(f"killed before effect {effect}: {error}") from error
        assert ended[-1] in (before, after), f"killed before effect {effect}"
        operations = await _records(world)
        assert len(operations) <= len(carried_out), f"killed before effect {effect}: done again: {operations}"
        if operations == carried_out:  # what is recorded as done is done
            assert ended[-1] == after, f"killed before effect {effect}"
    else:
        raise AssertionError("it never ends")
    assert len(ended) >= 3
    assert ended[-1] == after


@pytest.mark.parametrize("story", _stories())
@pytest.mark.parametrize(("part", "every"), _stride(3))
async def test_operation_whose_machine_reboots_at_any_effect_ends_wanted_or_as_before(
    shop: World, story: Story, part: int, every: int
) -> None:
    if story.before is not None:
        await story.before(shop)
    before = await shop.picture()
    golden = shop.fork()
    await story.act(golden)
    after = await _rest(golden)
    # A migration that the reboot ended is not repeated by itself: its data is the only copy but one.
    returned = replace(before, phase="UpgradeFailed")
    for effect in range(part, MOST_EFFECTS, every):
        world = shop.fork()

        async def act(world: World = world) -> None:
            await story.act(world)
            await world.drive()

        if not await world.killed(act, before=effect):
            break
        world.sim.reboot()
        world.clock.advance(20.0)
        try:
            ended = await _rest(world)
            if not story.loses:
                await world.check_nothing_lost()
        except (AssertionError, MooringError) as error:
            raise AssertionError(f"rebooted before effect {effect}: {error}") from error
        allowed = [before, after, returned] if "upgrade" in story_name(story) else [before, after]
        assert ended in allowed, f"effect {effect}"
    else:
        raise AssertionError("it never ends")


def story_name(story: Story) -> str:
    """Its key."""
    return next(name for name, one in STORIES.items() if one is story)


@pytest.mark.parametrize(("part", "every"), _stride(3))
@pytest.mark.parametrize("reboot", [False, True], ids=["killed", "rebooted"])
async def test_bring_up_killed_at_any_effect_ends_running(world: World, part: int, every: int, *, reboot: bool) -> None:
    ended = 0
    for effect in range(part, MOST_EFFECTS, every):
        one = world.fork()

        async def act(one: World = one) -> None:
            await one.apply(instance())
            await one.drive()

        if not await one.killed(act, before=effect):
            break
        if reboot:
            one.sim.reboot()
        one.clock.advance(DOWNTIMES_S[effect % len(DOWNTIMES_S)])
        if await one.documents.get(SHOP) is None:
            continue
        try:
            assert await one.rest() is None
            await one.check_rest()
        except (AssertionError, MooringError) as error:
            raise AssertionError(f"killed before effect {effect}: {error}") from error
        assert (await one.picture()).phase == "Running"
        assert (await one.current()).finished
        assert len(one.sim.running(SHOP)) == 2
        ended += 1
    else:
        raise AssertionError("it never ends")
    assert ended >= 15


@pytest.mark.parametrize(("part", "every"), _stride(2))
@pytest.mark.parametrize("purge", [False, True], ids=["retain", "purge"])
@pytest.mark.parametrize("own", [False, True], ids=["shared server", "own server"])
async def test_deletion_killed_at_any_effect_is_carried_out(
    shop: World, tmp_path: Path, part: int, every: int, *, purge: bool, own: bool
) -> None:
    if own:
        shop = World(tmp_path)
        await shop.bring_up(instance(database={"managed": {"version": 16}}))
    await shop.passes(3)
    doc, rows = await shop.doc(), list((await shop.current()).rows)
    ended = 0
    for effect in range(part, MOST_EFFECTS, every):
        world = shop.fork()

        async def act(world: World = world) -> None:
            await world.delete(purge=purge)
            await world.drive()

        if not await world.killed(act, before=effect):
            break
        world.clock.advance(DOWNTIMES_S[effect % len(DOWNTIMES_S)])
        left = await world.documents.get(SHOP)
        if left is not None and left.deleted_at is None:
            assert await world.rest() is None
            await world.check_rest()
            continue
        try:
            if left is not None:
                assert (await world.drive()).gone
            await _check_deleted(world, doc.id, rows, purge=purge, own=own)
        except (AssertionError, MooringError) as error:
            raise AssertionError(f"killed before effect {effect}: {error}") from error
        ended += 1
    else:
        raise AssertionError("it never ends")
    assert ended >= 4


async def _check_deleted(world: World, instance_id: str, rows: list[str], *, purge: bool, own: bool) -> None:
    assert await world.documents.get(SHOP) is None
    assert not await world.operations()
    kept = [box for box in world.sim.containers.values() if box.ref == SHOP]
    assert not kept
    assert not [net for net in world.sim.networks.values() if net.ref == SHOP]
    assert not [name for ref, name in world.sim.endpoints if ref == SHOP]
    assert not world.sim.running_tasks()
    volumes = [one for one in world.sim.volumes.values() if one.identity and one.ref.name == "shop"]
    if purge:
        assert not volumes
        assert not world.machine.databases(instance_id)
        assert not [one for server in world.machine.servers() for one in server.roles.values() if one.instance]
        for purpose in ("database", "odoo"):
            assert generated_secret(SHOP, purpose) not in world.secrets.values
        return
    assert len(volumes) == 1 + own
    found = [one for one in world.machine.databases(instance_id).values() if one.mark and one.mark.role == "current"]
    assert [set(rows) <= set(one.rows) for one in found] == [True]
