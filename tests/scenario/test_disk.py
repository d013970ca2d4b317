# SPDX-License-Identifier: Apache-2.0
"""A disk that is nearly full is said before it hurts: by plan, by apply each time, and in status."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mooring.api.loader import load_documents
from mooring.cli.applying import apply_manifests
from mooring.cli.context import App
from mooring.cli.options import Options
from mooring.cli.progress import PlainProgress
from mooring.control.events import Listener
from mooring.control.plan import plan_manifests
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.domain.model.observed import Observed
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.settings import Settings
from mooring.drivers.state import StateDir
from mooring.targets.base import Target
from tests.scenario.world import World, instance
from tests.support.sim_target import SimTarget

LOW = "Less than 1.6 GiB are free where the data is; Odoo loses attachments on a full disk."
SMALL = {"storageSize": "1Gi"}


class WorldApp(App):
    """The program's parts over a simulated world."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.said = io.StringIO()
        state = StateDir.open(folder)

        async def make(app: App) -> Target:
            raise AssertionError(app)

        super().__init__(
            options=Options(output="table"),
            state=state,
            settings=Settings(),
            documents=world.documents,
            secrets=SecretFiles(state.secrets),
            clock=world.clock,
            progress=PlainProgress(self.said),
            make_target=make,
        )

    async def services(self, *, listener: Listener | None = None) -> Services:
        return replace(self.world.life(), listener=listener or self.progress)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What the target says is free; the last one holds."""
    values: list[int | None] = [None]
    observe = SimTarget.observe

    async def with_free(self: SimTarget, ref: Ref, *, live: bool = False) -> Observed:
        return replace(await observe(self, ref, live=live), free_bytes=values[-1])

    monkeypatch.setattr(SimTarget, "observe", with_free)
    return values


async def applied(world: World, folder: Path, manifest: Mapping[str, Any]) -> str:
    """What `mooring apply` says."""
    app = WorldApp(world, folder)
    await apply_manifests(app, load_documents(json.dumps(manifest).encode(), source="test"), wait=True)
    return app.said.getvalue()


async def notes(world: World, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    (plan,) = await plan_manifests(world.life(), load_documents(json.dumps(manifest).encode(), source="test"))
    return plan.notes


async def test_disk_nearly_full_is_said_by_plan_by_each_apply_and_in_status(
    world: World, free: list[int | None], tmp_path: Path
) -> None:
    manifest = instance(filestore=SMALL)
    assert LOW not in await applied(world, tmp_path / "home", manifest)
    assert LOW not in await notes(world, manifest)

    free.append(3 << 29)

    assert LOW in await notes(world, manifest)
    assert (await applied(world, tmp_path / "home", manifest)).count(f"warning: {LOW}") == 1
    assert (await world.doc()).status["warnings"] == [LOW]
    assert (await applied(world, tmp_path / "home", manifest)).count(f"warning: {LOW}") == 1

    free.append(2 << 30)
    assert "are free" not in await applied(world, tmp_path / "home", manifest)
    assert "warnings" not in (await world.doc()).status


async def test_disk_nearly_full_is_said_by_the_first_apply(
    world: World, free: list[int | None], tmp_path: Path
) -> None:
    free.append(3 << 29)
    manifest = instance(filestore=SMALL)

    assert LOW in await notes(world, manifest)
    assert (await applied(world, tmp_path / "home", manifest)).count(f"warning: {LOW}") == 1
