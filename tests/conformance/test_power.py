# SPDX-License-Identifier: Apache-2.0
"""Promises through the failure of the engine, the machine and the disk, on an engine that the tests may break."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest

from mooring.control.errors import OperationFailed
from mooring.errors import MooringError
from tests.conformance.conftest import open_private
from tests.conformance.moments import MIGRATING
from tests.conformance.odoo_client import Planted, eventually
from tests.conformance.places import NO_MACHINE, Place, Private, free_port
from tests.conformance.world import DIES, NEXT, Instance, World

pytestmark = pytest.mark.real
# Long enough for an engine's restart policy to have brought back what it would.
SETTLE_S = 8.0


@pytest.fixture(scope="module")
def machine(place: Place) -> Iterator[Private]:
    """An engine of these tests' own."""
    with open_private(place) as found:
        yield found


@pytest.fixture
def needs_machine(place: Place) -> None:
    """Power and disks that a test may take away."""
    if place.name == "podman":
        pytest.skip(NO_MACHINE)


@pytest.fixture(scope="module")
def breakable(machine: Private, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance on it."""
    world = World(machine, tmp_path_factory.mktemp("private") / "state", f"conf-{secrets.token_hex(3)}")
    try:
        # Free here too, where it is forwarded to: the private engine's network is another one.
        yield world.instance("shop", service={"port": free_port()}).apply()
    finally:
        machine.clean(world.namespace)


@pytest.fixture(scope="module")
def planted(breakable: Instance) -> Planted:
    """Its data."""
    return breakable.odoo.plant("before the failure")


@pytest.mark.podman
def test_engine_restart_while_running(breakable: Instance, machine: Private, planted: Planted) -> None:
    """After the engine came back the instance serves, by itself or by the next run, with its data."""
    machine.restart_engine()
    breakable.drive()
    assert breakable.phase == "Running"
    breakable.odoo.check(planted)


@pytest.mark.usefixtures("needs_machine")
def test_reboot_while_running(breakable: Instance, machine: Private, planted: Planted) -> None:
    """After a power cut the instance comes back by itself."""
    odoo = breakable.odoo
    machine.reboot()
    odoo = breakable.odoo
    eventually(odoo.answers, within_s=90, what="the login page")
    odoo.check(planted)
    breakable.drive()
    assert breakable.phase == "Running"


def held_through(instance: Instance, machine: Private, failure: str) -> None:
    """The controller dies while the data migrates, then the engine or the machine: no process of users comes back."""
    instance.accept()
    instance.killed("Upgrade", MIGRATING)
    assert instance.processes() == []
    getattr(machine, failure)()
    time.sleep(SETTLE_S)
    assert instance.processes() == []


@pytest.mark.full
def test_engine_restart_during_upgrade(breakable: Instance, machine: Private, planted: Planted) -> None:
    """Nothing serves or writes until the upgrade goes on; then it ends well."""
    changed = breakable.with_spec(image=NEXT)
    held_through(changed, machine, "restart_engine")
    changed.drive()
    assert changed.odoo.version() == "14.0.1.1.0"
    changed.odoo.check(planted)


@pytest.mark.usefixtures("needs_machine")
def test_reboot_during_upgrade(breakable: Instance, machine: Private, planted: Planted) -> None:
    """The same through a power cut, with a release that cannot serve: what ran before runs, with its data."""
    before = breakable.apply(image=NEXT)
    # The files of its modules are those of the release before: by itself it would migrate nothing.
    changed = before.with_spec(image=DIES, autoUpgrade={"modules": "all"})
    held_through(changed, machine, "reboot")
    with pytest.raises(OperationFailed):
        changed.drive()
    assert changed.phase == "UpgradeFailed"
    odoo = changed.odoo
    eventually(odoo.answers, within_s=90, what="the login page")
    assert odoo.version() == "14.0.1.1.0"
    odoo.check(planted)


@pytest.mark.full
@pytest.mark.usefixtures("needs_machine")
def test_disk_full(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A full disk is said in so many words; nothing is lost, and it goes on when there is room."""
    with open_private(place, disk="8G") as machine:
        world = World(machine, tmp_path_factory.mktemp("full") / "state", f"conf-{secrets.token_hex(3)}")
        instance = world.instance("shop", service={"port": free_port()}).apply()
        planted = instance.odoo.plant("before the disk was full")
        machine.fill()
        with pytest.raises(MooringError) as failed:
            instance.apply(image=NEXT)
        said = f"{failed.value.brief} {failed.value.details}".lower()
        assert "space" in said or "full" in said, said
        machine.free()
        upgraded = instance.apply(image=NEXT, configOptions={"limit_request": 4321})
        assert upgraded.odoo.version() == "14.0.1.1.0"
        upgraded.odoo.check(planted)
