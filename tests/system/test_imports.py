# SPDX-License-Identifier: Apache-2.0
"""Archives of every kind, loaded into a real PostgreSQL beside an instance's data; dumps that do more than dumps do."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.work.backup import BackupArchive
from mooring.domain.work.codec import Document
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop
from mooring.domain.work.filestore import FilestoreDrop
from mooring.domain.work.imports import ArchiveReceive, ArchiveSource, DatabaseCreate, DatabaseLoad, FilestoreLoad
from tests.support.backup_world import PASSWORD, World, make_world
from tests.support.engine_server import Server, done, postgres, refused
from tests.support.odoo_like import fingerprint

pytestmark = pytest.mark.real
FENCE = Fence("op-r", 1, wait_s=5)
HEAD = b"--\n-- PostgreSQL database dump\n--\nSELECT pg_catalog.set_config('search_path', '', false);\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("imports"), "postgres:15") as found:
        yield found


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The instance whose archives are imported."""
    return make_world(server, tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def archives(source: World) -> dict[str, tuple[Path, Path | None]]:
    """Every kind of archive of it, with the folder of attachments for those that have none."""
    home = source.home

    def write(name: str, form: str) -> Path:
        path = home / name
        document = BackupArchive(
            source.owner(), Fence(f"op-{form}", 1, wait_s=5), source.instance, source.name, str(path), str(home / "s"),
            format="zip" if form == "zip" else "dump", data_dir=str(source.data),
        )  # fmt: skip
        done(document)
        return path

    zipped, dump = write("shop.zip", "zip"), write("shop.dump", "dump")
    folder = home / "click"
    shutil.copytree(source.filestore, folder / "filestore")
    shutil.copy(dump, folder / "db.dump")
    with zipfile.ZipFile(zipped) as opened:
        plain = opened.read("dump.sql")
        (folder / "manifest.json").write_bytes(opened.read("manifest.json"))
    (home / "shop.sql.gz").write_bytes(gzip.compress(plain))
    store = io.BytesIO()
    with tarfile.open(fileobj=store, mode="w:gz") as archive:
        archive.add(source.filestore, f"var/lib/odoo/filestore/{source.name}")
    with tarfile.open(home / "stack.tar.gz", "w:gz") as archive:
        archive.add(dump, "odoo_backup_x/database.dump")
        member = tarfile.TarInfo("odoo_backup_x/filestore.tar.gz")
        member.size = len(store.getvalue())
        archive.addfile(member, io.BytesIO(store.getvalue()))
    return {
        "odoo zip": (zipped, None),
        "click-odoo folder": (folder, None),
        "stack": (home / "stack.tar.gz", None),
        "custom dump": (dump, source.filestore),
        "packed plain dump": (home / "shop.sql.gz", source.filestore),
    }


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    found = make_world(server, tmp_path, fill=False)
    server.fill(found.name, word="before")
    return found


@pytest.fixture(scope="module")
def stage(server: Server, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One instance for all dumps that are refused: each is loaded into a database made anew."""
    found = make_world(server, tmp_path_factory.mktemp("stage"), fill=False)
    server.fill(found.name, word="before")
    return found


def receive(world: World, path: Path, filestore: Path | None = None) -> ArchiveReceive:
    given = ArchiveSource(path=str(path), filestore=str(filestore) if filestore else None)
    return ArchiveReceive(FENCE, world.instance, str(world.data), world.name, given, "14.0")


def create(world: World, **changes: Any) -> DatabaseCreate:
    return DatabaseCreate(world.server.connection(), FENCE, world.instance, world.name, world.name, **changes)


def load(world: World) -> DatabaseLoad:
    return DatabaseLoad(world.owner(), FENCE, world.instance, world.name, str(world.data), str(world.home / "scratch"))


def load_files(world: World) -> FilestoreLoad:
    return FilestoreLoad(FENCE, world.instance, str(world.data), world.name, world.owner())


def build(world: World, path: Path, filestore: Path | None = None) -> dict[str, Any]:
    said = done(receive(world, path, filestore))
    done(create(world, server_major=said["serverMajor"], dump_bytes=said["dumpBytes"]))
    return done(load(world))


def from_text(world: World, text: bytes) -> Document:
    path = world.home / "given.sql"
    path.write_bytes(HEAD + text)
    done(receive(world, path))
    done(create(world))
    return load(world)


@pytest.mark.parametrize("kind", ["odoo zip", "click-odoo folder", "stack", "custom dump", "packed plain dump"])
def test_archive_is_loaded_beside_the_data_and_takes_its_place(
    server: Server, source: World, world: World, archives: dict[str, tuple[Path, Path | None]], kind: str
) -> None:
    path, filestore = archives[kind]
    said = done(receive(world, path, filestore))
    assert (said["serverMajor"], said["files"], said["altered"]) == (15, 20, 0)
    assert said["series"] in ("14.0", "")
    assert done(create(world, server_major=15, dump_bytes=said["dumpBytes"]))["kept"] is False
    loaded = done(load(world))
    assert (loaded["kept"], loaded["rows"] > 25000) == (False, True)
    assert done(load(world))["kept"] is True
    assert done(create(world))["kept"] is True
    files = done(load_files(world))
    assert (files["files"], files["missing"], files["kept"]) == (20, 0, False)
    assert done(load_files(world))["kept"] is True
    assert server.words(world.name) == {"before"}  # users work on
    done(world.swap())
    done(world.swap_files())
    assert fingerprint(server, world.name) == fingerprint(server, source.name)
    theirs = {path.name: path.read_bytes() for path in source.filestore.rglob("*") if path.is_file()}
    assert {path.name: path.read_bytes() for path in world.filestore.rglob("*") if path.is_file()} == theirs
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
    where = " WHERE n.nspname IN ('public', 'other schema') AND relkind IN ('r', 'S', 'm', 'v')"
    assert server.query(owners + where, database=world.name) == [(world.name,)]
    assert sorted(path.name for path in (world.data / ".mooring").iterdir()) == ["lock", "previous-op-r", "volume.json"]


def test_what_was_received_and_built_goes_when_it_is_not_wanted(
    server: Server, world: World, archives: dict[str, tuple[Path, Path | None]]
) -> None:
    build(world, archives["odoo zip"][0])
    fence = Fence("op-r", 1, wait_s=5)
    done(DatabaseDrop(server.connection(), fence, world.instance, roles=("building",), operation="op-r"))
    done(FilestoreDrop(fence, world.instance, str(world.data), world.name, roles=("building",), operation="op-r"))
    assert world.building not in server.databases()
    assert sorted(path.name for path in (world.data / ".mooring").iterdir()) == ["lock", "volume.json"]
    assert server.words(world.name) == {"before"}


def test_dump_without_its_attachments_is_refused_and_an_empty_folder_says_that_there_are_none(
    world: World, archives: dict[str, tuple[Path, Path | None]]
) -> None:
    build(world, archives["custom dump"][0])
    refused(load_files(world), "MOOR-578")
    shutil.rmtree(world.data / ".mooring" / "building-op-r.building")
    (world.home / "empty").mkdir()
    done(receive(world, archives["custom dump"][0], world.home / "empty"))
    files = done(load_files(world))
    assert (files["files"], files["missing"], len(files["named"])) == (20, 20, 20)


def test_dump_of_a_newer_server_is_refused_before_anything_is_made(server: Server, world: World) -> None:
    fault = refused(create(world, server_major=17), "MOOR-572")
    assert "PostgreSQL 17" in fault["brief"]
    assert world.building not in server.databases()


def test_dump_that_needs_more_room_than_there_is_is_refused(server: Server, world: World) -> None:
    refused(create(world, dump_bytes=1000, free_bytes=1500), "MOOR-426")
    assert world.building not in server.databases()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"\\! touch /tmp/mooring-was-here\n", "MOOR-573"),
        (b"\\copy x from program 'touch /tmp/mooring-was-here'\n", "MOOR-573"),
        (b"CREATE TABLE public.x (a text);\nCOPY public.x FROM PROGRAM 'id';\n", "MOOR-573"),
        (b"CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'return 1';\n", "MOOR-574"),
        (b"CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/lib/x.so', 'f';\n", "MOOR-574"),
        (b"CREATE EXTENSION IF NOT EXISTS file_fdw WITH SCHEMA public;\n", "MOOR-422"),
        (b"CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;\n", "MOOR-422"),
        (b"ALTER ROLE admin PASSWORD 'x';\n", "MOOR-573"),
        (b"DROP DATABASE postgres;\n", "MOOR-573"),
        (b"CREATE TABLE public.x (a int);\nCOPY public.x (a) FROM stdin;\nno number\n\\.\n", "MOOR-574"),
        (b"CREATE TABLE public.x (a int); CREATE TABLE public.x (b int);\n", "MOOR-574"),
        (b"CREATE TABLE public.x (a int);\nCOPY public.x (a) FROM stdin;\n1\n", "MOOR-570"),
    ],
    ids=[
        "shell", "program of psql", "program of the server", "untrusted language", "foreign library", "extension on files",
        "extension on other servers", "role", "other database", "row of another type", "table twice", "cut off",
    ],
)  # fmt: skip
def test_dump_that_does_more_than_a_dump_or_is_broken_ends_the_load(
    server: Server, stage: World, text: bytes, code: str
) -> None:
    world = stage
    shutil.rmtree(world.data / ".mooring", ignore_errors=True)
    document = from_text(world, text)
    refused(document, code)
    assert not Path("/tmp/mooring-was-here").exists()
    assert "at" not in {key for key, value in server.mark(world.building).items() if value}
    refused(world.swap(), "MOOR-484")
    assert server.words(world.name) == {"before"}


def test_code_in_a_dump_runs_as_the_instances_role_and_no_other(server: Server, world: World) -> None:
    text = (
        b"CREATE TABLE public.who (a int, b text DEFAULT CURRENT_USER, c text DEFAULT SESSION_USER);\n"
        b"COPY public.who (a) FROM stdin;\n1\n\\.\n"
    )
    done(from_text(world, text))
    assert server.query("SELECT b, c FROM who", database=world.building) == [(world.name, world.name)]


def test_role_that_may_do_more_than_own_a_database_loads_nothing(server: Server, world: World) -> None:
    document = from_text(world, b"CREATE TABLE public.x (a int);\n")
    server.query(f"GRANT pg_execute_server_program TO {world.name}")
    fault = refused(document, "MOOR-574")
    assert "pg_execute_server_program" in fault["brief"]


def test_load_that_was_stopped_in_its_middle_is_not_taken_for_whole(server: Server, world: World) -> None:
    document = from_text(world, b"CREATE TABLE public.x (a int);\nCREATE TABLE public.x (a int);\n")
    refused(document, "MOOR-574")
    refused(document, "MOOR-575")
    assert done(create(world))["kept"] is False  # and made anew it is empty again
    refused(document, "MOOR-574")


def test_password_of_the_owner_is_in_no_message(world: World) -> None:
    assert PASSWORD not in str(refused(from_text(world, b"\\password\n"), "MOOR-573"))
