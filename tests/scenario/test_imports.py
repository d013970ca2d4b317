# SPDX-License-Identifier: Apache-2.0
"""Archives that become an instance's data, and archives that do not."""

from __future__ import annotations

import pytest

from tests.scenario.world import World


async def test_import_is_a_neutral_copy_whose_cron_may_run(shop: World) -> None:
    await shop.ask("Restore", source={"url": "file:///srv/shop.zip"})
    assert await shop.rest() is None
    picture, found = await shop.picture(), await shop.current()
    assert (picture.phase, picture.web, picture.cron, picture.held) == ("Running", 1, 1, False)
    assert (found.neutral, found.alive) == (True, False)
    assert "mark:archived" in found.rows
    await shop.check_rest()


async def test_import_that_moves_here_is_the_real_one_and_holds_cron(shop: World) -> None:
    await shop.ask("Restore", source={"url": "file:///srv/shop.zip"}, mode="move")
    assert await shop.rest() is None
    picture, found = await shop.picture(), await shop.current()
    assert (picture.phase, picture.cron, picture.held, found.uuid) == ("Running", 0, True, "of the archive")
    await shop.check_rest()


async def test_rollback_of_an_import_brings_back_what_was(shop: World) -> None:
    await shop.mark("before")
    await shop.ask("Restore", source={"url": "file:///srv/shop.zip"})
    assert await shop.rest() is None
    await shop.ask("Rollback")
    assert await shop.rest() is None
    assert "* before" in (await shop.current()).rows
    await shop.check_rest()
    await shop.check_nothing_gone()


@pytest.mark.parametrize("name", ["older", "none"], ids=["another series", "no archive"])
async def test_archive_that_does_not_fit_changes_nothing(shop: World, name: str) -> None:
    await shop.mark("before")
    before = await shop.picture()
    asked = await shop.ask("Restore", source={"url": f"file:///srv/{name}.zip"})
    await shop.rest()
    doc = await shop.documents.get(asked)
    assert doc is not None
    assert doc.status["error"]["code"] in ("MOOR-572", "MOOR-570")
    assert await shop.picture() == before
    await shop.check_rest()
