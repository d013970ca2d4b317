# SPDX-License-Identifier: Apache-2.0
"""Dumps across PostgreSQL 13, 15 and 17, with the engine image's one client and with this machine's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseProvision
from mooring.drivers.postgres_programs import Client, observe_clients
from mooring.engine.restore.program import Verdict
from tests.support.backup_world import PASSWORD, World, make_world
from tests.support.engine_server import Server, done, postgres, refused
from tests.support.odoo_like import fingerprint
from tests.support.pg_clients import fetch_client

pytestmark = pytest.mark.real
MAJORS = (13, 15, 17)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Server]]:
    folder = tmp_path_factory.mktemp("versions")
    with postgres(folder, "postgres:13") as old, postgres(folder, "postgres:15") as middle, postgres(folder) as new:
        yield dict(zip(MAJORS, (old, middle, new), strict=True))


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Client:
    return fetch_client(17, tmp_path_factory.mktemp("clients") / "17")


def use(monkeypatch: pytest.MonkeyPatch, *clients: Client) -> None:
    """Have these clients alone."""
    for place in ("mooring.engine.backup.source", "mooring.engine.restore.database"):
        monkeypatch.setattr(f"{place}.observe_clients", lambda: clients)


def moved(world: World, server: Server) -> World:
    """The same instance's backups, seen from another server, with its role there."""
    owner_password = server.secret(PASSWORD)
    there = World(server, world.home, world.name, world.instance)
    done(
        DatabaseProvision(server.connection(), Fence("op-p", 1), world.instance, world.name, world.name, owner_password)
    )
    return there


@pytest.mark.parametrize("layout", ["directory", "custom"])
@pytest.mark.parametrize(("source", "target"), [(13, 13), (13, 15), (13, 17), (15, 15), (15, 17), (17, 17)])
def test_dump_restores_on_the_same_and_newer_servers_with_one_client(
    servers: dict[int, Server], newest: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    *, source: int, target: int, layout: str,
) -> None:  # fmt: skip
    use(monkeypatch, newest)
    world = make_world(servers[source], tmp_path)
    done(world.backup(scratch_bytes=None if layout == "directory" else 0))
    database = world.manifest().database
    assert database is not None
    assert (database.layout, database.server_major) == (layout, source)
    there = world if source == target else moved(world, servers[target])
    done(there.restore())
    assert fingerprint(servers[target], there.building) == fingerprint(servers[source], world.name)
    query = "SELECT extname FROM pg_extension ORDER BY 1"
    assert servers[target].query(query, database=there.building) == [("pg_trgm",), ("plpgsql",), ("unaccent",)]
    done(there.swap())


@pytest.mark.parametrize(("source", "target"), [(15, 13), (17, 15), (17, 13)])
def test_older_server_is_refused(
    servers: dict[int, Server], newest: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    *, source: int, target: int,
) -> None:  # fmt: skip
    use(monkeypatch, newest)
    world = make_world(servers[source], tmp_path, files=1)
    done(world.backup())
    there = moved(world, servers[target])
    before = servers[target].databases()
    fault = refused(there.restore(), "MOOR-532")
    assert "older" in fault["brief"]
    assert servers[target].databases() == before


def test_older_client_is_used_where_it_fits(
    servers: dict[int, Server], newest: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = observe_clients()
    assert own
    use(monkeypatch, *own, newest)

    def forbid(self: Verdict, *, tolerant: bool) -> None:
        assert not tolerant
        original(self, tolerant=tolerant)

    original = Verdict.__init__
    monkeypatch.setattr(Verdict, "__init__", forbid)
    world = make_world(servers[13], tmp_path)
    done(world.backup())
    done(world.restore())
    assert fingerprint(servers[13], world.building) == fingerprint(servers[13], world.name)


def test_server_newer_than_all_clients_is_refused(
    servers: dict[int, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Client(13, "/nowhere"))
    world = make_world(servers[15], tmp_path, files=1)
    fault = refused(world.backup(), "MOOR-470")
    assert "PostgreSQL 15; clients here: 13" in fault["brief"]
    assert world.manifests() == []


def test_sql_error_behind_the_unknown_setting_is_still_a_failure(
    servers: dict[int, Server], newest: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, newest)
    world = make_world(servers[13], tmp_path)
    servers[13].query(
        "CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION told()",
        database=world.name,
    )
    done(world.backup())
    fault = refused(world.restore(), "MOOR-482")
    assert "event trigger" in fault["brief"]
