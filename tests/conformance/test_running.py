# SPDX-License-Identifier: Apache-2.0
"""Promises of an instance that runs: it comes up, serves, follows its manifest, and is kept in shape."""

from __future__ import annotations

import pytest

from mooring.domain.instance.tasks import generated_secret
from tests.conformance.odoo_client import Odoo, Planted, eventually
from tests.conformance.world import Instance

pytestmark = pytest.mark.real


@pytest.fixture
def running(shop: Instance) -> Instance:
    """The shop as its manifest says, whatever a test before left."""
    return shop.apply()


@pytest.fixture(scope="module")
def planted(shop: Instance) -> Planted:
    """Rows and a file that every later step has to leave alone."""
    return shop.odoo.plant("running")


@pytest.mark.podman
def test_bring_up(shop: Instance) -> None:
    """From a manifest alone to a running Odoo with its database."""
    assert shop.phase == "Running"
    assert sorted(one.role for one in shop.processes()) == ["cron", "web"]
    assert shop.operations() == [("Provision", "Succeeded"), ("Init", "Succeeded")]
    assert shop.odoo.version() == "14.0.1.0.0"


def test_log_in(running: Instance) -> None:
    """The administrator logs in over HTTP with the chosen password, and with no other."""
    odoo = running.odoo
    assert odoo.get("/web/login")[0] == 200
    assert odoo.authenticate() == 2
    assert Odoo(odoo.url, odoo.database, "admin").authenticate() == 0


def test_keep_data(running: Instance, planted: Planted) -> None:
    """A partner and an attachment are stored; the attachment is a file on the instance's own volume."""
    running.odoo.check(planted)
    find = ("find", "/var/lib/odoo", "-type", "f", "-size", f"{len(planted.content)}c")
    _, files = running.world.place.run(running.ref, "web", find)
    assert files.count(f"/filestore/{running.database}/") == 1


def test_nothing_to_do_touches_nothing(running: Instance) -> None:
    """Applying the same manifest again leaves every process and every object as it is."""
    processes, objects = running.processes(), running.world.place.left(running.world.namespace)
    running.world.events.clear()
    running.apply()
    assert running.processes() == processes
    assert running.world.place.left(running.world.namespace) == objects
    assert [event.text for event in running.world.events if event.kind == "change"] == []


def test_change_configuration(running: Instance, planted: Planted) -> None:
    """A new value reaches the running process by one replacement of it."""
    before = running.processes("web")
    running.world.events.clear()
    changed = running.apply(configOptions={"limit_request": 4321})
    after = running.processes("web")
    assert "limit_request = 4321" in changed.conf("web")
    assert len(after) == len(before) == 1
    assert after != before
    said = [one.text for one in running.world.events]
    # A pass that a passing fault cut short says nothing of what it made.
    assert sum(text.startswith("create container") and "-web-" in text for text in said) <= 1, said
    changed.odoo.check(planted)


def test_rotate_secret(running: Instance, planted: Planted) -> None:
    """A new password of the database's role is set on the server and reaches the processes; the old one opens nothing."""
    secret = generated_secret(running.ref, "database")
    old = running.world.read_secret(secret, "password")
    before = running.processes()
    running.world.set_secret(secret.name, password="rotated-password-1")
    running.drive()
    assert not {one.id for one in before} & {one.id for one in running.processes()}
    assert "db_password = rotated-password-1" in running.conf("web")
    running.odoo.check(planted)
    assert "password authentication failed" in running.connect(old)
    assert "connected" in running.connect("rotated-password-1")
    settled = running.processes()
    running.drive()
    assert running.processes() == settled


def test_scale(running: Instance, planted: Planted) -> None:
    """A second web replica joins without touching the first, serves, and goes again."""
    first = running.processes("web")
    scaled = running.apply(replicas=2)
    both = running.processes("web")
    assert len(both) == 2
    assert set(first) < set(both)
    assert scaled.status["readyReplicas"] == 2
    scaled.odoo.check(planted)
    running.apply()
    assert running.processes("web") == first
    running.odoo.check(planted)


@pytest.mark.podman
@pytest.mark.parametrize("role", ["web", "cron"])
def test_repair_removed_replica(running: Instance, planted: Planted, role: str) -> None:
    """A process that somebody removed is made again; the others are left alone."""
    others = {one for one in running.processes() if one.role != role}
    running.world.place.remove_replica(running.ref, role)
    running.drive()
    assert len(running.processes(role)) == 1
    assert others < set(running.processes())
    running.odoo.check(planted)


@pytest.mark.podman
def test_repair_edited_configuration(running: Instance, planted: Planted) -> None:
    """A configuration file that somebody edited is put back, and the process runs with the right one."""
    running.world.place.edit_config(running.ref, "web", "list_db = True")
    running.drive()
    assert "list_db = True" not in running.conf("web")
    running.odoo.check(planted)


@pytest.mark.podman
def test_repair_detached_network(running: Instance, planted: Planted) -> None:
    """A process that somebody took off its network is reached again."""
    running.world.place.detach_network(running.ref, "web")
    running.drive()
    assert running.phase == "Running"
    eventually(running.odoo.answers, within_s=30, what="the login page")
    running.odoo.check(planted)


def test_stop_and_start(running: Instance, planted: Planted) -> None:
    """A stop ends every process and holds through another apply; a start brings them back with the data."""
    running.ask("Stop")
    assert running.phase == "Stopped"
    assert running.processes() == []
    running.apply()
    assert running.processes() == []
    running.ask("Start")
    assert running.phase == "Running"
    running.odoo.check(planted)


def test_restart(running: Instance, planted: Planted) -> None:
    """Every process is a new one, and the data is there."""
    before = running.processes()
    running.ask("Restart")
    after = running.processes()
    assert [one.role for one in after] != []
    assert len(after) == len(before)
    assert not set(after) & set(before)
    running.odoo.check(planted)


def test_server_down(running: Instance, planted: Planted) -> None:
    """While the database server is away the instance says so; it comes back with it."""
    place = running.world.place
    place.stop_replica(running.world.server, "database")
    assert running.one_pass().phase == "Degraded"
    running.drive()
    assert running.phase == "Running"
    running.odoo.check(planted)


def test_two_applies_at_once(running: Instance) -> None:
    """The second apply follows the first and ends with it; the work is done once."""
    manifest = running.with_spec(configOptions={"limit_request": 5432}).manifest
    before = len(running.processes())
    children = [running.world.start_child(running.job("apply", manifests=manifest)) for _ in range(2)]
    ended = [(child.communicate(timeout=200)[0], child.returncode) for child in children]
    assert [code for _, code in ended] == [0, 0], ended
    assert all("settled Running" in said for said, _ in ended)
    assert sum("following" in said for said, _ in ended) == 1, ended
    assert len(running.processes()) == before
    assert "limit_request = 5432" in running.conf("web")
