# SPDX-License-Identifier: Apache-2.0
"""A running instance of a real PostgreSQL, copied beside another's data: whole, owned by its new role, the source untouched."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mooring.domain.work.common import Fence
from mooring.domain.work.live_copy import DatabaseCopy, FilestoreCopy, LiveSource
from mooring.domain.work.names import beside
from mooring.engine.live import database as copying
from mooring.engine.live import source as reading_source
from tests.support.backup_world import PASSWORD, World, make_world
from tests.support.engine_server import Server, done, postgres, refused
from tests.support.odoo_like import add_files, fingerprint
from tests.system.test_backup_database import sessions
from tests.system.test_backup_kills import content, run, wait_for_no_programs
from tests.system.test_engine_kills import kill_once, measure

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("live"), "postgres:15") as found:
        yield found


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> World:
    (tmp_path / "shop").mkdir()
    return make_world(server, tmp_path / "shop")


@pytest.fixture
def staging(server: Server, tmp_path: Path) -> World:
    (tmp_path / "staging").mkdir()
    return make_world(server, tmp_path / "staging", fill=False)


def copy_database(staging: World, shop: World, **changes: Any) -> DatabaseCopy:
    given: dict[str, Any] = {
        "connection": staging.server.connection(),
        "fence": Fence("op-r", 1, wait_s=5),
        "instance": staging.instance,
        "database": staging.name,
        "owner": staging.name,
        "owner_password_file": staging.server.secret(PASSWORD),
        "source": LiveSource(shop.instance, shop.name, shop.owner()),
        "scratch": str(staging.home / "scratch"),
        "series": "14.0",
    }
    return DatabaseCopy(**{**given, **changes})


def copy_files(staging: World, shop: World, **changes: Any) -> FilestoreCopy:
    given: dict[str, Any] = {
        "fence": Fence("op-r", 1, wait_s=5),
        "instance": staging.instance,
        "data_dir": str(staging.data),
        "database": staging.name,
        "connection": staging.owner(),
        "source_filestore": str(shop.filestore),
    }
    return FilestoreCopy(**{**given, **changes})


def as_owner(world: World, database: str, text: str) -> list[Any]:
    """Rows of a statement that the instance's own role runs."""
    return world.server.query(text, database=database, user=world.name, password=PASSWORD)


@pytest.mark.parametrize("scratch_bytes", [pytest.param(None, id="folder"), pytest.param(0, id="stream")])
def test_copy_of_a_running_database_is_whole_and_belongs_to_its_new_role(
    shop: World, staging: World, scratch_bytes: int | None
) -> None:
    before = fingerprint(shop.server, shop.name)
    result = done(copy_database(staging, shop, scratch_bytes=scratch_bytes))
    assert (result["method"], result["kept"], result["attempts"]) == (
        "folder" if scratch_bytes is None else "stream",
        False,
        1,
    )
    assert (result["origin"], result["series"], result["database"]) == (shop.instance, "14.0", staging.building)
    assert fingerprint(shop.server, staging.building) == before
    assert fingerprint(shop.server, shop.name) == before
    owners = staging.server.query(
        "SELECT DISTINCT pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('public', 'other schema') AND c.relkind IN ('r', 'v', 'm', 'S')",
        database=staging.building,
    )
    assert owners == [(staging.name,)]
    mark = staging.server.mark(staging.building)
    assert (mark["role"], mark["instance"]) == ("building", staging.instance)
    assert mark["at"]
    assert list((staging.home / "scratch").iterdir()) == []
    assert sessions(staging.server) == []
    assert done(copy_database(staging, shop, fence=Fence("op-r", 2, wait_s=5)))["kept"]


def test_copys_role_can_neither_read_nor_drop_its_source(shop: World, staging: World) -> None:
    done(copy_database(staging, shop))
    done(staging.swap())
    assert as_owner(staging, staging.name, "SELECT count(*) FROM res_partner") == [(5002,)]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        as_owner(staging, shop.name, "SELECT 1")
    for statement in (
        f"DROP DATABASE {shop.name}",
        f"ALTER DATABASE {shop.name} RENAME TO gone",
        f"REASSIGN OWNED BY {shop.name} TO {staging.name}",
        f"GRANT {shop.name} TO {staging.name}",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_owner(staging, staging.name, statement)
    # And the other way round: what a copy holds is not its source's either.
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        as_owner(shop, staging.name, "SELECT 1")
    assert as_owner(shop, shop.name, "SELECT count(*) FROM res_partner") == [(5002,)]


def test_copy_of_files_has_those_that_the_copied_database_names_and_links_none(shop: World, staging: World) -> None:
    (shop.filestore / "unused").write_text("no row names it")
    done(copy_database(staging, shop))
    result = done(copy_files(staging, shop))
    assert (result["files"], result["linked"], result["copied"], result["absent"]) == (20, 0, 20, 0)
    built = staging.data / "filestore" / staging.building
    wanted = content(shop.filestore)
    wanted.pop("unused")
    assert content(built) == wanted
    for path in built.rglob("*"):
        assert not path.is_file() or path.stat().st_nlink == 1
    assert {path.name for path in (staging.data / ".mooring").iterdir()} == {"lock", "volume.json"}


def test_copy_of_files_again_copies_only_what_is_new(shop: World, staging: World) -> None:
    done(copy_database(staging, shop))
    done(copy_files(staging, shop))
    done(staging.swap())
    done(staging.swap_files())
    again = Fence("op-2", 1, wait_s=5)
    done(copy_database(staging, shop, fence=again))
    result = done(copy_files(staging, shop, fence=again))
    assert (result["linked"], result["copied"], result["copiedBytes"]) == (20, 0, 0)
    add_files(shop.server, shop.name, shop.filestore, [b"the new one"])
    # What a person spoiled in the copy is not taken over from it.
    spoiled = next(path for path in sorted(staging.filestore.rglob("*")) if path.is_file())
    spoiled.write_bytes(b"x" * spoiled.stat().st_size)
    third = Fence("op-3", 1, wait_s=5)
    done(copy_database(staging, shop, fence=third))
    result = done(copy_files(staging, shop, fence=third))
    assert (result["linked"], result["copied"], result["damaged"]) == (19, 2, [])


def test_copy_of_files_says_what_the_source_lost_or_spoiled(shop: World, staging: World) -> None:
    done(copy_database(staging, shop))
    names = sorted(path for path in shop.filestore.rglob("*") if path.is_file())
    gone, spoiled = (str(path.relative_to(shop.filestore)) for path in names[:2])
    (shop.filestore / gone).unlink()
    (shop.filestore / spoiled).write_bytes(b"spoiled")
    result = done(copy_files(staging, shop))
    assert (result["absent"], result["missing"], result["damaged"], result["copied"]) == (1, [gone], [spoiled], 19)
    assert (staging.data / "filestore" / staging.building / spoiled).read_bytes() == b"spoiled"


def test_copy_of_files_skipped_goes_on_with_what_is_there(shop: World, staging: World) -> None:
    done(copy_database(staging, shop))
    staging.filestore.mkdir(exist_ok=True)
    had = next(path for path in sorted(shop.filestore.rglob("*")) if path.is_file())
    mine = staging.filestore / had.relative_to(shop.filestore)
    mine.parent.mkdir(parents=True)
    mine.write_bytes(had.read_bytes())
    result = done(copy_files(staging, shop, source_filestore=None, method="skip"))
    assert (result["linked"], result["copied"], result["absent"]) == (1, 0, 19)


def test_copy_of_files_without_a_filestore_in_the_source_is_refused(shop: World, staging: World) -> None:
    done(copy_database(staging, shop))
    refused(copy_files(staging, shop, source_filestore=str(shop.data / "elsewhere")), "MOOR-552")
    assert not (staging.data / "filestore" / staging.building).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_copy_of_files_follows_no_link_of_the_source(shop: World, staging: World) -> None:
    done(copy_database(staging, shop))
    secret = shop.home / "secret"
    secret.write_text("secret")
    bait = next(path for path in sorted(shop.filestore.rglob("*")) if path.is_file())
    bait.unlink()
    bait.symlink_to(secret)
    refused(copy_files(staging, shop), "MOOR-552")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"series": "15.0"}, "Odoo 14.0", id="another series"),
        pytest.param({"source": "stranger"}, "not the current one of stranger", id="another instance"),
    ],
)
def test_copy_of_what_does_not_fit_is_refused_before_anything_is_built(
    shop: World, staging: World, change: dict[str, Any], words: str
) -> None:
    if "source" in change:
        change = {"source": LiveSource("stranger", shop.name, shop.owner())}
    assert words in refused(copy_database(staging, shop, **change), "MOOR-550")["brief"]
    assert staging.building not in staging.server.databases()


def test_copy_that_lacks_rows_is_refused(shop: World, staging: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = reading_source.count_rows

    def one_more(*given: Any) -> Any:
        rows = counted(*given)
        return (replace(rows[0], rows=rows[0].rows + 1), *rows[1:])

    monkeypatch.setattr(copying, "count_rows", one_more)
    refused(copy_database(staging, shop), "MOOR-551")
    assert not staging.server.mark(staging.building).get("at")


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.full)])
def test_copy_killed_at_any_moment_leaves_both_instances_and_is_made_by_the_next_run(
    server: Server, tmp_path: Path, kills: int
) -> None:
    for name in ("shop", "staging"):
        (tmp_path / name).mkdir()
    shop = make_world(server, tmp_path / "shop", big_mb=10, files=300)
    staging = make_world(server, tmp_path / "staging", files=3)
    wanted, files = fingerprint(server, shop.name), content(shop.filestore)
    own, own_files = fingerprint(server, staging.name), content(staging.filestore)
    length = measure(copy_database(staging, shop, fence=Fence("op-m", 1, wait_s=20)), staging.home)
    length_files = measure(copy_files(staging, shop, fence=Fence("op-m", 1, wait_s=20)), staging.home)
    picks, hits = random.Random(f"live {kills}"), 0
    for number in range(kills):
        first, second = Fence(f"op-{number}", 1, wait_s=20), Fence(f"op-{number}", 2, wait_s=20)
        room = 0 if number % 2 else None
        moment = picks.uniform(0, length)
        hits += kill_once(copy_database(staging, shop, fence=first, scratch_bytes=room), staging.home, moment)
        wait_for_no_programs(staging)
        run(copy_database(staging, shop, fence=second, scratch_bytes=room), staging)
        building = building_of(staging, first.operation)
        assert fingerprint(server, building) == wanted
        hits += kill_once(copy_files(staging, shop, fence=first), staging.home, picks.uniform(0, length_files))
        run(copy_files(staging, shop, fence=second), staging)
        assert content(staging.data / "filestore" / building) == files
        assert fingerprint(server, shop.name) == wanted
        assert content(shop.filestore) == files
        assert fingerprint(server, staging.name) == own
        assert content(staging.filestore) == own_files
        server.query(f"DROP DATABASE {building}")
    assert hits >= kills // 2  # the kills do meet the tasks


def building_of(world: World, operation: str) -> str:
    """Name of what this operation builds."""
    return beside(world.instance, role="building", operation=operation)
