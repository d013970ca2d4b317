# SPDX-License-Identifier: Apache-2.0
"""Parts out of a snapshot of a real database: lists, files, one attachment, one table; compared with PostgreSQL's own words."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from mooring.domain.work.parts import SnapshotPart
from tests.support.backup_world import World, make_world
from tests.support.engine_server import Server, done, postgres, refused

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("parts"), "postgres:15") as found:
        yield found


@pytest.fixture(scope="module", params=["directory", "custom"])
def world(server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> World:
    """An instance with a snapshot, whose dump is a folder, or one stream where there is little room."""
    found = make_world(server, tmp_path_factory.mktemp("world"))
    server.query("INSERT INTO ir_attachment (name) VALUES ('a link')", database=found.name)
    server.query("ALTER TABLE ir_attachment ADD db_datas bytea", database=found.name)
    server.query("INSERT INTO ir_attachment (name, db_datas) VALUES ('inside', '\\x00ff0a5c')", database=found.name)
    little = {"scratch_bytes": 1} if request.param == "custom" else {}
    assert done(found.backup(**little))["layout"] == request.param
    return found


def part(world: World, kind: Any, what: str = "") -> SnapshotPart:
    output = str(world.home / "part")
    return SnapshotPart(world.settings, kind, output, str(world.home / "scratch"), world.instance, what=what)


def output(world: World) -> bytes:
    return (world.home / "part").read_bytes()


def test_list_names_every_file_with_its_size(world: World) -> None:
    assert done(part(world, "list"))["count"] == 20
    lines = {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in output(world).decode().splitlines()}
    assert lines == {
        f"filestore/{path.relative_to(world.filestore)}": str(path.stat().st_size)
        for path in world.filestore.rglob("*")
        if path.is_file()
    }


def test_files_that_a_pattern_names_come_as_a_tar(world: World) -> None:
    name = next(str(path.relative_to(world.filestore)) for path in world.filestore.rglob("*") if path.is_file())
    assert done(part(world, "path", f"filestore/{name[:4]}*"))["count"] == 1
    with tarfile.open(world.home / "part") as archive:
        (member,) = archive.getmembers()
        content = archive.extractfile(member)
        assert content is not None
        assert (member.name, content.read()) == (f"filestore/{name}", (world.filestore / name).read_bytes())
    refused(part(world, "path", "nothing/*"), "MOOR-579")


def test_attachment_comes_with_its_name_from_the_file_or_from_the_row(server: Server, world: World) -> None:
    rows = server.query("SELECT id, name, checksum, db_datas FROM ir_attachment", database=world.name)
    stored = next(row for row in rows if row[2])
    assert done(part(world, "attachment", str(stored[0])))["name"] == stored[1]
    assert hashlib.sha1(output(world)).hexdigest() == stored[2]
    inside = next(row for row in rows if row[3])
    assert done(part(world, "attachment", str(inside[0])))["name"] == "inside"
    assert output(world) == b"\x00\xff\n\\"
    link = next(row for row in rows if row[1] == "a link")
    refused(part(world, "attachment", str(link[0])), "MOOR-579")
    refused(part(world, "attachment", "999999"), "MOOR-579")


@pytest.mark.parametrize("name", ["res_partner", 'Odd "name" äöü; DROP', "other schema.DATA", "empty_one"])
def test_table_is_the_csv_that_postgresql_writes(server: Server, world: World, name: str) -> None:
    import psycopg

    schema, _, table = name.rpartition(".")
    columns = server.query(
        "SELECT attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relname = %s AND attnum > 0"
        " AND attgenerated = '' ORDER BY attnum",
        (table,),
        database=world.name,
    )
    listed = ", ".join('"' + one[0].replace('"', '""') + '"' for one in columns)
    quoted = f'"{schema or "public"}"."{table.replace(chr(34), chr(34) * 2)}"'
    with (
        psycopg.connect(
            host="127.0.0.1", port=server.port, user="admin", password="admin-secret", dbname=world.name
        ) as link,
        link.cursor() as cursor,
        cursor.copy(f"COPY {quoted} ({listed}) TO STDOUT WITH (FORMAT csv, HEADER)".encode()) as copy,
    ):
        wanted = b"".join(bytes(piece) for piece in copy)
    result = done(part(world, "table", name))
    assert output(world) == wanted
    assert result["sizeBytes"] == len(wanted)
    refused(part(world, "table", "no_such_table"), "MOOR-579")
