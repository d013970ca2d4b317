# SPDX-License-Identifier: Apache-2.0
"""Each data task killed by SIGKILL at seeded moments and run again: it ends as one undisturbed run would."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.domain.work.codec import Document
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop, DatabaseReturn, DatabaseSafetyCopy, DataRole
from mooring.domain.work.database import DatabaseProvision
from mooring.domain.work.filestore import FilestoreReturn, FilestoreSafetyCopy
from mooring.domain.work.names import beside
from tests.support.engine_server import Outcome, Server, done, outcome, postgres, start_task

pytestmark = pytest.mark.real
KILLS = 10
ROWS = 200_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("kills")) as found:
        yield found


def finish(document: Document, folder: Path) -> Outcome:
    """Run the task as a process, to its end."""
    process = start_task(document, folder)
    text, _ = process.communicate(timeout=120)
    return outcome(process.returncode, text)


def kill_once(document: Document, folder: Path, after_s: float) -> bool:
    """Start the task and kill it so many seconds after its first line; whether it was still there."""
    process = start_task(document, folder)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after_s)
    hit = process.poll() is None
    process.kill()
    process.communicate(timeout=30)
    return hit


def measure(document: Document, folder: Path) -> float:
    """Seconds that the task takes after its first line: what can be hit."""
    process = start_task(document, folder)
    assert process.stdout is not None
    process.stdout.readline()
    begun = time.monotonic()
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0, text
    return time.monotonic() - begun


def moments(document_s: float, name: str) -> list[float]:
    """Moments within a run of that length."""
    picks = random.Random(name)
    return [picks.uniform(0, document_s) for _ in range(KILLS)]


def test_provision_killed_at_any_moment_then_again_gives_one_whole_database(server: Server, tmp_path: Path) -> None:
    def provision(name: str, attempt: int) -> DatabaseProvision:
        return DatabaseProvision(
            server.connection(), Fence("op", attempt), f"id-{name}", name, name, server.secret("owner-secret")
        )

    length = measure(provision("measure", 1), tmp_path)
    hits = 0
    for number, moment in enumerate(moments(length, "provision")):
        name = f"shop{number}"
        hits += kill_once(provision(name, 1), tmp_path, moment)
        assert finish(provision(name, 2), tmp_path).code == 0
        assert server.mark(name)["role"] == "current"
        text = "SELECT unaccent('é')"
        assert server.query(text, database=name, user=name, password="owner-secret") == [("e",)]
    assert hits >= 2  # the kills do meet the task
    assert not {name for name in server.databases() if name.startswith("mooring_")}


def prepare(server: Server, name: str) -> None:
    """An instance with content."""
    done(
        DatabaseProvision(server.connection(), Fence("op", 1), f"id-{name}", name, name, server.secret("owner-secret"))
    )
    server.fill(name, rows=ROWS)


def test_safety_copy_and_return_killed_at_any_moment_lose_nothing(server: Server, tmp_path: Path) -> None:
    name, instance = "life", "id-life"
    prepare(server, name)
    copy_s = back_s = 0.0
    hits = 0
    for number in range(KILLS + 1):
        operation = f"op-{number}"

        def copy(attempt: int, operation: str = operation) -> DatabaseSafetyCopy:
            return DatabaseSafetyCopy(server.connection(), Fence(operation, attempt), instance, name)

        def back(attempt: int, operation: str = operation) -> DatabaseReturn:
            return DatabaseReturn(server.connection(), Fence(operation, attempt), instance, name)

        safety = beside(instance, role="safety", operation=operation)
        if number == 0:
            copy_s = measure(copy(1), tmp_path)
        else:
            hits += kill_once(copy(1), tmp_path, moments(copy_s, "copy")[number - 1])
            if server.mark(safety):
                assert server.mark(safety)["role"] == "safety"
            said = finish(copy(2), tmp_path)
            assert said.code == 0, said.text
        assert server.mark(safety)["operation"] == operation

        server.fill(name, rows=1, word=f"lost{number}")
        if number == 0:
            back_s = measure(back(1), tmp_path)
        else:
            hits += kill_once(back(1), tmp_path, moments(back_s, "back")[number - 1])
            said = finish(back(2), tmp_path)
            assert said.code == 0, said.text
        assert server.words(name) == {"one"}
        assert server.query("SELECT count(*) FROM thing", database=name) == [(ROWS,)]
        assert server.mark(name)["returned"] == operation
        assert server.query("SELECT 1", database=name, user=name, password="owner-secret") == [(1,)]
        left = {item for item in server.databases() if item.startswith("mooring_")}
        assert not left, f"left behind after kill {number}"
    assert hits >= 2  # the kills do meet the task


def test_drop_killed_at_any_moment_then_again_leaves_nothing(server: Server, tmp_path: Path) -> None:
    def make(name: str) -> None:
        owner_password = server.secret("owner-secret")
        done(DatabaseProvision(server.connection(), Fence("op", 1), f"id-{name}", name, name, owner_password))
        done(DatabaseSafetyCopy(server.connection(), Fence("op", 1), f"id-{name}", name))

    def drop_of(name: str, attempt: int) -> DatabaseDrop:
        roles: tuple[DataRole, ...] = ("safety", "current")
        fence = Fence("op-drop", attempt)
        return DatabaseDrop(server.connection(), fence, f"id-{name}", roles, purge=True, owner=name)

    make("measure")
    length = measure(drop_of("measure", 1), tmp_path)
    hits = 0
    for number, moment in enumerate(moments(length, "drop")):
        name = f"gone{number}"
        make(name)

        def drop(attempt: int, name: str = name) -> DatabaseDrop:
            return drop_of(name, attempt)

        hits += kill_once(drop(1), tmp_path, moment)
        said = finish(drop(2), tmp_path)
        assert said.code == 0, said.text
        assert name not in server.databases()
        assert server.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)) == []
    assert hits >= 2  # the kills do meet the task


def test_filestore_tasks_killed_at_any_moment_lose_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    store = data / "filestore" / "shop"
    for number in range(8000):
        path = store / f"{number % 256:02x}" / f"{number:040x}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    before = {str(path.relative_to(store)): path.read_text() for path in store.rglob("*") if path.is_file()}
    length = measure(FilestoreSafetyCopy(Fence("op", 1), "id", str(data), "shop"), tmp_path)
    assert finish(FilestoreReturn(Fence("op", 1), "id", str(data), "shop"), tmp_path).code == 0
    hits = 0
    for number, moment in enumerate(moments(length, "filestore")):
        operation = f"op-{number}"
        for kind, limit in ((FilestoreSafetyCopy, 1.0), (FilestoreReturn, 0.6)):
            hits += kill_once(kind(Fence(operation, 1), "id", str(data), "shop"), tmp_path, moment * limit)
            said = finish(kind(Fence(operation, 2), "id", str(data), "shop"), tmp_path)
            assert said.code == 0, said.text
            if kind is FilestoreSafetyCopy:
                next(path for path in store.rglob("*") if path.is_file()).unlink()
                (store / "00" / f"new{number}").write_text("new")
        after = {str(path.relative_to(store)): path.read_text() for path in store.rglob("*") if path.is_file()}
        assert after == before
        assert {path.name for path in (data / ".mooring").iterdir()} == {"lock", "volume.json"}
    assert hits >= 2  # the kills do meet the task
