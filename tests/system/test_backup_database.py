# SPDX-License-Identifier: Apache-2.0
"""Backups of a real PostgreSQL, restored beside it: what is in them, and what makes them fail."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mooring.domain.repository.manifest import ModuleVersion, SnapshotManifest, SnapshotRelease, StreamRef
from mooring.domain.work.codec import Shape
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop
from mooring.domain.work.database import DatabaseVerify
from mooring.engine.backup import dump as dump_module
from mooring.engine.backup import take
from mooring.engine.backup.rights import Lacks
from mooring.engine.backup.take import Taker
from mooring.engine.backup.task import ensure_backup
from mooring.engine.report import Reporter
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.opened import OpenBackup, OpenRestore
from mooring.engine.restore import feed
from mooring.engine.restore.analyze import ensure_analyzed
from mooring.engine.restore.database import ensure_restored
from mooring.errors import MooringError
from tests.support.backup_world import PASSWORD, World, make_world
from tests.support.engine_server import Server, done, postgres, refused
from tests.support.odoo_like import fingerprint

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("backup"), "postgres:15") as found:
        yield found


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    return make_world(server, tmp_path)


def sessions(server: Server) -> list[str]:
    """Names of our sessions on the server."""
    rows = server.query("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'mooring/%'")
    return [row[0] for row in rows]


def programs() -> list[str]:
    """Processes of PostgreSQL's clients that are children of this one."""
    said = subprocess.run(
        ("ps", "--ppid", str(os.getpid()), "-o", "comm="), capture_output=True, text=True, check=False
    )
    return [line for line in said.stdout.split() if line.startswith("pg_")]


class Beside:
    """A task's work in a thread of its own."""

    def __init__(self, work: Callable[[Any, Reporter], Shape], document: Any) -> None:
        self.result: dict[str, Any] = {}
        self.error: dict[str, str] = {}
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._run, args=(work, document))
        self._thread.start()

    def _run(self, work: Callable[[Any, Reporter], Shape], document: Any) -> None:
        try:
            self.result = work(document, Reporter(self.lines.append)).to_json()
        except MooringError as fault:
            self.error = fault.to_json()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(120)
        assert not self._thread.is_alive()


class SlowStore:
    """Makes each write of a dump's large file wait, as a slow network would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, bytes_s: float) -> None:
        original = OpenBackup.write
        self.waited = threading.Event()

        def write(store: OpenBackup, pieces: Any, *, cut: Any) -> StreamRef:
            def slowly() -> Iterator[Any]:
                for piece in pieces:
                    time.sleep(len(piece) / bytes_s)
                    if len(piece) > 100_000:
                        self.waited.set()
                    yield piece

            return original(store, slowly(), cut=cut)

        monkeypatch.setattr(OpenBackup, "write", write)


def claim_rows(monkeypatch: pytest.MonkeyPatch, table: str, rows: int) -> None:
    """Have manifests say another number of rows than there were."""

    def claim(self: OpenRestore) -> SnapshotManifest:
        manifest = self.snapshot.manifest
        database = manifest.database
        assert database is not None
        claimed = tuple(replace(one, rows=rows) if one.table == table else one for one in database.rows)
        return replace(manifest, database=replace(database, rows=claimed))

    monkeypatch.setattr(OpenRestore, "manifest", property(claim))


def test_backup_gives_a_whole_manifest(world: World) -> None:
    result = done(world.backup(tags=("nightly",)))
    assert (result["state"], result["layout"], result["attempts"], result["missing"]) == ("Complete", "directory", 1, 0)
    manifest = world.manifest()
    database = manifest.database
    assert database is not None
    assert result["snapshot"] == manifest.id.replace("-", "")
    assert manifest.tags == ("nightly",)
    assert [(one.name, one.version) for one in manifest.modules] == [("base", "14.0.1.3"), ("web", "14.0.1.0")]
    assert (database.server_major, database.encoding, database.collation) == (15, "UTF8", "C/C.UTF-8")
    assert database.extensions == ("pg_trgm", "unaccent")
    assert database.roles == (world.name,)
    assert database.large_objects == 3
    rows = {one.table: one.rows for one in database.rows}
    assert rows['public."Odd ""name"" äöü; DROP"'] == 100
    assert rows['"other schema"."DATA"'] == 7
    assert (rows["public.res_partner"], rows["public.no_columns"], rows["public.empty_one"]) == (5002, 2, 0)
    assert list((world.home / "scratch").iterdir()) == []
    assert sessions(world.server) == []


def test_restore_builds_the_same_database_beside(server: Server, world: World) -> None:
    done(world.backup())
    before = fingerprint(server, world.name)
    result = done(world.restore())
    assert (result["database"], result["kept"], result["locale"]) == (world.building, False, "C/C.UTF-8")
    assert fingerprint(server, world.building) == fingerprint(server, world.name) == before
    mark = server.mark(world.building)
    assert (mark["role"], mark["instance"], mark["operation"]) == ("building", world.instance, "op-r")
    assert server.mark(world.name)["role"] == "current"
    comment = "SELECT obj_description('res_partner'::regclass)"
    assert server.query(comment, database=world.building) == [("people's table",)]
    public = "SELECT has_database_privilege('public', %s, 'CONNECT')"
    assert server.query(public, (world.building,)) == [(False,)]
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert server.query(owners, database=world.building) == [(world.name,)]


def test_restore_by_a_role_that_may_create_no_database_changes_nothing(server: Server, world: World) -> None:
    """Control refuses it before; a role that lost the right meanwhile is told here, beside the untouched data."""
    done(world.backup())
    before, content = server.databases(), fingerprint(server, world.name)
    fault = refused(world.restore(connection=world.owner()), "MOOR-417")
    assert fault["resolution"]
    assert "create database" in fault["brief"] + fault["details"]
    assert (server.databases(), fingerprint(server, world.name)) == (before, content)
    assert server.mark(world.name)["role"] == "current"


def test_restore_leaves_statistics_for_the_planner_and_says_how_far_it_came(server: Server, world: World) -> None:
    done(world.backup())
    result = done(world.restore())
    known = "SELECT count(DISTINCT tablename) FROM pg_stats WHERE schemaname = 'public' AND tablename = 'res_partner'"
    assert server.query(known, database=world.building) == [(1,)]
    rows = "SELECT reltuples::int FROM pg_class WHERE relname = 'res_partner'"
    assert server.query(rows, database=world.building) == [(5002,)]
    assert result["analyzed"] > 3
    assert result["unanalyzed"] == 0
    again = done(world.restore(fence=Fence("op-r", 2)))
    assert (again["kept"], again["analyzed"]) == (True, result["analyzed"])


@pytest.mark.parametrize("budget_s", [0.0, 0.3], ids=["none begun", "the one that runs is ended"])
def test_statistics_stop_where_their_time_is_over(server: Server, world: World, budget_s: float) -> None:
    """An expression that sleeps stands for a table that takes long."""
    slow = "CREATE OR REPLACE FUNCTION public.slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN {} RETURN 1; END$$"
    for step in (
        slow.format(""),
        "CREATE TABLE endless AS SELECT 1 AS a FROM generate_series(1, 100000)",
        "CREATE INDEX ON endless (slow(a))",
        slow.format("PERFORM pg_sleep(0.1);"),
        f"ALTER TABLE endless OWNER TO {world.name}",
    ):
        server.query(step, database=world.name)
    lines: list[str] = []
    found = ensure_analyzed(
        world.owner(), world.name, task="t", jobs=1, report=Reporter(lines.append), budget_s=budget_s
    )
    assert found.left > 0
    assert found.tables == 0
    assert sessions(server) == []


def test_restore_says_whether_the_snapshot_is_of_the_release_that_runs(server: Server, world: World) -> None:
    release = SnapshotRelease("14.0", image="odoo:14.0", digest="sha256:1")
    done(world.backup(release=release))
    assert done(world.restore(release="sha256:1"))["select"] == "named"
    assert done(world.restore(fence=Fence("op-r", 2), release="sha256:2"))["select"] == "changed"
    versions = tuple(ModuleVersion(one.name, one.version) for one in world.manifest().modules)
    verify = DatabaseVerify(world.owner(), world.building, not_below=versions)
    done(verify)
    server.query("UPDATE ir_module_module SET latest_version = '14.0.0.9' WHERE name = 'web'", database=world.building)
    said = refused(verify, "MOOR-644")
    assert "web" in said["brief"]
    assert "spec.image" in said["resolution"]


def test_restore_again_keeps_what_is_whole_and_drops_what_is_not(server: Server, world: World) -> None:
    done(world.backup())
    done(world.restore())
    server.query("CREATE TABLE added ()", database=world.building)
    assert done(world.restore(fence=Fence("op-r", 2)))["kept"] is True
    refused(world.restore(), "MOOR-424")
    mark = {key: item for key, item in server.mark(world.building).items() if key != "at"}
    server.query(f"COMMENT ON DATABASE {world.building} IS '{json.dumps(mark)}'")
    assert done(world.restore(fence=Fence("op-r", 2)))["kept"] is False
    assert server.query("SELECT to_regclass('added')", database=world.building) == [(None,)]


def test_restore_with_every_file_a_pipe_gives_the_same(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_FILE_BYTES", 0)
    done(world.backup())
    done(world.restore(jobs=3))
    assert fingerprint(server, world.building) == fingerprint(server, world.name)


def test_backup_without_scratch_is_one_stream_that_restores(server: Server, world: World) -> None:
    result = done(world.backup(scratch_bytes=0))
    assert result["layout"] == "custom"
    database = world.manifest().database
    assert database is not None
    assert {one.table: one.rows for one in database.rows}["public.res_partner"] == 5002
    done(world.restore())
    assert fingerprint(server, world.building) == fingerprint(server, world.name)


def test_backup_whose_files_outgrow_the_estimate_goes_on_as_one_stream(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(server, tmp_path, big_mb=50)
    monkeypatch.setattr("mooring.engine.backup.source.estimate_scratch", lambda *_: 0)
    monkeypatch.setattr(dump_module, "_LOOK_S", 0.005)
    result = done(world.backup(scratch_bytes=1 << 20))
    assert (result["layout"], result["attempts"]) == ("custom", 2)


def test_backup_pauses_the_dump_while_the_store_is_slow(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(server, tmp_path)
    for number in range(30):  # many small ones: what is written between two looks is little beside the whole
        server.query(
            f"CREATE TABLE wide{number} AS SELECT repeat(md5(n::text), 30) t FROM generate_series(1, 2000) n",
            database=world.name, user=world.name, password=PASSWORD,
        )  # fmt: skip
    SlowStore(monkeypatch, bytes_s=10e6)
    monkeypatch.setattr(dump_module, "_SPARE_BYTES", 0)
    monkeypatch.setattr(dump_module, "_LOOK_S", 0.01)
    takers: list[Taker] = []
    original = take.Taker.__post_init__
    paused: list[bool] = []
    look = take.Taker.look

    def remember(self: Taker) -> None:
        takers.append(self)
        original(self)

    def watch(self: Taker, program: Any) -> None:
        look(self, program)
        paused.append(self._stopped)

    monkeypatch.setattr(take.Taker, "__post_init__", remember)
    monkeypatch.setattr(take.Taker, "look", watch)
    assert done(world.backup(with_filestore=False))["layout"] == "directory"
    total = sum(entry.stream.size for entry in world.manifest().database.entries)  # type: ignore[union-attr, misc]
    assert any(paused)
    assert takers[0].peak_bytes < total * 0.75
    done(world.restore())
    assert fingerprint(server, world.building) == fingerprint(server, world.name)


def test_backup_on_a_full_scratch_fails_with_its_reason(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if somebody else had taken the room after it was measured.
    monkeypatch.setattr("mooring.engine.backup.source._KEEP_FREE_BYTES", -(1 << 40))
    small = world.home / "small"
    small.mkdir()
    if subprocess.run(("mount", "-t", "tmpfs", "-o", "size=200k", "none", str(small)), check=False).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        fault = refused(world.backup(scratch=str(small)), "MOOR-473")
    finally:
        subprocess.run(("umount", str(small)), check=True)
    assert "room" in fault["brief"]
    assert world.manifests() == []


def test_backup_whose_dump_fails_leaves_no_snapshot(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the right had been taken away after it was looked for.
    monkeypatch.setattr("mooring.engine.backup.source.observe_lacks", lambda *_, **__: Lacks())
    server.query("CREATE TABLE secret_table (id integer)", database=world.name)
    fault = refused(world.backup(), "MOOR-471")
    assert "secret_table" in fault["brief"]
    assert world.manifests() == []
    assert sessions(server) == []


def test_backup_whose_sessions_are_ended_fails_with_its_reason(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowStore(monkeypatch, bytes_s=200e3)
    beside = Beside(ensure_backup, world.backup(scratch_bytes=0))
    assert slow.waited.wait(30)
    server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mooring/backup-%'"
    )
    beside.join()
    assert beside.error["code"] in ("MOOR-471", "MOOR-419"), beside.error
    assert world.manifests() == []


def test_backup_that_makes_others_wait_gives_way_and_succeeds_later(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(server, tmp_path, big_mb=20)
    slow = SlowStore(monkeypatch, bytes_s=1e6)
    beside = Beside(ensure_backup, world.backup(scratch_bytes=0))
    assert slow.waited.wait(60)
    begun = time.monotonic()
    server.query("ALTER TABLE res_partner ADD COLUMN color integer", database=world.name)
    waited = time.monotonic() - begun
    monkeypatch.undo()
    beside.join()
    assert 4 < waited < 10
    assert beside.result["attempts"] == 2, beside.error
    done(world.restore())
    assert fingerprint(server, world.building) == fingerprint(server, world.name)


def test_backup_leaves_no_password_where_others_see_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(server, tmp_path, big_mb=20)
    slow = SlowStore(monkeypatch, bytes_s=10e6)
    beside = Beside(ensure_backup, world.backup(scratch_bytes=0))
    assert slow.waited.wait(30)
    seen = subprocess.run(("ps", "axeww"), capture_output=True, text=True, check=True).stdout
    mine = [line for line in seen.splitlines() if "pg_dump" in line]
    beside.join()
    assert mine
    assert not [line for line in mine if PASSWORD in line or "se\\cret" in line]
    assert "cret" not in "".join(beside.lines) + str(beside.result)


def test_restore_whose_content_is_damaged_fails_and_leaves_no_program(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_FILE_BYTES", 0)
    done(world.backup())
    database = world.manifest().database
    assert database is not None
    largest = max(database.entries, key=lambda one: one.stream.size).stream
    original = OpenRestore.read

    def read(store: OpenRestore, ref: StreamRef) -> Iterator[bytes]:
        for number, piece in enumerate(original(store, ref)):
            if ref == largest and number == 3:
                raise ObjectDamaged("The pack is not what was written.")
            yield piece

    monkeypatch.setattr(OpenRestore, "read", read)
    refused(world.restore(), "MOOR-455")
    assert programs() == []
    assert "at" not in server.mark(world.building)
    monkeypatch.setattr(OpenRestore, "read", original)
    done(world.restore(fence=Fence("op-r", 2)))
    assert fingerprint(server, world.building) == fingerprint(server, world.name)


def test_restore_compares_rows_with_the_snapshot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done(world.backup())
    claim_rows(monkeypatch, "public.res_partner", 5003)
    fault = refused(world.restore(), "MOOR-483")
    assert "public.res_partner has 5002 rows instead of 5003" in fault["brief"]


def test_restore_that_meets_an_sql_error_fails_with_its_reason(server: Server, world: World) -> None:
    server.query(
        "CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION told()",
        database=world.name,
    )
    done(world.backup())
    fault = refused(world.restore(), "MOOR-482")
    assert "event trigger" in fault["brief"]
    assert server.mark(world.name)["role"] == "current"


def test_swap_makes_the_restored_database_current_and_back(server: Server, world: World) -> None:
    done(world.backup())
    server.query("DELETE FROM line", database=world.name)
    done(world.restore())
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user="admin", password="admin-secret", dbname=world.building
    ):
        result = done(world.swap())
    assert result["swapped"] is True
    assert server.query("SELECT count(*) FROM line", database=world.name) == [(20000,)]
    assert server.mark(world.name) == {**server.mark(world.name), "role": "current", "returned": "op-r"}
    assert server.mark(result["previous"])["role"] == "previous"
    assert server.query("SELECT 1", database=world.name, user=world.name, password=PASSWORD) == [(1,)]
    assert done(world.swap()) == {**result, "swapped": False}
    back = done(world.swap(fence=Fence("op-back", 1), take="previous", replaced_by="op-r"))
    assert back["swapped"] is True
    assert server.query("SELECT count(*) FROM line", database=world.name) == [(0,)]
    refused(world.swap(fence=Fence("op-other", 1)), "MOOR-484")


def test_swap_taken_back_leaves_what_was_built_to_be_dropped(server: Server, world: World) -> None:
    done(world.backup())
    server.query("DELETE FROM line", database=world.name)
    done(world.restore())
    back = {"take": "previous", "replaced_by": "op-r", "back_as": "building", "back_of": "op-r"}
    # Before the swap there is nothing to take back, and that is no failure.
    assert done(world.swap(fence=Fence("op-back", 1), **back)) == {
        "database": world.name,
        "swapped": False,
        "previous": None,
    }
    assert server.mark(world.building)["role"] == "building"
    done(world.swap())
    result = done(world.swap(fence=Fence("op-back", 2), **back))
    assert result == {"database": world.name, "swapped": True, "previous": world.building}
    assert done(world.swap(fence=Fence("op-back", 3), **back)) == {**result, "swapped": False}
    assert server.query("SELECT count(*) FROM line", database=world.name) == [(0,)]
    assert {key: server.mark(world.building)[key] for key in ("role", "operation")} == {
        "role": "building",
        "operation": "op-r",
    }
    drop = DatabaseDrop(server.connection(), Fence("op-r", 1), world.instance, roles=("building",), operation="op-r")
    assert done(drop)["dropped"] == [world.building]


def test_swap_refuses_what_was_not_restored_to_its_end(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(world.backup())
    claim_rows(monkeypatch, "public.res_partner", 5003)
    refused(world.restore(), "MOOR-483")
    refused(world.swap(), "MOOR-484")
    assert server.mark(world.name)["role"] == "current"


def test_restore_from_nothing_needs_no_current_database(server: Server, world: World) -> None:
    done(world.backup())
    before = fingerprint(server, world.name)
    server.query(f"DROP DATABASE {world.name}")
    done(world.restore())
    assert done(world.swap())["previous"] is None
    assert fingerprint(server, world.name) == before


def test_two_restores_at_once_exclude_each_other(server: Server, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done(world.backup())
    entered, leave = threading.Event(), threading.Event()
    original = OpenRestore.read

    def read(store: OpenRestore, ref: StreamRef) -> Iterator[bytes]:
        entered.set()
        leave.wait(30)
        yield from original(store, ref)

    monkeypatch.setattr(OpenRestore, "read", read)
    beside = Beside(ensure_restored, world.restore())
    assert entered.wait(30)
    refused(world.restore(fence=Fence("op-r2", 1, wait_s=0), scratch=str(world.home / "scratch2")), "MOOR-423")
    refused(world.backup(fence=Fence("op-b2", 1, wait_s=0), scratch=str(world.home / "scratch3")), "MOOR-423")
    leave.set()
    beside.join()
    assert beside.result, beside.error
