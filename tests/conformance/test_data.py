# SPDX-License-Identifier: Apache-2.0
"""Promises about whose the data is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mooring.control.errors import NoAdministrator, OperationFailed
from mooring.domain.instance.tasks import generated_secret
from mooring.drivers.secret_store import MissingSecret
from tests.conformance.places import Outside, Place
from tests.conformance.world import NEXT, Instance, World

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def outside(place: Place) -> Iterator[Outside]:
    """A server that Mooring does not run."""
    with place.outside() as server:
        yield server


@pytest.mark.podman
def test_delete_and_bring_back(copy: Instance) -> None:
    """A deletion takes every process and keeps the data; the same name takes it back, without another init."""
    instance = copy.apply()
    planted = instance.odoo.plant("kept")
    instance.delete()
    assert instance.document is None
    assert {one.partition(" ")[0] for one in instance.world.place.left(instance.ref.namespace, instance.name)} == {
        "volume"
    }
    again = instance.apply()
    assert again.phase == "Running"
    assert again.operations("Init") == []
    again.odoo.check(planted)


REACH = """
import socket, sys
for address in sys.argv[1:]:
    try:
        socket.create_connection((address, 8069), timeout=2).close()
        print("reached")
    except OSError:
        print("not reached")
"""


def test_side_by_side(shop: Instance, copy: Instance) -> None:
    """Two instances on one server: neither gets into the other's database, nor to its processes."""
    shop.apply()
    other = copy.apply()
    assert shop.odoo.url != other.odoo.url
    assert other.odoo.authenticate() == 2
    place = shop.world.place
    for one, two in ((shop, other), (other, shop)):
        password = one.world.read_secret(generated_secret(one.ref, "database"), "password")
        assert "connected" in one.connect(password)
        assert "permission denied" in one.connect(password, database=two.database)
        addresses = place.addresses(two.ref, "web")
        assert addresses != []
        assert one.inside("web", "python3", "-c", REACH, *addresses).split("\n")[:-1] == ["not reached"] * len(
            addresses
        )
        own = place.addresses(one.ref, "web")
        assert one.inside("web", "python3", "-c", REACH, own[0]).strip() == "reached"


def test_purge(copy: Instance) -> None:
    """A purge leaves nothing: no process, network, volume, database, role or secret; its neighbours stay."""
    instance = copy.apply()
    world = instance.world
    assert world.place.left(instance.ref.namespace, instance.name) != []
    instance.delete(purge=True)
    assert world.place.left(instance.ref.namespace, instance.name) == []
    mine = f"LIKE '%{instance.database}%'"
    assert world.server_sql(f"SELECT datname FROM pg_database WHERE datname {mine}") == []
    assert world.server_sql(f"SELECT rolname FROM pg_roles WHERE rolname {mine}") == []
    for purpose in ("database", "odoo"):
        with pytest.raises(MissingSecret):
            world.read_secret(generated_secret(instance.ref, purpose), "password")
    assert world.server_sql("SELECT datname FROM pg_database WHERE datname LIKE '%shop'") != []


def external(outside: Outside, **more: object) -> dict[str, object]:
    """`spec.database` for that server."""
    return {"external": {"host": outside.host, "port": outside.port, "secretRef": {"name": "owner"}, **more}}


def test_external_database(world: World, place: Place, outside: Outside) -> None:
    """With an administrator's secret the role and the database are made there, upgraded with a copy, and purged."""
    world.set_secret("owner", user="remote", password="remote-password", dbname="remote")
    world.set_secret("admin", user="postgres", password=outside.password)
    instance = world.instance("remote", database=external(outside, adminSecretRef={"name": "admin"})).apply()
    assert instance.phase == "Running"
    assert instance.database != "remote"
    planted = instance.odoo.plant("remote")
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'remote'"
    assert place.outside_sql(outside, owner) == ["remote"]
    upgraded = instance.apply(image=NEXT)
    upgraded.odoo.check(planted)
    upgraded.delete(purge=True)
    assert place.outside_sql(outside, owner) == []


@pytest.mark.full
def test_external_database_without_administrator(world: World, place: Place, outside: Outside) -> None:
    """With the owner's secret alone an existing database is used; what needs a copy aside is refused, not risked."""
    place.outside_sql(outside, "CREATE ROLE narrow LOGIN PASSWORD 'narrow-password';")
    place.outside_sql(outside, "CREATE DATABASE narrow OWNER narrow TEMPLATE template0;")
    world.set_secret("owner", user="narrow", password="narrow-password", dbname="narrow")
    instance = world.instance("narrow", database=external(outside)).apply()
    planted = instance.odoo.plant("narrow")
    before = instance.processes()
    for kind, spec in (
        ("OdooRestoreJob", {"source": {"url": "file:///srv/shop.zip"}}),
        ("OdooStagingRefreshJob", {}),
        ("OdooUpgradeJob", {"modules": ["base"]}),
    ):
        with pytest.raises(NoAdministrator, match="nobody here may create one"):
            instance.request(kind, **spec)
    assert instance.processes() == before
    assert instance.operations("Restore") == []
    with pytest.raises(OperationFailed, match="safety copy"):
        instance.apply(image=NEXT)
    assert instance.odoo.version() == "14.0.1.0.0"
    instance.odoo.check(planted)
    instance.delete(purge=True)
    assert place.outside_sql(outside, "SELECT datname FROM pg_database WHERE datname = 'narrow'") == ["narrow"]


@pytest.mark.full
def test_init_with_unknown_module(world: World) -> None:
    """Odoo ends with 0 for a module that does not exist; the instance says InitFailed, and a corrected manifest works."""
    wrong = world.instance("wrong")
    init = dict(wrong.spec["init"])
    with pytest.raises(OperationFailed, match="mooring_dmeo") as failed:
        wrong.apply(init={**init, "modules": ["base", "mooring_dmeo"]})
    assert "MOOR-" in failed.value.brief
    assert wrong.phase == "InitFailed"
    assert wrong.processes() == []
    right = wrong.apply()
    assert right.phase == "Running"
    assert right.odoo.authenticate() == 2
    right.delete(purge=True)
