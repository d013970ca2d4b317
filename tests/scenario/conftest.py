# SPDX-License-Identifier: Apache-2.0
"""A running instance costs half a second: it is brought up once, and every test ruins a copy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.scenario.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Nothing but a machine."""
    return World(tmp_path)


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("shop"))
    asyncio.run(world.bring_up())
    return world


@pytest.fixture
def shop(_running: World, tmp_path: Path) -> World:
    """A machine on which the instance `shop` runs."""
    return _running.fork(tmp_path)
