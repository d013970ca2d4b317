# SPDX-License-Identifier: Apache-2.0
"""Promises of a change of release: the new one runs with the data, or the old one does, with the data of before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mooring.control.errors import OperationFailed
from tests.conformance.conftest import make_copy
from tests.conformance.odoo_client import Planted
from tests.conformance.world import BAD, BASE, DIES, NEXT, Instance, World

pytestmark = pytest.mark.real
MIGRATED = "mooring_demo.migrated"


@pytest.fixture(scope="module")
def upgraded(world: World, shop: Instance, seed: str) -> Iterator[tuple[Instance, Planted]]:
    """An instance with data from before its upgrade."""
    before = make_copy(world, shop, seed, "good")
    planted = before.odoo.plant("before the upgrade")
    after = before.apply(image=NEXT)
    yield after, planted
    world.place.clean(after.ref.namespace, after.name)


def images(instance: Instance) -> set[str]:
    """What its processes were made from."""
    return {one.image for one in instance.processes()}


def test_upgrade(upgraded: tuple[Instance, Planted], shop: Instance) -> None:
    """A new release migrates the data, which is whole afterwards, and serves."""
    instance, planted = upgraded
    assert instance.phase == "Running"
    assert instance.operations("Upgrade") == [("Upgrade", "Succeeded")]
    assert instance.odoo.version() == "14.0.1.1.0"
    assert instance.odoo.parameter(MIGRATED) == "14.0.1.0.0 to 14.0.1.1.0"
    assert len(instance.processes()) == 2
    assert not images(instance) & images(shop)
    instance.odoo.check(planted)
    # Of all modules only the one whose files changed was updated; asked again, nothing is left to do, and nothing stops.
    assert instance.results("Upgrade", "hash-modules")[0]["update"] == ["mooring_demo"]
    processes = instance.processes()
    instance.ask("OdooUpgradeJob")
    assert instance.results("Upgrade", "hash-modules")[1]["touched"] == []
    assert len(instance.results("Upgrade", "verify")) == 1
    assert instance.processes() == processes


def test_rollback(upgraded: tuple[Instance, Planted]) -> None:
    """By a person's word release and data of before the upgrade come back, and stay."""
    instance, planted = upgraded
    later = instance.odoo.plant("after the upgrade")
    instance.ask("Rollback")
    odoo = instance.odoo
    assert (instance.phase, odoo.version(), odoo.parameter(MIGRATED)) == ("Running", "14.0.1.0.0", "")
    odoo.check(planted)
    assert odoo.lacks(later)
    instance.apply()
    assert instance.odoo.version() == "14.0.1.0.0"


@pytest.mark.podman
def test_upgrade_that_fails_returns(copy: Instance) -> None:
    """A migration that destroys data and fails leaves release and data as before, says why, and is not tried again."""
    instance = copy.apply()
    planted = instance.odoo.plant("before the bad upgrade")
    before = images(instance)
    with pytest.raises(OperationFailed) as failed:
        instance.apply(image=BAD)
    assert "this migration cannot succeed" in failed.value.details
    assert instance.phase == "UpgradeFailed"
    assert images(instance) == before
    assert instance.odoo.version() == "14.0.1.0.0"
    instance.odoo.check(planted)

    processes = instance.processes()
    with pytest.raises(OperationFailed):
        instance.apply(image=BAD)
    assert instance.processes() == processes
    assert instance.operations("Upgrade") == [("Upgrade", "Failed")]

    assert instance.apply(image=BASE).phase == "Running"
    assert instance.processes() == processes


@pytest.mark.full
def test_upgrade_is_tried_again_when_asked(copy: Instance) -> None:
    """A release that migrates well and cannot serve is found before users are let in; a person may ask again."""
    instance = copy.apply()
    planted = instance.odoo.plant("before the release that dies")
    with pytest.raises(OperationFailed) as failed:
        instance.apply(image=DIES)
    assert "this release cannot serve" in failed.value.details
    odoo = instance.odoo
    assert (instance.phase, odoo.version(), odoo.parameter(MIGRATED)) == ("UpgradeFailed", "14.0.1.0.0", "")
    odoo.check(planted)
    with pytest.raises(OperationFailed):
        instance.ask("OdooUpgradeJob")
    assert instance.operations("Upgrade")[-2:] == [("Upgrade", "Failed")] * 2
    assert instance.apply(image=NEXT).odoo.version() == "14.0.1.1.0"
    instance.odoo.check(planted)
