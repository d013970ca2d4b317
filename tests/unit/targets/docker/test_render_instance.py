# SPDX-License-Identifier: Apache-2.0
"""From an instance's record to its files: what must be known, and that only written files hold secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mooring.control.describe import NotApplied, describe_instance
from mooring.drivers.documents import Document
from mooring.targets.docker.files import Rendering, render_files
from mooring.targets.docker.rendering import PortUnknown
from tests.scenario.world import DEFAULT_SERVER, SHOP, World, instance
from tests.unit.targets.docker.stacks import OPTIONS


async def brought_up(folder: Path) -> tuple[World, Document]:
    world = World(folder)
    await world.bring_up()
    doc = await world.documents.get(SHOP)
    assert doc is not None
    return world, doc


async def rendered(world: World, doc: Document, *, secrets: bool = False) -> Rendering:
    services = world.life()
    found = await describe_instance(services, doc)
    return await render_files(
        found.instance,
        found.server,
        OPTIONS,
        ports=found.ports,
        form="compose",
        secrets=services.secrets if secrets else None,
        notes=found.notes,
    )


def values(world: World) -> list[str]:
    return [one.reveal() for keys in world.secrets.values.values() for key, one in keys.items() if "password" in key]


async def test_printed_rendering_holds_no_secret(tmp_path: Path) -> None:
    world, doc = await brought_up(tmp_path)
    found = await rendered(world, doc)
    text = "".join(one.content.decode() for one in found.files)
    assert found.holes
    assert "db_password = <secret shop-database/password>" in text
    assert values(world)
    assert not any(value in text for value in values(world))


async def test_written_rendering_holds_secrets_in_private_files_only(tmp_path: Path) -> None:
    world, doc = await brought_up(tmp_path)
    found = await rendered(world, doc, secrets=True)
    assert not found.holes
    holders = [one for one in found.files if any(value in one.content.decode() for value in values(world))]
    assert {one.path for one in holders} == {
        "files/web/etc/mooring/odoo.conf",
        "files/cron/etc/mooring/odoo.conf",
        "files/database/etc/mooring/superuser-password",
    }
    assert {one.mode for one in holders} == {0o600}
    assert None not in {one.uid for one in holders}


async def test_rendering_changes_nothing(tmp_path: Path) -> None:
    world, doc = await brought_up(tmp_path)
    before = [await world.documents.get(one) for one in (SHOP, DEFAULT_SERVER)]
    await rendered(world, doc, secrets=True)
    assert [await world.documents.get(one) for one in (SHOP, DEFAULT_SERVER)] == before


async def test_instance_that_was_never_applied_is_refused(tmp_path: Path) -> None:
    world, doc = await brought_up(tmp_path)
    fresh = replace(doc, ref=replace(doc.ref, name="fresh"), status={})
    with pytest.raises(NotApplied, match="Nobody has asked yet what the image of OdooInstance fresh is"):
        await rendered(world, fresh)


async def test_manifest_with_another_image_says_which_one_is_written(tmp_path: Path) -> None:
    world, doc = await brought_up(tmp_path)
    found = await rendered(world, replace(doc, spec={**doc.spec, "image": "odoo:15.0"}))
    assert [note for note in found.notes if "odoo:15.0" in note and "odoo:14.0" in note]


async def test_stopped_instance_is_rendered_as_it_would_run(tmp_path: Path) -> None:
    world, doc = await brought_up(tmp_path)
    await world.apply(instance(replicas=0))
    await world.drive()
    found = await rendered(world, doc)
    assert [one.name for one in found.stack.services][:2] == ["web", "cron"]


async def test_port_on_record_serves_where_none_is_seen(tmp_path: Path) -> None:
    world, doc = await brought_up(tmp_path)
    world.sim.endpoints.clear()
    doc = await with_url(world, doc, "http://127.0.0.1:18077")
    gateway = next(one for one in (await rendered(world, doc)).stack.services if one.name == "gateway")
    assert [one.port for one in gateway.box.publish] == [18077]


async def test_port_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    world, doc = await brought_up(tmp_path)
    world.sim.endpoints.clear()
    with pytest.raises(PortUnknown):
        await rendered(world, await with_url(world, doc, None))


async def with_url(world: World, doc: Document, url: str | None) -> Document:
    changed = replace(doc, status={**doc.status, "url": url})
    return await world.documents.put_status(changed, if_version=doc.version)
