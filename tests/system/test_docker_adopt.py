# SPDX-License-Identifier: Apache-2.0
"""The state directory is lost on a real engine, with a real Odoo: `mooring adopt` goes on, and nothing is restarted."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mooring.drivers.state import StateDir
from tests.conformance.places import PLACES
from tests.conformance.world import Instance, World

pytestmark = pytest.mark.real


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A place of its own on the engine."""
    place = PLACES["docker"]()
    if isinstance(place, str):
        pytest.skip(place)
    world = World(place, tmp_path / "state", f"adopt-{secrets.token_hex(3)}")
    try:
        yield world
    finally:
        place.clean(world.namespace)


def lose(world: World) -> str:
    """The whole state directory; the id of the installation that it was."""
    installation = StateDir.open(world.home).installation
    shutil.rmtree(world.home)
    return installation


def adopt(world: World, installation: str) -> dict[str, Any]:
    """`mooring adopt` with an empty state directory; its items by kind."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("mooring")),
            "adopt",
            "--installation",
            installation,
            "--yes",
            "-o",
            "json",
        ],
        env={**os.environ, "MOORING_HOME": str(world.home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return {one["kind"]: one for one in json.loads(done.stdout)["items"]}


def settle(shop: Instance) -> None:
    """Until nothing changes by waiting."""
    # The manifest's own secret was in the state directory: a person sets it again.
    shop.world.instance(shop.name)
    shop.drive()


def test_adopted_instance_is_not_restarted_and_a_stopped_one_needs_no_manifest(world: World) -> None:
    shop = world.instance("shop").apply()
    planted = shop.odoo.plant("before the loss")
    before = shop.processes("web", "cron")
    server = world.place.processes(world.server, "database")

    found = adopt(world, lose(world))
    assert all(one["recorded"] and not one["lost"] for one in found.values())
    settle(shop)

    assert shop.phase == "Running"
    assert shop.processes("web", "cron") == before
    assert world.place.processes(world.server, "database") == server
    assert shop.operations() == []
    shop.odoo.check(planted)

    shop.ask("Stop")
    found = adopt(world, lose(world))
    assert found["OdooInstance"]["workloads"] == []
    assert found["OdooInstance"]["recorded"]
    settle(shop)
    assert shop.phase == "Stopped"
    shop.ask("Start")
    assert shop.phase == "Running"
    shop.odoo.check(planted)
