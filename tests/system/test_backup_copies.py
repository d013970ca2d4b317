# SPDX-License-Identifier: Apache-2.0
"""A snapshot of one instance in another's place, on a real PostgreSQL: whose it is then, and what its role may reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mooring.domain.work.restore import SnapshotChoice
from tests.support.backup_world import PASSWORD, World, make_world
from tests.support.engine_server import Server, done, postgres, refused
from tests.support.odoo_like import fingerprint

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("copies"), "postgres:15") as made:
        yield made


@pytest.fixture
def source(server: Server, tmp_path: Path) -> World:
    """An instance with one snapshot."""
    (tmp_path / "source").mkdir()
    world = make_world(server, tmp_path / "source")
    done(world.backup())
    return world


@pytest.fixture
def other(server: Server, tmp_path: Path) -> World:
    """Another instance, with data and a role of its own."""
    (tmp_path / "other").mkdir()
    return make_world(server, tmp_path / "other", files=1)


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def login(server: Server, world: World, database: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A session of an instance's own role."""
    return psycopg.connect(
        host=server.address, user=world.name, password=PASSWORD, dbname=database, autocommit=True, connect_timeout=10
    )


def choice(world: World, *, by: str = "id") -> SnapshotChoice:
    return SnapshotChoice(world.instance if by == "id" else world.name, "default", "latest")


@pytest.mark.parametrize("by", ["id", "name"])
def test_snapshot_of_another_becomes_the_instances_own_and_its_role_reaches_no_further(
    server: Server, source: World, other: World, by: str
) -> None:
    before = fingerprint(server, source.name)
    made = done(other.restore(repository=source.settings, source=choice(source, by=by), series="14.0", refuse_own=True))
    assert made["origin"] == source.instance
    files = other.restore_files(
        repository=source.settings, source=SnapshotChoice(made["origin"], "default", made["snapshot"])
    )
    done(files)
    assert fingerprint(server, other.building) == before
    assert server.mark(other.building)["instance"] == other.instance
    done(other.swap())
    done(other.swap_files())
    assert content(other.filestore) == content(source.filestore)
    assert server.mark(other.name)["role"] == "current"
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert server.query(owners, database=other.name) == [(other.name,)]

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        login(server, other, source.name)
    with login(server, other, other.name) as session:
        for statement in (f'DROP DATABASE "{source.name}"', f'ALTER DATABASE "{source.name}" RENAME TO gone'):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f'SET ROLE "{source.name}"')
    assert fingerprint(server, source.name) == before


def test_snapshot_of_another_series_is_refused_before_anything_is_built(
    server: Server, source: World, other: World
) -> None:
    before = server.databases()
    fault = refused(other.restore(repository=source.settings, source=choice(source), series="15.0"), "MOOR-531")
    assert "of Odoo 14.0, and the instance has a release of Odoo 15.0" in fault["brief"]
    assert server.databases() == before


def test_own_snapshot_under_anothers_name_is_refused_before_anything_is_built(server: Server, source: World) -> None:
    before = server.databases()
    refused(source.restore(source=choice(source, by="name"), refuse_own=True), "MOOR-533")
    assert server.databases() == before
    done(source.restore(source=choice(source, by="name")))
