# SPDX-License-Identifier: Apache-2.0
"""One instance's snapshot becomes another's data: as a neutral copy, or moved by a person's word. Nothing reaches the source.

That no Odoo process ever works on data that says it is another instance's, `Machine.watch` sees at every call.
"""

from __future__ import annotations

from typing import Any

import pytest

from mooring.api.errors import ManifestError
from mooring.control.reconcile import reconcile
from mooring.domain.model.identity import Ref
from mooring.domain.work.errors import ServerUnreachable
from mooring.domain.work.neutralize_errors import NotNeutral
from mooring.errors import MooringError
from tests.scenario.data import Database
from tests.scenario.machine import READ_RELEASE, kind_of
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
    await pair.ask("Stop")
    assert await pair.rest() is None
    pair.machine.moved = True
    asked = await restore(pair, mode="move", sourceStopped=True)
    assert await pair.rest(COPY) is None
    assert await ended(pair, asked) == ("Succeeded", "")
    found = await pair.current(COPY)
    assert (found.uuid, found.alive) == ((await pair.current()).uuid, (await pair.current()).alive)
    assert (pair.running("web", COPY), pair.running("cron", COPY)) == (1, 0), "its data is from an earlier time"


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
