# SPDX-License-Identifier: Apache-2.0
"""The connections of all instances of a server, when manifests are accepted and planned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mooring.api.loader import load_documents
from mooring.control.plan import plan_manifests
from mooring.control.servers import describe_access
from mooring.domain.model.identity import Ref
from mooring.domain.model.secret import SecretRef, SecretValue
from mooring.domain.odoo.errors import ConnectionsRefused
from tests.scenario.data import Database, Postgres, Role
from tests.scenario.world import SHOP, World, instance, manifest

MANY = {"db_maxconn": 38}  # five processes of a default instance: 190, all that a default server gives
SOME = {"db_maxconn": 19}  # 95, half of that
OUTSIDE = {"host": "db.example.com", "secretRef": {"name": "outside"}}


@pytest.fixture
async def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    values = {"user": "odoo", "password": "pw-of-the-owner", "dbname": "odoo"}
    secrets = {key: SecretValue(value) for key, value in values.items()}
    await made.secrets.ensure(SecretRef("default", "outside"), lambda: secrets)
    return made


def server(name: str = "big", **managed: Any) -> dict[str, Any]:
    return manifest("DatabaseServer", name, managed=managed)


def outside(name: str, **spec: Any) -> dict[str, Any]:
    return instance(name, database={"external": OUTSIDE, "name": name}, **spec)


async def note(world: World, name: str, value: int) -> None:
    """What an operation of the instance read on its server."""
    doc = await world.doc(Ref("OdooInstance", "default", name))
    status = {**doc.status, "database": {"server": "db.example.com", "name": name, "maxConnections": value}}
    await world.documents.put_status(replace(doc, status=status), if_version=doc.version)


def warnings(world: World) -> list[str]:
    return [one.text for one in world.events if one.kind == "warning" and "connections" in one.text]


async def test_second_instance_that_chose_what_the_server_has_not_is_refused_and_not_written(world: World) -> None:
    await world.apply(instance("shop", configOptions=MANY))

    with pytest.raises(ConnectionsRefused, match=r"need 380 connections \(blog 190, shop 190\); it gives 190"):
        await world.apply(instance("blog", configOptions=MANY))

    assert await world.documents.get(Ref("OdooInstance", "default", "blog")) is None


async def test_two_of_one_file_are_refused_together_also_by_plan(world: World) -> None:
    both = [instance("shop", configOptions=MANY), instance("blog", configOptions=MANY)]
    text = "\n---\n".join(json.dumps(one) for one in both)

    with pytest.raises(ConnectionsRefused, match="blog 190, shop 190"):
        await plan_manifests(world.life(), load_documents(text.encode(), source="test"))
    with pytest.raises(ConnectionsRefused, match="blog 190, shop 190"):
        await world.apply(*both)


async def test_instances_that_chose_halves_of_the_server_fit(world: World) -> None:
    await world.apply(instance("shop", configOptions=SOME), instance("blog", configOptions=SOME))
    with pytest.raises(ConnectionsRefused, match="blog 95, shop 95, third 20"):
        await world.apply(instance("third"))


async def test_default_instances_share_the_default_server_and_the_third_is_warned_of(world: World) -> None:
    await world.apply(instance("a"))
    await world.apply(instance("b"))
    assert warnings(world) == []

    (plan,) = await plan_manifests(world.life(), load_documents(json.dumps(instance("c")).encode(), source="test"))
    await world.apply(instance("c"))

    (said,) = warnings(world)
    assert "could open 240 connections (a 80, b 80, c 80); it gives 190" in said
    assert said in plan.notes
    await world.apply(instance("c", configOptions={"limit_time_real": 300}))
    assert len(warnings(world)) == 1, "a change that needs no more says nothing"


async def test_tenth_default_instance_is_refused(world: World) -> None:
    await world.apply(*(instance(f"i{number}") for number in range(9)))
    with pytest.raises(ConnectionsRefused, match="need 200 connections"):
        await world.apply(instance("i9"))


async def test_configured_max_connections_of_a_managed_server_counts(world: World) -> None:
    big = server(parameters={"max_connections": 400})
    two = [instance(name, configOptions=MANY, database={"server": "big"}) for name in ("shop", "blog")]
    await world.apply(big, *two)

    with pytest.raises(ConnectionsRefused, match=r"blog 190, shop 190\); it gives 290"):
        await world.apply(server(parameters={"max_connections": 300}))
    with pytest.raises(ConnectionsRefused, match=r"need 25 connections \(c 25\); it gives 20"):
        await world.apply(
            server("small", parameters={"max_connections": 30}),
            instance("c", database={"server": "small"}, configOptions={"db_maxconn": 5}),
        )


async def test_server_of_its_own_is_not_shared(world: World) -> None:
    await world.apply(instance("shop", configOptions=MANY))
    await world.apply(instance("blog", configOptions=MANY, database={"managed": {}}))


async def test_overfull_server_refuses_only_what_makes_it_worse(world: World) -> None:
    big = server(parameters={"max_connections": 400})
    await world.apply(big, instance("shop", configOptions=MANY, database={"server": "big"}))
    await world.apply(instance("blog", configOptions=MANY, database={"server": "big"}))
    doc = await world.doc(Ref("DatabaseServer", "default", "big"))
    await world.documents.put(replace(doc, spec={"managed": {}}), if_version=doc.version)

    await world.apply(instance("shop", configOptions={**MANY, "limit_time_real": 300}, database={"server": "big"}))
    await world.apply(instance("shop", configOptions=SOME, database={"server": "big"}))
    with pytest.raises(ConnectionsRefused, match="blog 190, shop 190"):
        await world.apply(instance("shop", configOptions=MANY, database={"server": "big"}))


async def test_instance_without_replicas_takes_nothing(world: World) -> None:
    await world.apply(instance("shop", configOptions=MANY, replicas=0))
    await world.apply(instance("blog", configOptions=MANY))
    with pytest.raises(ConnectionsRefused, match="need 380"):
        await world.apply(instance("shop", configOptions=MANY))


async def test_external_server_is_assumed_to_have_the_default_of_postgresql(world: World) -> None:
    await world.apply(outside("shop"))

    found = await describe_access(world.life(), SHOP, load(outside("shop")), None)
    assert found.server.max_connections == 100
    with pytest.raises(ConnectionsRefused, match=r"blog 80, shop 20\); it gives 90 \(max_connections 100, assumed"):
        await world.apply(outside("blog", configOptions={"db_maxconn": 16}))


@pytest.mark.parametrize("number", [19, 10**17, 10**30], ids=str)
async def test_one_instance_that_needs_more_than_an_unknown_server_gives_is_told_what_is_assumed(
    world: World, number: int
) -> None:
    with pytest.raises(ConnectionsRefused) as error:
        await world.apply(outside("shop", configOptions={"db_maxconn": number}))
    assert number > 10**18 or "assumed, PostgreSQL's default" in error.value.brief


async def test_external_server_has_what_an_operation_read(world: World) -> None:
    await world.apply(outside("shop", configOptions={"db_maxconn": 16}))
    await note(world, "shop", 300)

    await world.apply(outside("blog", configOptions=MANY))

    for name in ("shop", "blog"):
        ref = Ref("OdooInstance", "default", name)
        found = await describe_access(world.life(), ref, load(outside(name)), None)
        assert found.server.max_connections == 300
    with pytest.raises(ConnectionsRefused, match=r"it gives 290 \(max_connections 300, as it is set"):
        await world.apply(outside("third", configOptions=SOME))


async def test_operation_that_asks_an_external_server_ends_the_assumption(world: World) -> None:
    reached = Postgres(roles={"odoo": Role(None, "pw-of-the-owner")})
    reached.databases["shop"] = Database("odoo")
    world.machine.external["db.example.com"] = reached
    await world.bring_up(outside("shop"))

    found = await describe_access(world.life(), SHOP, load(outside("shop")), None)
    assert found.server.max_connections == 200
    await world.apply(outside("blog", configOptions={"db_maxconn": 16}))
    with pytest.raises(ConnectionsRefused, match="max_connections 200, as it is set"):
        await world.apply(outside("third", configOptions=MANY))


def load(data: dict[str, Any]) -> Any:
    (found,) = load_documents(json.dumps(data).encode(), source="test")
    return found.spec
