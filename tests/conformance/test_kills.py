# SPDX-License-Identifier: Apache-2.0
"""Promises of a controller that is killed: run again, the instance ends as it was wanted or as it was, never between.

`make test` kills each operation once, at a moment that chance picks; `make test-full` at every moment in turn. On the
simulated target every moment is tried each time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.conformance.conftest import make_copy
from tests.conformance.moments import ANY, COPYING, every_moment, moment
from tests.conformance.world import BASE, NEXT, Instance, World

pytestmark = pytest.mark.real
BEFORE, AFTER = ("14.0.1.0.0", ""), ("14.0.1.1.0", "14.0.1.0.0 to 14.0.1.1.0")


@pytest.fixture
def fresh(request: pytest.FixtureRequest, world: World, at: int) -> Iterator[Instance]:
    """The file's instance for the kill that chance picks; for each moment of the full run one of its own."""
    if at == ANY:
        copy: Instance = request.getfixturevalue("copy")
        yield copy
        return
    name = f"cut-{request.function.__name__.rpartition('_')[2]}-{at}"
    instance = make_copy(world, request.getfixturevalue("shop"), request.getfixturevalue("seed"), name)
    try:
        yield instance
        if instance.document is not None:
            instance.delete(purge=True)
    finally:
        world.place.clean(instance.ref.namespace, instance.name)


def state(instance: Instance) -> tuple[str, str]:
    """The version of the module that upgrades, and what its migration noted."""
    odoo = instance.odoo
    return odoo.version(), odoo.parameter("mooring_demo.migrated")


@every_moment("Init")
def test_kill_during_init(world: World, chance: random.Random, at: int) -> None:
    """An init that was cut is finished by the next run."""
    instance = world.instance("cut-init" if at == ANY else f"cut-init-{at}")
    instance.accept()
    instance.killed("Init", moment(chance, "Init", at))
    instance.drive()
    assert instance.phase == "Running"
    assert instance.operations("Init") == [("Init", "Succeeded")]
    assert instance.odoo.authenticate() == 2
    instance.delete(purge=True)


@every_moment("Stop")
def test_kill_during_stop(fresh: Instance, chance: random.Random, at: int) -> None:
    """A stop that was cut is finished by the next run."""
    instance = fresh.apply()
    planted = instance.odoo.plant("before the stop")
    instance.request("Stop")
    instance.killed("Stop", moment(chance, "Stop", at))
    instance.drive()
    assert instance.phase == "Stopped"
    assert instance.processes() == []
    instance.ask("Start")
    instance.odoo.check(planted)


@every_moment("Start")
def test_kill_during_start(fresh: Instance, chance: random.Random, at: int) -> None:
    """A start that was cut is finished by the next run, with the data."""
    instance = fresh.apply()
    planted = instance.odoo.plant("before the start")
    instance.ask("Stop")
    instance.request("Start")
    instance.killed("Start", moment(chance, "Start", at))
    instance.drive()
    assert instance.phase == "Running"
    assert len(instance.processes()) == 2
    instance.odoo.check(planted)


@every_moment("Restart")
def test_kill_during_restart(fresh: Instance, chance: random.Random, at: int) -> None:
    """A restart that was cut is finished by the next run: every process is a new one, and the data is there."""
    instance = fresh.apply()
    planted = instance.odoo.plant("before the restart")
    before = instance.processes()
    instance.request("Restart")
    instance.killed("Restart", moment(chance, "Restart", at))
    instance.drive()
    assert instance.phase == "Running"
    assert instance.operations("Restart")[-1] == ("Restart", "Succeeded")
    assert len(instance.processes()) == len(before) == 2
    assert not {*instance.processes()} & {*before}
    instance.odoo.check(planted)


@every_moment("Upgrade")
def test_kill_during_upgrade(fresh: Instance, chance: random.Random, at: int) -> None:
    """An upgrade that was cut ends with the new release and its data, or with the old one and its data."""
    instance = fresh.apply()
    planted = instance.odoo.plant("before the cut")
    changed = instance.with_spec(image=NEXT)
    changed.accept()
    changed.killed("Upgrade", moment(chance, "Upgrade", at))
    changed.drive()
    assert state(changed) in [BEFORE, AFTER]
    assert len(changed.processes()) == 2
    changed.odoo.check(planted)
    assert no_copies_but(changed, "safety")


def no_copies_but(instance: Instance, role: str) -> bool:
    """Whether the server holds the instance's current database, its copy of this role, and no other."""
    doc = instance.document
    assert doc is not None
    found = instance.world.server_sql(
        "SELECT shobj_description(oid, 'pg_database')::json->>'role' FROM pg_database"
        f" WHERE shobj_description(oid, 'pg_database') LIKE '%{doc.id}%'"
    )
    return sorted(found) in (["current"], sorted(["current", role]))


@pytest.mark.full
def test_server_down_during_upgrade(copy: Instance) -> None:
    """An upgrade goes on when the database server is back; that it was away is no failure of the release."""
    before = copy.with_spec(image=NEXT).apply(autoUpgrade={"enabled": True})
    planted = before.odoo.plant("before the server went")
    changed = before.with_spec(image=BASE)
    changed.accept()
    changed.killed("Upgrade", COPYING)
    copy.world.place.stop_replica(copy.world.server, "database")
    changed.drive()
    assert changed.phase == "Running"
    assert changed.odoo.version() == "14.0.1.0.0"
    changed.odoo.check(planted)


@every_moment("Delete")
def test_kill_during_delete(fresh: Instance, chance: random.Random, at: int) -> None:
    """A purge that was cut is finished by the next run."""
    instance = fresh
    instance.mark_deleted(purge=True)
    instance.killed("Delete", moment(chance, "Delete", at))
    if instance.document is not None:
        instance.drive()
    assert instance.document is None
    assert instance.world.place.left(instance.ref.namespace, instance.name) == []
    assert instance.world.server_sql(f"SELECT datname FROM pg_database WHERE datname = '{instance.database}'") == []
