# SPDX-License-Identifier: Apache-2.0
"""Backup and restore killed by SIGKILL at seeded moments: nothing is lost, nothing is left over, the next run succeeds."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.domain.work.codec import Document
from mooring.domain.work.common import Fence
from mooring.domain.work.names import beside
from tests.support.backup_world import World, make_world
from tests.support.engine_server import Server, done, postgres
from tests.support.odoo_like import add_files, fingerprint
from tests.system.test_engine_kills import finish, kill_once, measure

pytestmark = pytest.mark.real
# In `make test` a few, in `make test-full` many.
FEW_OR_MANY = pytest.mark.parametrize("kills", [5, pytest.param(15, marks=pytest.mark.full)])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("kills"), "postgres:15") as found:
        yield found


def moments(length_s: float, seed: str, count: int) -> list[float]:
    """Moments within a run of that length."""
    picks = random.Random(f"{seed} {count}")
    return [picks.uniform(0, length_s) for _ in range(count)]


def content(folder: Path) -> dict[str, bytes]:
    """Every file with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_for_no_programs(world: World) -> None:
    """PostgreSQL's clients that worked on the instance are gone within 3 s, stopped ones too."""
    until = time.monotonic() + 3
    while left := [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists() and b"pg_" in (text := read(path)) and world.owner().host.encode() in text
        and str(world.home).encode() in text
    ]:  # fmt: skip
        assert time.monotonic() < until, f"left over: {left}"
        time.sleep(0.1)


def read(path: Path) -> bytes:
    """The file's content, empty when the process is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def run(document: Document, world: World) -> None:
    """Run it as a process; it has to succeed."""
    said = finish(document, world.home)
    assert said.code == 0, said.text


@FEW_OR_MANY
def test_backup_killed_at_any_moment_leaves_no_part_of_a_snapshot(server: Server, tmp_path: Path, kills: int) -> None:
    world = make_world(server, tmp_path, big_mb=10, files=300)
    # A small room makes the dump pause: also a stopped worker has to go.
    length = measure(world.backup(scratch_bytes=60 << 20), world.home)
    hits = 0
    for number, moment in enumerate(moments(length, "backup", kills)):
        add_files(server, world.name, world.filestore, [f"new {number}".encode()])
        before = len(world.manifests())
        fence = Fence(f"op-{number}", 1, wait_s=10)
        hits += kill_once(world.backup(fence=fence, scratch_bytes=60 << 20), world.home, moment)
        wait_for_no_programs(world)
        assert len(world.manifests()) - before in (0, 1)
        run(world.backup(fence=Fence(f"op-{number}", 2, wait_s=10)), world)
        manifest = world.manifest()
        assert manifest.filestore is not None
        assert (manifest.state, manifest.filestore.count) == ("Complete", 301 + number)
        assert {path.name for path in (world.data / ".mooring").iterdir()} == {"lock", "volume.json"}
        assert list((world.home / "scratch").iterdir()) == []
    assert hits >= kills // 3  # the kills do meet the task
    done(world.restore())
    done(world.restore_files())
    assert fingerprint(server, world.building) == fingerprint(server, world.name)
    assert content(world.data / "filestore" / world.building) == content(world.filestore)


@FEW_OR_MANY
def test_restore_and_swap_killed_at_any_moment_lose_nothing(server: Server, tmp_path: Path, kills: int) -> None:
    world = make_world(server, tmp_path, big_mb=10, files=300)
    done(world.backup())
    wanted, files = fingerprint(server, world.name), content(world.filestore)
    hits = {"database": 0, "files": 0, "swap": 0, "swap files": 0}
    lengths: dict[str, float] = {}

    def meet(kind: str, document: Document, again: Document, *, number: int) -> None:
        if kind not in lengths:
            lengths[kind] = measure(document, world.home)
            return
        hits[kind] += kill_once(document, world.home, moments(lengths[kind], kind, kills)[number - 1])
        wait_for_no_programs(world)
        run(again, world)

    for number in range(kills + 1):
        first, second = Fence(f"op-{number}", 1, wait_s=20), Fence(f"op-{number}", 2, wait_s=20)
        building = beside(world.instance, role="building", operation=first.operation)
        server.query(f"INSERT INTO res_partner (name) VALUES ('since {number}')", database=world.name)
        gone = sorted(files)[number]
        (world.filestore / gone).unlink()
        (world.filestore / f"since-{number}").write_text("since")
        now, files_now = fingerprint(server, world.name), content(world.filestore)

        meet("database", world.restore(fence=first), world.restore(fence=second), number=number)
        assert fingerprint(server, building) == wanted
        assert fingerprint(server, world.name) == now
        kinds = world.restore_files
        meet("files", kinds(fence=first), kinds(fence=second), number=number)
        assert content(world.data / "filestore" / building) == files
        assert content(world.filestore) == files_now

        meet("swap", world.swap(fence=first), world.swap(fence=second), number=number)
        meet("swap files", world.swap_files(fence=first), world.swap_files(fence=second), number=number)
        assert fingerprint(server, world.name) == wanted
        assert content(world.filestore) == files
        previous = beside(world.instance, role="previous", operation=first.operation)
        assert server.mark(previous)["role"] == "previous"
        server.query(f"ALTER DATABASE {previous} ALLOW_CONNECTIONS true")
        assert fingerprint(server, previous) == now
        server.query(f"DROP DATABASE {previous}")
        assert content(world.data / ".mooring" / f"previous-{first.operation}" / "filestore") == files_now
    mine = {beside(world.instance, role="building", operation=f"op-{number}") for number in range(kills + 1)}
    assert not mine & server.databases()
    assert hits["database"] >= kills // 3
    assert hits["files"] >= kills // 7
