# SPDX-License-Identifier: Apache-2.0
"""Templates over a simulated machine: made beside everything, used by new instances, never needed, killed at every effect."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mooring.control.drive import drive
from mooring.control.template_stock import prune_templates
from mooring.control.templates import build_template, keep_templates, sweep_places
from mooring.domain.model.identity import Ref
from mooring.domain.templates.tasks import KIND, Prune
from mooring.domain.work.errors import FilestoreFailed, ServerUnreachable
from mooring.domain.work.template_errors import TemplateRefused, TemplateTaskFailed
from mooring.domain.work.templates import template_database
from mooring.errors import MooringError
from tests.scenario.data import Database
from tests.scenario.world import DEFAULT_SERVER, SHOP, World, instance, manifest

NEW = Ref("OdooInstance", "default", "new")
MOST_EFFECTS = 300
DOWNTIMES_S = (0.0, 0.3, 90.0)


async def build(world: World, ref: Ref = SHOP) -> str:
    """`mooring template build`; the template's id."""
    template, _ = await build_template(world.life(), ref, timeout_s=3600)
    return template


def stock(world: World) -> dict[str, Database]:
    """The whole templates of the machine."""
    found = [item for server in world.machine.servers() for item in server.databases.items()]
    return {one.mark.instance: one for _, one in found if one.mark is not None and one.mark.role == "template"}


def check_no_place(world: World) -> None:
    """Nothing of a template's making is left."""
    world.sim.settle()
    assert not [name for name, one in world.sim.volumes.items() if one.ref.kind == KIND]
    assert not [name for name, one in world.sim.networks.items() if one.ref.kind == KIND]
    assert not [name for name, one in world.sim.tasks.items() if one.spec.place.kind == KIND]
    assert not [ref for ref in world.secrets.values if ref.name.startswith("template-")]


def installs(world: World) -> int:
    """How often Odoo installed modules."""
    return sum(any(word.startswith("--init=") for word in argv) for argv in world.machine.odoo_runs)


@pytest.fixture
async def stocked(shop: World) -> World:
    """A machine whose server has a template of what `shop` was made from."""
    await build(shop)
    return shop


async def test_new_instance_with_a_template_runs_without_an_installation(stocked: World) -> None:
    assert len(stock(stocked)) == 1
    check_no_place(stocked)
    before = installs(stocked)
    await stocked.bring_up(instance("new"))
    assert installs(stocked) == before
    await stocked.check_rest(NEW)
    found = await stocked.current(NEW)
    assert found.finished
    assert found.packed is None
    assert stocked.machine.files(NEW).current[:1] == ["logo"]  # type: ignore[index]
    roles = [one.mark.role for one in stocked.machine.databases((await stocked.doc(NEW)).id).values() if one.mark]
    assert roles == ["current"]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"init": {"modules": ["sale"]}}, id="modules"),
        pytest.param({"init": {"demo": True}}, id="demo"),
        pytest.param({"init": {"language": "fr_FR"}}, id="language"),
        pytest.param({"init": {"country": "FR"}}, id="country"),
        pytest.param({"image": "odoo:14.0-next"}, id="release"),
        pytest.param({"configOptions": {"unaccent": True}}, id="an option that matters"),
        pytest.param({"init": {"template": "never"}}, id="never"),
    ],
)
async def test_new_instance_of_another_recipe_is_installed(stocked: World, spec: dict[str, Any]) -> None:
    before = installs(stocked)
    await stocked.bring_up(instance("new", **spec))
    assert installs(stocked) == before + 1
    assert await stocked.phase(NEW) == "Running"


async def test_template_that_is_gone_leaves_the_installation_to_odoo(stocked: World) -> None:
    for server in stocked.machine.servers():
        for template in stock(stocked):
            server.databases.pop(template_database(template), None)
    before = installs(stocked)
    await stocked.bring_up(instance("new"))
    assert installs(stocked) == before + 1
    await stocked.check_rest(NEW)


async def test_copy_that_cannot_be_finished_is_taken_back_and_the_next_try_succeeds(stocked: World) -> None:
    stocked.machine.fail_next += [("database-finish-init", FilestoreFailed("the volume is full"))]
    await stocked.apply(instance("new"))
    with pytest.raises(MooringError, match="the volume is full"):
        await stocked.drive(NEW)
    assert not (await stocked.current(NEW)).modules
    assert not (await stocked.ledger(NEW)).initialized
    await stocked.apply(instance("new", init={"country": "FR"}))
    await stocked.drive(NEW)
    await stocked.check_rest(NEW)


async def test_copy_that_fails_once_is_tried_again(stocked: World) -> None:
    stocked.machine.fail_next.append(("database-from-template", ServerUnreachable("nobody answers")))
    before = installs(stocked)
    await stocked.bring_up(instance("new"))
    assert installs(stocked) == before


@pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.full), pytest.param(2, marks=pytest.mark.full)])
@pytest.mark.parametrize("reboot", [False, True], ids=["killed", "rebooted"])
async def test_bring_up_from_a_template_killed_at_any_effect_ends_running(
    stocked: World, part: int, *, reboot: bool
) -> None:
    ended = 0
    for effect in range(part, MOST_EFFECTS, 3):
        one = stocked.fork()

        async def act(one: World = one) -> None:
            await one.apply(instance("new"))
            await one.drive(NEW)

        if not await one.killed(act, before=effect):
            break
        if reboot:
            one.sim.reboot()
        one.clock.advance(DOWNTIMES_S[effect % len(DOWNTIMES_S)])
        if await one.documents.get(NEW) is None:
            continue
        try:
            await drive(one.life(), NEW, command="test", timeout_s=3600)
            await one.check_rest(NEW)
        except (AssertionError, MooringError) as error:
            raise AssertionError(f"killed before effect {effect}: {error}") from error
        found = await one.current(NEW)
        assert found.finished
        assert found.packed is None
        assert await one.phase(NEW) == "Running"
        assert len(stock(one)) == 1
        ended += 1
    else:
        raise AssertionError("it never ends")
    assert ended >= 10


@pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.full), pytest.param(2, marks=pytest.mark.full)])
@pytest.mark.parametrize("again", ["built again", "pruned"])
async def test_template_whose_making_is_killed_at_any_effect_leaves_nothing_half(
    shop: World, part: int, again: str
) -> None:
    ended = 0
    for effect in range(part, MOST_EFFECTS, 3):
        world = shop.fork()

        async def act(world: World = world) -> None:
            await build(world)

        if not await world.killed(act, before=effect):
            break
        world.clock.advance(DOWNTIMES_S[effect % len(DOWNTIMES_S)])
        try:
            assert all(one.whole and one.packed for one in stock(world).values())
            if again == "pruned":
                world.clock.advance(timedelta(days=2).total_seconds())
                await sweep_places(world.life(), DEFAULT_SERVER)
                await prune_templates(world.life(), DEFAULT_SERVER, Prune(keep=0))
                assert not stock(world)
                left = {name for one in world.machine.servers() for name in (*one.databases, *one.roles)}
                assert not [name for name in left if "template" in name]
            else:
                await build(world)
                assert len(stock(world)) == 1
            check_no_place(world)
            await world.check_rest()
        except (AssertionError, MooringError) as error:
            raise AssertionError(f"killed before effect {effect}: {error}") from error
        ended += 1
    else:
        raise AssertionError("it never ends")
    assert ended >= 5


async def test_template_that_odoo_cannot_install_is_not_there(shop: World) -> None:
    await shop.bring_up(instance("new", image="odoo:14.0-next"))
    shop.machine.fail_next.append(("init", ServerUnreachable("nobody answers")))
    with pytest.raises(TemplateTaskFailed, match="nobody answers"):
        await build(shop)
    assert not stock(shop)
    check_no_place(shop)
    assert await shop.phase() == "Running"


async def test_template_that_is_there_is_kept(stocked: World) -> None:
    before = installs(stocked)
    assert (await build_template(stocked.life(), SHOP, timeout_s=3600))[1] is False
    assert installs(stocked) == before


@pytest.mark.parametrize(
    ("given", "word"),
    [
        pytest.param([instance(init={"template": "never"})], "never", id="never"),
        pytest.param(
            [manifest("DatabaseServer", "default", default=True, managed={}, templates={"max": 0})], "max", id="0"
        ),
    ],
)
async def test_template_that_nobody_wants_is_refused(shop: World, given: list[dict[str, Any]], word: str) -> None:
    await shop.apply(*given)
    with pytest.raises(TemplateRefused, match=word):
        await build(shop)


async def test_agent_makes_what_the_server_asks_for_and_drops_what_nobody_used(shop: World) -> None:
    asked: dict[str, Any] = {"default": True, "managed": {}}
    await keep_templates(shop.life(), DEFAULT_SERVER, timeout_s=3600)
    assert not stock(shop)
    await shop.apply(
        manifest("DatabaseServer", "default", **asked, templates={"build": True, "max": 1, "maxAge": "7d"})
    )
    await keep_templates(shop.life(), DEFAULT_SERVER, timeout_s=3600)
    first = set(stock(shop))
    assert len(first) == 1
    await shop.bring_up(instance("new", init={"language": "fr_FR"}))
    await keep_templates(shop.life(), DEFAULT_SERVER, timeout_s=3600)
    assert set(stock(shop)) == first, "no more than it may keep"
    await shop.apply(manifest("DatabaseServer", "default", **asked, templates={"maxAge": "7d"}))
    shop.clock.advance(timedelta(days=8).total_seconds())
    await keep_templates(shop.life(), DEFAULT_SERVER, timeout_s=3600)
    assert not stock(shop)
    assert (await shop.doc(DEFAULT_SERVER)).status["templates"] == []


async def test_use_of_a_template_keeps_it_young(stocked: World, tmp_path: Path) -> None:
    del tmp_path
    (before,) = stock(stocked).values()
    used = replace(before.mark).at if before.mark else ""
    stocked.clock.advance(3600)
    await stocked.bring_up(instance("new"))
    (after,) = stock(stocked).values()
    assert after.mark is not None
    assert (after.mark.at or "") > (used or "")
