# SPDX-License-Identifier: Apache-2.0
"""Backups by a role, or a user, that may not read everything: refused before anything is dumped, all of it named."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mooring.domain.work.backup import BackupArchive
from mooring.domain.work.common import Fence
from mooring.domain.work.live_copy import DatabaseCopy, LiveSource
from mooring.engine.backup import source as source_module
from mooring.engine.backup.rights import Lacks
from tests.support.backup_world import PASSWORD, World, make_world
from tests.support.engine_server import COMMAND, Outcome, done, outcome, postgres, refused, run_task
from tests.support.pg_clients import fetch_client

pytestmark = pytest.mark.real
# As root, without the right to pass over modes; setpriv is util-linux's.
_PLAIN = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")


@dataclass(frozen=True)
class Case:
    """Something that may not be read: how an administrator makes it, what names it, how it goes away again."""

    make: str
    named: str
    remove: str


CASES = {
    "table": Case("CREATE TABLE secret_table (id integer)", "table public.secret_table", "DROP TABLE secret_table"),
    "column": Case(
        "CREATE TABLE half (a integer, b integer); GRANT SELECT (a, b) ON half TO {role}",
        "table public.half",
        "DROP TABLE half",
    ),
    "partitioned table": Case(
        "CREATE TABLE parted (a integer) PARTITION BY LIST (a); CREATE TABLE part PARTITION OF parted DEFAULT;"
        " GRANT SELECT ON part TO {role}",
        "table public.parted",
        "DROP TABLE parted",
    ),
    "schema": Case(
        'CREATE SCHEMA "no Way"; CREATE TABLE "no Way".t (id integer); GRANT SELECT ON "no Way".t TO {role}',
        'schema "no Way"',
        'DROP SCHEMA "no Way" CASCADE',
    ),
    "sequence": Case("CREATE SEQUENCE secret_seq", "sequence public.secret_seq", "DROP SEQUENCE secret_seq"),
    "rows": Case(
        "CREATE TABLE policed (id integer); ALTER TABLE policed ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY few ON policed USING (id > 1); GRANT SELECT ON policed TO {role}",
        "the rows of public.policed",
        "DROP TABLE policed",
    ),
    "own rows": Case(
        "CREATE TABLE forced (id integer); ALTER TABLE forced OWNER TO {role};"
        " ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "the rows of public.forced",
        "DROP TABLE forced",
    ),
    "large object": Case("SELECT lo_create(4711)", "large object 4711", "SELECT lo_unlink(4711)"),
    "extension's rows": Case(
        "CREATE TABLE of_ext (id integer); ALTER EXTENSION unaccent ADD TABLE of_ext;"
        " UPDATE pg_extension SET extconfig = ARRAY['of_ext'::regclass::oid], extcondition = ARRAY['']"
        " WHERE extname = 'unaccent'",
        "table public.of_ext",
        "UPDATE pg_extension SET extconfig = NULL, extcondition = NULL WHERE extname = 'unaccent';"
        " ALTER EXTENSION unaccent DROP TABLE of_ext; DROP TABLE of_ext",
    ),
}
HARMLESS = (
    "CREATE MATERIALIZED VIEW seen AS SELECT 1 AS a",
    "CREATE VIEW looked AS SELECT 1 AS a",
    "CREATE TABLE by_group (id serial)",
    "GRANT SELECT ON by_group, by_group_id_seq TO {role}_readers",
    "GRANT {role}_readers TO {role}",
    "SELECT lo_create(4712)",
    "GRANT SELECT ON LARGE OBJECT 4712 TO PUBLIC",
    "CREATE TABLE its_own (id serial)",
    "ALTER EXTENSION unaccent ADD TABLE its_own",
    "ALTER EXTENSION unaccent ADD SEQUENCE its_own_id_seq",
    "CREATE TABLE inserted (id integer); ALTER TABLE inserted OWNER TO {role}; ALTER TABLE inserted ENABLE ROW LEVEL SECURITY",
)


@pytest.fixture(scope="module", params=["13", "17"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An instance whose database has what its role may read without owning it."""
    home = tmp_path_factory.mktemp(f"rights{request.param}")
    client = fetch_client(17, home / "clients")
    with pytest.MonkeyPatch.context() as patch, postgres(home, f"postgres:{request.param}") as server:
        for place in ("backup.source", "backup.archive", "live.database"):
            patch.setattr(f"mooring.engine.{place}.observe_clients", lambda: (client,))
        found = make_world(server, home, files=4)
        server.query(f"CREATE ROLE {found.name}_readers")
        for statement in HARMLESS:
            as_admin(found, statement)
        yield found


@pytest.fixture(scope="module")
def files_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("unreadable")
    with postgres(home, "postgres:15") as server:
        yield make_world(server, home, files=4)


def as_admin(world: World, text: str) -> None:
    """Statements of the server's administrator in the instance's database."""
    for statement in text.format(role=world.name).split(";"):
        if statement.strip():
            world.server.query(statement, database=world.name)


def untouched(said: Outcome) -> bool:
    """Whether no dump was begun."""
    return all(line.get("step") != "dump" for line in said.lines)


def test_backup_of_all_that_may_be_read_is_made(world: World) -> None:
    assert not untouched(run_task(world.backup()))
    assert world.manifests()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_backup_is_refused_for_what_pg_dump_would_stop_at(
    world: World, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(world.manifests())
    as_admin(world, case.make)
    try:
        said = run_task(world.backup())
        assert (said.code, said.error["code"]) == (1, "MOOR-476"), said.text
        assert said.error["brief"] == f"The role may not read {case.named}."
        assert untouched(said)
        # And pg_dump itself stops there: nothing is refused that would have gone well.
        monkeypatch.setattr(source_module, "observe_lacks", lambda *_, **__: Lacks())
        monkeypatch.setattr(source_module, "_PAUSE_S", 0.0)
        refused(world.backup(with_filestore=False), "MOOR-471")
    finally:
        as_admin(world, case.remove)
    assert len(world.manifests()) == before


def test_backup_names_all_that_lacks_and_what_mends_it(world: World) -> None:
    before = len(world.manifests())
    for case in CASES.values():
        as_admin(world, case.make)
    try:
        fault = refused(world.backup(), "MOOR-476")
        assert all(case.named in fault["brief"] for case in CASES.values()), fault
        assert "administrator" in fault["resolution"]
        refused(archive(world), "MOOR-476")
        for statement in fault["details"].splitlines():
            as_admin(world, statement)
        done(world.backup())
    finally:
        for case in CASES.values():
            as_admin(world, case.remove)
    assert len(world.manifests()) == before + 1


def test_backup_names_the_first_twenty_and_counts_the_rest(world: World) -> None:
    as_admin(world, "CREATE SCHEMA many; GRANT USAGE ON SCHEMA many TO {role}")
    as_admin(world, ";".join(f"CREATE TABLE many.t{number:03} ()" for number in range(30)))
    try:
        fault = refused(world.backup(), "MOOR-476")
    finally:
        as_admin(world, "DROP SCHEMA many CASCADE")
    assert "table many.t019 and 10 more." in fault["brief"]
    assert len(fault["details"].splitlines()) == 20


def test_backup_of_files_alone_needs_the_rows_that_name_them(world: World) -> None:
    as_admin(world, CASES["table"].make)
    as_admin(world, "ALTER TABLE ir_attachment ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    try:
        # A policy would leave names out, and the backup would be smaller than it says.
        fault = refused(world.backup(with_database=False), "MOOR-476")
        as_admin(world, "ALTER TABLE ir_attachment NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        done(world.backup(with_database=False))
    finally:
        as_admin(world, CASES["table"].remove)
    assert fault["brief"] == "The role may not read the rows of public.ir_attachment."


def test_copy_of_a_source_that_may_not_be_read_is_refused_before_anything_is_built(world: World) -> None:
    as_admin(world, CASES["table"].make)
    document = DatabaseCopy(
        connection=world.server.connection(),
        fence=Fence("op-r", 1, wait_s=5),
        instance="another",
        database="another",
        owner=world.name,
        owner_password_file=world.server.secret(PASSWORD),
        source=LiveSource(world.instance, world.name, world.owner()),
        scratch=str(world.home / "scratch-copy"),
        series="14.0",
    )
    before = world.server.databases()
    try:
        fault = refused(document, "MOOR-476")
    finally:
        as_admin(world, CASES["table"].remove)
    assert "public.secret_table" in fault["brief"]
    assert world.server.databases() == before


def test_backup_whose_files_may_not_be_read_names_them_with_what_lacks_in_the_database(files_world: World) -> None:
    world = files_world
    store = sorted(path for path in world.filestore.rglob("*") if path.is_file())
    file, folder = store[0], store[-1].parent
    assert file.parent != folder
    as_admin(world, CASES["table"].make)
    file.chmod(0)
    folder.chmod(0)
    try:
        said = as_plain_user(world)
    finally:
        file.chmod(0o644)
        folder.chmod(0o755)
        as_admin(world, CASES["table"].remove)
    assert said.error["code"] == "MOOR-476", said.text
    assert "table public.secret_table" in said.error["brief"]
    assert f"may not read in the filestore: {file}, {folder}." in said.error["brief"]
    assert f"chown {os.geteuid()}" in said.error["details"]
    assert untouched(said)
    assert world.manifests() == []
    assert list((world.data / ".mooring").glob("backup-*")) == []


def as_plain_user(world: World) -> Outcome:
    """A backup as a process whom modes bind."""
    document = world.backup()
    path = world.home / "backup.json"
    path.write_text(json.dumps(document.to_json()))
    argv = (*(_PLAIN if os.geteuid() == 0 else ()), *COMMAND, document.TASK, "--document", str(path))
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    return outcome(ran.returncode, ran.stdout + ran.stderr)


def archive(world: World) -> BackupArchive:
    """Of the whole instance, into a file."""
    return BackupArchive(
        connection=world.owner(),
        fence=Fence("op-a", 1, wait_s=5),
        instance=world.instance,
        database=world.name,
        output=str(world.home / "shop.zip"),
        scratch=str(world.home / "scratch"),
        data_dir=str(world.data),
    )
