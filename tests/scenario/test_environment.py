# SPDX-License-Identifier: Apache-2.0
"""Staging from the first apply, what it may reach, and the only way to Production.

That no process runs on Staging's data before it is neutral, nor with an open network on data that is still a copy's,
`Machine.watch` says while it happens; here stands the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mooring.control.errors import FieldUnsupported, ImmutableField
from mooring.control.operations import request_cancel
from mooring.domain.model.desired import Destination
from mooring.domain.model.identity import child
from mooring.domain.odoo.errors import ConfigRefused
from mooring.domain.work.neutralize_errors import NotNeutral
from mooring.errors import MooringError
from tests.scenario.test_kills import DOWNTIMES_S, MOST_EFFECTS
from tests.scenario.test_lost_state import lose_and_adopt, processes
from tests.scenario.world import SHOP, World, instance


def staging(**spec: Any) -> dict[str, Any]:
    """A Staging instance that is a copy of nothing yet."""
    return instance(environment="Staging", **spec)


@pytest.fixture
async def copy(world: World) -> World:
    """A machine on which a Staging `shop` runs."""
    await world.bring_up(staging())
    return world


async def test_staging_is_neutral_and_shut_in_from_its_first_start(copy: World) -> None:
    assert (await copy.current()).neutral
    assert {role: copy.running(role) for role in ("web", "cron", "mail")} == {"web": 1, "cron": 1, "mail": 1}
    network = next(net for net in copy.sim.networks.values() if net.ref == SHOP)
    assert (network.policy.egress, network.policy.allow) == ("none", ())
    assert copy.sim.volume(SHOP, "mail").role == "mail"
    status = (await copy.doc()).status
    assert (status["environment"], status["resolved"]["environment"]) == ("Staging", "Staging")
    (init,) = [one for one in await copy.operations() if one.type.value == "Init"]
    steps = [record.step for record in init.log if record.state == "done"]
    at = steps.index("finish")
    assert steps[at + 1 : at + 4] == ["read-release", "neutralize", "verify-neutral"]


async def test_staging_that_is_not_neutral_after_its_init_never_starts(world: World) -> None:
    world.machine.fail_next += [("database-verify-neutral", NotNeutral("a mail server is alive"))] * 2
    with pytest.raises(MooringError, match="a mail server is alive"):
        await world.bring_up(staging())
    assert await world.phase() == "InitFailed"
    assert not world.sim.running(SHOP, "web")


async def test_init_of_staging_killed_at_any_effect_ends_neutral_and_running(world: World) -> None:
    for effect in range(0, MOST_EFFECTS, 3):
        one = world.fork()

        async def act(one: World = one) -> None:
            await one.apply(staging())
            await one.drive()

        if not await one.killed(act, before=effect):
            break
        one.clock.advance(DOWNTIMES_S[effect % len(DOWNTIMES_S)])
        if await one.documents.get(SHOP) is None:
            continue
        assert await one.rest() is None, f"killed before effect {effect}"
        await one.check_rest()
        assert (await one.current()).neutral
        assert (await one.picture()).phase == "Running"
    else:
        raise AssertionError("it never ends")


async def test_way_out_is_opened_and_shut_by_the_spec(copy: World) -> None:
    await copy.apply(staging(neutralize={"allowEgress": ["api.example.com:443"]}))
    await copy.drive()
    network = copy.sim.networks[child(SHOP, "network")]
    assert network.policy.allow == (Destination("api.example.com", 443),)
    await copy.apply(staging())
    await copy.drive()
    assert copy.sim.networks[child(SHOP, "network")].policy.allow == ()


async def _promoted(world: World) -> None:
    ledger, found = await world.ledger(), await world.current()
    assert (ledger.environment, found.neutral, ledger.previous) == ("Production", False, None)
    assert {role: world.running(role) for role in ("web", "cron", "mail")} == {"web": 1, "cron": 1, "mail": 0}
    assert world.sim.networks[child(SHOP, "network")].policy.egress == "open"


async def test_promotion_makes_production_and_says_what_stays_off(copy: World) -> None:
    await copy.passes(3)  # users write
    ref = await copy.ask("Promote")
    await copy.drive()
    await _promoted(copy)
    await copy.check_nothing_lost()
    (record,) = [one for one in await copy.operations() if one.doc.ref == ref]
    result = next(one.result for one in record.log if one.step == "promote-database" and one.state == "done")
    assert result["off"] == [{"what": "scheduled actions", "table": "ir_cron", "rows": 7}]
    assert (await copy.doc()).status["warnings"][0].startswith("Promoted, while its manifest still says Staging")


async def test_promoted_instance_takes_its_old_manifest_and_the_new_word(copy: World) -> None:
    await copy.ask("Promote")
    await copy.drive()
    await copy.apply(staging(replicas=2))  # what said Staging before may go on doing so
    await copy.drive()
    assert (await copy.ledger()).environment == "Production"
    await copy.apply(instance(environment="Production"))
    await copy.drive()
    assert "warnings" not in (await copy.doc()).status
    with pytest.raises(ImmutableField, match="only `mooring promote`"):
        await copy.apply(staging())


async def test_environment_changes_by_no_manifest(copy: World, tmp_path: Path) -> None:
    with pytest.raises(ImmutableField, match=r"spec\.environment is Staging"):
        await copy.apply(instance(environment="Production"))
    await copy.apply(instance())  # what is left out says nothing
    await copy.drive()
    assert (await copy.ledger()).environment == "Staging"
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    await other.bring_up()
    for given, words in (
        (staging(), "spec.environment is Production"),
        (instance(stagingOf={"name": "live"}), "spec.stagingOf: it is a Production instance"),
    ):
        with pytest.raises(ImmutableField, match=words):
            await other.apply(given)


async def test_retained_staging_data_comes_back_as_staging_only(copy: World) -> None:
    await copy.delete()
    await copy.drive()
    with pytest.raises(ImmutableField, match=r"data was retained: spec\.environment is Staging"):
        await copy.apply(instance(environment="Production"))
    await copy.apply(instance())
    await copy.drive()
    assert (await copy.ledger()).environment == "Staging"
    assert (await copy.current()).neutral


@pytest.mark.parametrize("promoted", [False, True], ids=["staging", "promoted"])
async def test_environment_outlives_the_state_directory(copy: World, *, promoted: bool) -> None:
    if promoted:
        await copy.ask("Promote")
        await copy.drive()
    before = processes(copy)
    assert all(one.recorded for one in await lose_and_adopt(copy))
    await copy.drive()
    assert (await copy.ledger()).environment == ("Production" if promoted else "Staging")
    assert processes(copy) == before


@pytest.mark.parametrize(
    ("word", "value"),
    [("smtp_server", "mx.example.com"), ("max_cron_threads", 2), ("server_wide_modules", "base,web,x")],
)
async def test_option_that_would_let_something_out_is_refused_before_anything_is_made(
    world: World, word: str, value: str | int
) -> None:
    with pytest.raises(ConfigRefused) as caught:
        await world.apply(staging(configOptions={word: value}))
    assert word in caught.value.details
    assert not world.sim.containers


async def test_promotion_that_is_cancelled_once_the_data_forgot_goes_on(copy: World) -> None:
    for effect in range(MOST_EFFECTS):
        world = copy.fork()

        async def act(world: World = world) -> None:
            await world.ask("Promote")
            await world.drive()

        assert await world.killed(act, before=effect), "it never was between the two"
        asked = [one for one in await world.operations() if one.type.value == "Promote"]
        last = [record for one in asked for record in one.log][-1:]
        if [(record.step, record.state) for record in last] == [("promote-database", "done")]:
            await request_cancel(world.life(), asked[0])
            await world.rest()
            await _promoted(world)
            return


async def test_promotion_of_production_is_refused(shop: World) -> None:
    ref = await shop.ask("Promote")
    await shop.drive()
    (record,) = [one for one in await shop.operations() if one.doc.ref == ref]
    assert (record.phase, record.doc.status["error"]["reason"]) == ("Failed", "NotStaging")


async def test_network_or_address_is_no_way_out_that_can_be_opened(world: World) -> None:
    with pytest.raises(FieldUnsupported) as caught:
        await world.apply(staging(neutralize={"allowEgress": ["10.0.0.0/8", "192.0.2.1", "a.example.com:25"]}))
    assert "10.0.0.0/8 is a network" in caught.value.details
    assert "192.0.2.1 is an address" in caught.value.details
    assert "a.example.com" not in caught.value.details


def _every(parts: int) -> list[Any]:
    return [
        pytest.param(part, id=f"part{part}", marks=() if part == 0 else (pytest.mark.full,)) for part in range(parts)
    ]


@pytest.mark.parametrize("part", _every(2))
@pytest.mark.parametrize("reboot", [False, True], ids=["killed", "rebooted"])
async def test_promotion_killed_at_any_effect_ends_promoted_or_as_before(
    copy: World, part: int, *, reboot: bool
) -> None:
    before = await copy.picture()
    ended = 0
    for effect in range(part, MOST_EFFECTS, 2):
        world = copy.fork()

        async def act(world: World = world) -> None:
            await world.ask("Promote")
            await world.drive()

        if not await world.killed(act, before=effect):
            break
        if reboot:
            world.sim.reboot()
        world.clock.advance(DOWNTIMES_S[effect % len(DOWNTIMES_S)])
        assert await world.rest() is None, f"killed before effect {effect}"
        await world.check_rest()
        await world.check_nothing_lost()
        if (await world.ledger()).environment == "Staging":
            assert await world.picture() == before
            assert (await world.current()).neutral
        else:
            await _promoted(world)
            ended += 1
    else:
        raise AssertionError("it never ends")
    assert ended >= 5
