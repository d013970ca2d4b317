# SPDX-License-Identifier: Apache-2.0
"""A staging copy is made and renewed from its running source, which nothing of it ever reaches.

That no Odoo process ever works on data that says it is another instance's, `Machine.watch` sees at every call; kills at every
effect are in `test_kills.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from mooring.control.reconcile import reconcile
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import OperationType
from mooring.domain.work.backup_errors import SnapshotNewer
from mooring.domain.work.live_copy_errors import SourceUnfit
from tests.scenario.machine import digest
from tests.scenario.test_copies import ended, marks
from tests.scenario.world import SHOP, World, instance

STAGING = Ref("OdooInstance", "default", "staging")
DAY_S = 86_400.0


def staging(**spec: Any) -> dict[str, Any]:
    return instance("staging", stagingOf={"name": "shop"}, **spec)


@pytest.fixture
async def pair(shop: World) -> World:
    """`shop` with mail in its queue, and its staging copy."""
    await shop.mark("first")
    await shop.mail("to a customer")
    await shop.bring_up(staging())
    return shop


async def kinds(world: World) -> list[tuple[OperationType, str]]:
    return [(one.type, one.phase) for one in await world.operations(STAGING)]


async def test_staging_copy_begins_as_a_copy_and_no_empty_odoo_comes_first(pair: World) -> None:
    assert await kinds(pair) == [(OperationType.PROVISION, "Succeeded"), (OperationType.REFRESH, "Succeeded")]
    found, source = await pair.current(STAGING), await pair.current()
    assert (marks(found), found.neutral, found.alive, found.waiting) == (["first"], True, False, {})
    assert found.uuid != source.uuid
    assert (source.alive, list(source.waiting), source.neutral) == (True, ["to a customer"], False)
    assert (await pair.ledger(STAGING)).previous is None
    await pair.check_rest(STAGING)
    await pair.check_nothing_lost()


async def test_refresh_brings_what_is_new_and_can_be_returned_from(pair: World) -> None:
    await pair.mark("second")
    await pair.mark("of staging", STAGING)
    asked = await pair.ask("Refresh", ref=STAGING)
    assert await pair.rest(STAGING) is None
    assert await ended(pair, asked) == ("Succeeded", "")
    assert marks(await pair.current(STAGING)) == ["first", "second"]
    assert pair.running("web", STAGING) == 1
    await pair.check_rest(STAGING)
    await pair.check_nothing_gone(STAGING)
    await pair.ask("Rollback", ref=STAGING)
    assert await pair.rest(STAGING) is None
    assert marks(await pair.current(STAGING)) == ["first", "of staging"]
    await pair.check_nothing_lost()


async def test_refresh_into_a_newer_release_is_updated_before_anybody_sees_it(pair: World) -> None:
    await pair.apply(staging(image="odoo:14.0-next"))
    assert await pair.rest(STAGING) is None
    await pair.mark("second")
    asked = await pair.ask("Refresh", ref=STAGING)
    assert await pair.rest(STAGING) is None
    assert await ended(pair, asked) == ("Succeeded", "")
    found = await pair.current(STAGING)
    assert (found.code, marks(found), found.alive) == (digest("odoo:14.0-next"), ["first", "second"], False)
    assert (await pair.current()).code == digest("odoo:14.0")
    await pair.check_rest(STAGING)


async def test_refresh_that_would_take_a_module_back_leaves_staging_as_it_was(pair: World) -> None:
    await pair.mark("second")
    await pair.mark("of staging", STAGING)
    pair.machine.fail_next.append(
        ("database-verify", SnapshotNewer("Module sale was at 14.0.2.0, and is at 14.0.1.0."))
    )
    asked = await pair.ask("Refresh", ref=STAGING)
    await pair.rest(STAGING)
    assert await ended(pair, asked) == ("Failed", "SnapshotNewer")
    assert marks(await pair.current(STAGING)) == ["first", "of staging"]
    await pair.check_rest(STAGING)
    await pair.check_nothing_gone()


@pytest.mark.parametrize(
    ("ref", "spec", "reason"),
    [
        pytest.param(SHOP, {"source": {"name": "staging"}}, "NotRefreshable", id="production"),
        pytest.param(STAGING, {"source": {"name": "nobody"}}, "UnknownInstance", id="no such source"),
        pytest.param(STAGING, {"source": {"name": "staging"}}, "SourceOutOfReach", id="itself"),
        pytest.param(
            STAGING, {"source": {"name": "shop", "namespace": "team"}}, "SourceOutOfReach", id="another namespace"
        ),
    ],
)
async def test_refresh_that_cannot_be_is_refused_and_changes_nothing(
    pair: World, ref: Ref, spec: dict[str, Any], reason: str
) -> None:
    before = await pair.picture(ref)
    asked = await pair.ask("Refresh", ref=ref, **spec)
    await pair.rest(ref)
    assert await ended(pair, asked) == ("Failed", reason)
    assert await pair.picture(ref) == before


async def test_refresh_waits_for_no_source_that_is_being_changed(pair: World) -> None:
    await pair.apply(instance(image="odoo:14.0-next"))
    services = pair.life()
    for _ in range(100):
        await reconcile(services, SHOP)
        if any(one.type is OperationType.UPGRADE and one.phase == "Running" for one in await pair.operations()):
            break
        await pair.clock.sleep(0.2)
    asked = await pair.ask("Refresh", ref=STAGING)
    await pair.rest(STAGING)
    assert await ended(pair, asked) == ("Failed", "SourceUnavailable")
    assert await pair.rest() is None


async def test_first_copy_that_fails_is_said_and_no_empty_odoo_comes_in_its_place(shop: World) -> None:
    shop.machine.fail_next.append(("database-copy", SourceUnfit("no")))
    await shop.apply(staging())
    for _ in range(2):
        assert "Refresh" in str(await shop.rest(STAGING))
    assert await kinds(shop) == [(OperationType.PROVISION, "Succeeded"), (OperationType.REFRESH, "Failed")]
    assert shop.running("web", STAGING) == 0
    await shop.ask("Refresh", ref=STAGING)
    assert await shop.rest(STAGING) is None
    assert shop.running("web", STAGING) == 1
    await shop.check_rest(STAGING)


async def test_clone_into_a_production_instance_is_neutral_too_and_its_cron_runs(shop: World) -> None:
    await shop.mail("to a customer")
    await shop.bring_up(instance("blog"))
    blog = Ref("OdooInstance", "default", "blog")
    asked = await shop.ask("Restore", ref=blog, source={"instance": {"name": "shop"}})
    assert await shop.rest(blog) is None
    assert await ended(shop, asked) == ("Succeeded", "")
    found = await shop.current(blog)
    assert (found.neutral, found.waiting) == (True, {})
    assert shop.running("cron", blog) == 1


async def test_clone_is_never_a_move(shop: World) -> None:
    await shop.bring_up(instance("blog"))
    blog = Ref("OdooInstance", "default", "blog")
    asked = await shop.ask("Restore", ref=blog, source={"instance": {"name": "shop"}}, mode="move")
    await shop.rest(blog)
    assert await ended(shop, asked) == ("Failed", "SourceOutOfReach")


async def test_refresh_on_a_schedule_is_carried_out_by_an_agent_and_told_in_status(pair: World) -> None:
    pair.machine.writing = False
    await pair.apply(staging(refresh={"schedule": "0 3 * * *"}))
    assert await pair.rest(STAGING) is None
    await pair.agent(600, STAGING, step_s=300)
    await pair.mark("of the day")
    await pair.agent(DAY_S, STAGING, step_s=300)
    assert [one for one in await kinds(pair) if one[0] is OperationType.REFRESH] == [
        (OperationType.REFRESH, "Succeeded")
    ] * 2
    assert marks(await pair.current(STAGING)) == ["first", "of the day"]
    last = (await pair.doc(STAGING)).status["lastRefresh"]
    assert (last["result"], last["source"], last["copied"] > 0) == ("Succeeded", "shop", True)


async def test_scheduled_refresh_that_fails_waits_for_the_next_time(pair: World) -> None:
    pair.machine.writing = False
    await pair.apply(staging(refresh={"schedule": "0 3 * * *"}))
    await pair.agent(600, STAGING, step_s=300)
    pair.machine.fail_next.append(("database-copy", SourceUnfit("the words")))
    await pair.agent(DAY_S, STAGING, step_s=300)
    assert [one for one in await kinds(pair) if one[0] is OperationType.REFRESH][1:] == [
        (OperationType.REFRESH, "Failed")
    ]
    last = (await pair.doc(STAGING)).status["lastRefresh"]
    assert (last["result"], last["message"]) == ("Failed", "the words")
    assert pair.running("web", STAGING) == 1
    await pair.agent(DAY_S, STAGING, step_s=300)
    assert (await kinds(pair))[-1] == (OperationType.REFRESH, "Succeeded")


async def test_copy_on_a_server_of_its_own_comes_from_the_sources_server(shop: World) -> None:
    await shop.mark("first")
    await shop.bring_up(staging(database={"managed": {}}))
    found = await shop.current(STAGING)
    assert (marks(found), found.neutral) == (["first"], True)
    assert len(shop.machine.servers()) == 2
    await shop.check_rest(STAGING)
    await shop.check_nothing_lost()


async def test_refresh_that_copies_no_files_goes_on_with_those_that_are_there(pair: World) -> None:
    pair.machine.writing = False
    asked = await pair.ask("Refresh", ref=STAGING, filestoreMethod="skip")
    assert await pair.rest(STAGING) is None
    assert await ended(pair, asked) == ("Succeeded", "")
    assert (await pair.doc(STAGING)).status["lastRefresh"].get("copied", 0) == 0
    assert "first" in marks(await pair.current(STAGING))
