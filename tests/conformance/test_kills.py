# SPDX-License-Identifier: Apache-2.0
"""Promises of a controller that is killed: run again, the instance ends as it was wanted or as it was, never between.

One kill an operation, at a step that chance picks; on the simulated target every step's kill is tried.
"""

from __future__ import annotations

import random

import pytest

from tests.conformance.world import BASE, NEXT, Instance, World

pytestmark = pytest.mark.real
# Records of an undisturbed run; each may be cut before and after it is written.
RECORDS = {"Init": 6, "Upgrade": 22, "Stop": 4, "Delete": 8}


MIGRATING = 2 * 9  # the migration's intention is written, its task not started


def moment(chance: random.Random, kind: str) -> int:
    """Where to kill."""
    return chance.randint(1, 2 * RECORDS[kind])


def test_kill_during_init(world: World, chance: random.Random) -> None:
    """An init that was cut is finished by the next run."""
    instance = world.instance("cut-init")
    instance.accept()
    instance.killed("Init", moment(chance, "Init"))
    instance.drive()
    assert instance.phase == "Running"
    assert instance.operations("Init") == [("Init", "Succeeded")]
    assert instance.odoo.authenticate() == 2
    instance.delete(purge=True)


def test_kill_during_stop(copy: Instance, chance: random.Random) -> None:
    """A stop that was cut is finished by the next run."""
    instance = copy.apply()
    planted = instance.odoo.plant("before the stop")
    instance.request("Stop")
    instance.killed("Stop", moment(chance, "Stop"))
    instance.drive()
    assert instance.phase == "Stopped"
    assert instance.processes() == []
    instance.ask("Start")
    instance.odoo.check(planted)


def test_kill_during_upgrade(copy: Instance, chance: random.Random) -> None:
    """An upgrade that was cut ends with the new release and its data, or with the old one and its data."""
    instance = copy.apply()
    planted = instance.odoo.plant("before the cut")
    changed = instance.with_spec(image=NEXT)
    changed.accept()
    changed.killed("Upgrade", moment(chance, "Upgrade"))
    changed.drive()
    pair = (changed.odoo.version(), changed.odoo.parameter("mooring_demo.migrated"))
    assert pair in [("14.0.1.1.0", "14.0.1.0.0 to 14.0.1.1.0"), ("14.0.1.0.0", "")]
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
    changed.killed("Upgrade", MIGRATING)
    copy.world.place.stop_replica(copy.world.server, "database")
    changed.drive()
    assert changed.phase == "Running"
    assert changed.odoo.version() == "14.0.1.0.0"
    changed.odoo.check(planted)


def test_kill_during_delete(copy: Instance, chance: random.Random) -> None:
    """A purge that was cut is finished by the next run."""
    instance = copy
    instance.mark_deleted(purge=True)
    instance.killed("Delete", moment(chance, "Delete"))
    if instance.document is not None:
        instance.drive()
    assert instance.document is None
    assert instance.world.place.left(instance.ref.namespace, instance.name) == []
    assert instance.world.server_sql(f"SELECT datname FROM pg_database WHERE datname = '{instance.database}'") == []
