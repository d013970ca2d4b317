# SPDX-License-Identifier: Apache-2.0
"""Archives of a real database and filestore, in Odoo's own forms."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.work.backup import ArchiveStore, BackupArchive
from mooring.domain.work.common import Fence
from mooring.engine.backup.rights import Lacks
from tests.support.backup_world import World, make_world
from tests.support.engine_server import Server, done, postgres, refused
from tests.support.odoo_like import add_files, fingerprint
from tests.support.s3_servers import BUCKET, rclone_server

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("archive"), "postgres:15") as found:
        yield found


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    return make_world(server, tmp_path)


def archive(world: World, output: str | None, **changes: Any) -> BackupArchive:
    given: dict[str, Any] = {
        "connection": world.owner(),
        "fence": Fence("op-a", 1, wait_s=5),
        "instance": world.instance,
        "database": world.name,
        "output": output,
        "scratch": str(world.home / "scratch"),
        "data_dir": str(world.data),
    }
    return BackupArchive(**{**given, **changes})


def load(server: Server, name: str, program: str, *argv: str, content: bytes) -> None:
    """Load an archive into a new database by PostgreSQL's own program."""
    server.query(f"CREATE DATABASE {name} TEMPLATE template0")
    server.query("CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent", database=name)
    server.query("ALTER FUNCTION public.unaccent(text) IMMUTABLE", database=name)
    command = ("docker", "exec", "-i", server.container, program, "-h", "/tmp", "-U", "admin", "-d", name, *argv)
    ran = subprocess.run(command, input=content, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]


def test_zip_holds_dump_manifest_and_files_of_one_moment(server: Server, world: World) -> None:
    output = world.home / "shop.zip"
    result = done(archive(world, str(output)))
    assert (result["files"], result["missing"], result["sizeBytes"]) == (20, 0, output.stat().st_size)
    with zipfile.ZipFile(output) as opened:
        assert opened.testzip() is None
        manifest = json.loads(opened.read("manifest.json"))
        files = {name.removeprefix("filestore/") for name in opened.namelist() if name.startswith("filestore/")}
        assert files == {
            str(path.relative_to(world.filestore)) for path in world.filestore.rglob("*") if path.is_file()
        }
        dump = opened.read("dump.sql")
    assert manifest == {
        "odoo_dump": "1",
        "db_name": world.name,
        "version": "14.0",
        "version_info": [14, 0, 0, "final", 0, ""],
        "major_version": "14.0",
        "pg_version": "15.0",
        "modules": {"base": "14.0.1.3", "web": "14.0.1.0"},
    }
    load(server, f"{world.name}_z", "psql", "-q", content=dump)
    assert fingerprint(server, f"{world.name}_z") == fingerprint(server, world.name)
    assert sorted(path.name for path in (world.data / ".mooring").iterdir()) == ["lock", "volume.json"]


def test_dump_is_pg_dumps_own_archive(server: Server, world: World) -> None:
    output = world.home / "shop.dump"
    assert done(archive(world, str(output), format="dump"))["sizeBytes"] == output.stat().st_size
    load(server, f"{world.name}_d", "pg_restore", "--no-owner", "--no-comments", content=output.read_bytes())
    assert fingerprint(server, f"{world.name}_d") == fingerprint(server, world.name)


def test_zip_into_a_pipe_is_the_same(world: World) -> None:
    pipe, found = world.home / "pipe", bytearray()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.extend(pipe.read_bytes()))
    reader.start()
    result = done(archive(world, str(pipe)))
    reader.join(10)
    assert len(found) == result["sizeBytes"]
    output = world.home / "copy.zip"
    output.write_bytes(found)
    with zipfile.ZipFile(output) as opened:
        assert opened.testzip() is None
        assert len(opened.namelist()) == 22


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pg_dump itself meet what may not be read, as where a right is taken away after it was looked for."""
    monkeypatch.setattr("mooring.engine.backup.archive.observe_lacks", lambda *_: Lacks())


@pytest.mark.usefixtures("unseen")
def test_archive_that_fails_leaves_no_file(server: Server, world: World) -> None:
    output = world.home / "shop.zip"
    output.write_text("yesterday's")
    server.query("CREATE TABLE secret_table (id integer)", database=world.name)
    refused(archive(world, str(output)), "MOOR-471")
    assert output.read_text() == "yesterday's"
    assert [path.name for path in world.home.glob("*.part")] == []
    refused(archive(world, str(world.home / "nowhere" / "shop.zip")), "MOOR-475")


def test_zip_says_how_many_files_are_missing(world: World) -> None:
    next(path for path in world.filestore.rglob("*") if path.is_file()).unlink()
    result = done(archive(world, str(world.home / "shop.zip")))
    assert (result["files"], result["missing"]) == (19, 1)


@pytest.mark.usefixtures("unseen")
def test_zip_into_a_store_is_sent_in_parts_and_there_when_it_is_whole(server: Server, world: World) -> None:
    with rclone_server(world.home / "s3") as store:
        place = ArchiveStore(f"s3://{BUCKET}/exports", "2026/shop.zip", store.endpoint, str(store.credentials))
        big = world.home / "big"
        big.write_bytes(os.urandom(40 << 20))  # two parts
        (name,) = add_files(server, world.name, world.filestore, [big.read_bytes()])
        result = done(archive(world, None, store=place))
        written = store.data / BUCKET / "exports" / "2026" / "shop.zip"
        assert result["sizeBytes"] == written.stat().st_size > 40 << 20
        with zipfile.ZipFile(written) as opened:
            assert opened.testzip() is None
            assert len(opened.namelist()) == 23
            assert opened.getinfo(f"filestore/{name}").file_size == 40 << 20
        server.query("CREATE TABLE secret_table (id integer)", database=world.name)
        refused(archive(world, None, store=replace(place, key="broken.zip")), "MOOR-471")
        assert sorted(path.name for path in written.parent.parent.iterdir()) == ["2026"]
        server.query("DROP TABLE secret_table", database=world.name)
        fault = refused(archive(world, None, store=replace(place, url="s3://nowhere/x")), "MOOR-362")
        assert "nowhere" in fault["brief"]
