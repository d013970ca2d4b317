# SPDX-License-Identifier: Apache-2.0
"""Encrypted backups and restores through a real S3 server: faults of the way, a store that is gone, and damage.

One PostgreSQL, one S3 server and one database are shared; each test has a prefix of the bucket for itself.
"""

from __future__ import annotations

import random
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mooring.domain.repository import names
from mooring.domain.repository.manifest import StreamRef
from mooring.domain.work.codec import Document
from mooring.domain.work.common import Fence
from mooring.domain.work.names import beside
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.repository_work import RepositoryPrune, SnapshotList
from mooring.domain.work.restore import SnapshotChoice
from mooring.drivers.objects.retry import RetryPolicy
from mooring.engine.backup.lists import read_files, ref_of
from mooring.engine.backup.store import open_restore_store
from mooring.engine.repository import opened
from mooring.engine.repository.opened import open_settings, store_of
from tests.support.backup_world import World, make_world
from tests.support.engine_server import done, postgres, refused
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.odoo_like import add_files, fingerprint
from tests.support.s3_servers import BUCKET, S3Server, free_port, rclone_server
from tests.system.test_backup_files import content
from tests.system.test_backup_kills import run as run_as_process

pytestmark = pytest.mark.real
PASSPHRASE = "correct horse: battery\\staple"


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as found:
        yield found


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("s3")
    with postgres(folder, "postgres:15") as server:
        world = make_world(server, folder, big_mb=4, files=20)
        dice = random.Random(3)
        add_files(server, world.name, world.filestore, [dice.randbytes(200_000) for _ in range(10)])
        yield world


@pytest.fixture
def proxy(rclone: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(rclone.port) as made:
        yield made


@pytest.fixture
def world(instance: World, rclone: S3Server, proxy: FaultProxy) -> Iterator[World]:
    """The instance with a repository of its own behind the proxy; its files are afterwards as before."""
    settings = RepositorySettings(
        f"s3://{BUCKET}/{uuid.uuid4().hex}",
        endpoint=proxy.endpoint,
        credentials_dir=str(rclone.credentials),
        passphrase_file=instance.server.secret(PASSPHRASE),
        client="installation-1",
    )
    kept = instance.home / "kept"
    shutil.copytree(instance.filestore, kept)
    yield replace(instance, repository=settings)
    shutil.rmtree(instance.data)
    instance.filestore.parent.mkdir(parents=True)
    kept.rename(instance.filestore)
    for left in instance.server.databases() - {instance.name}:
        instance.server.query(f"DROP DATABASE {left} WITH (FORCE)")


def fail(proxy: FaultProxy, fault: Fault, *, where: Callable[[str, str, int], bool] = lambda *_: True) -> None:
    """From now on these requests meet the fault."""
    proxy.choose = lambda method, path, number: fault if where(method, path, number) else "none"


def mend(proxy: FaultProxy) -> None:
    """From now on all requests go through."""
    proxy.choose = lambda _method, _path, _number: "none"


def lose_files(world: World) -> None:
    """Every other file of the instance is gone, so that a restore has to fetch it, and one is there that was not."""
    for path in sorted(one for one in world.filestore.rglob("*") if one.is_file())[::2]:
        path.unlink()
    (world.filestore / "since").write_text("since")


def add_row(world: World) -> None:
    """The database changes."""
    world.server.query(
        "INSERT INTO res_partner (name) VALUES ('since'); REFRESH MATERIALIZED VIEW partner_count", database=world.name
    )


class Now:
    """What the instance is at this moment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows, self.files = fingerprint(world.server, world.name), content(world.filestore)

    def check_current(self) -> None:
        """The instance still is as it was."""
        assert fingerprint(self.world.server, self.world.name) == self.rows
        assert content(self.world.filestore) == self.files
        assert self.world.server.mark(self.world.name)["role"] == "current"

    def check_built(self) -> None:
        """What the test's operation built beside is as the instance was."""
        name = beside(self.world.instance, role="building", operation=fence(self.world).operation)
        folder = self.world.data / "filestore" / name
        assert fingerprint(self.world.server, name) == self.rows
        assert content(folder) == self.files


def prefix(world: World) -> str:
    """The repository's place in the bucket; of this test alone."""
    return world.settings.url.rpartition("/")[2]


def fence(world: World, attempt: int = 1) -> Fence:
    """Of the test's one operation: the marks on database and volume know the attempts of earlier tests' ones."""
    return Fence(f"op-{prefix(world)[:8]}", attempt, wait_s=20)


def restore_all(world: World, attempt: int = 1) -> None:
    """Database and files, beside the instance's own."""
    done(world.restore(fence=fence(world, attempt)))
    done(world.restore_files(fence=fence(world, attempt)))


def all_tasks(world: World, settings: RepositorySettings) -> tuple[Document, ...]:
    """What is asked of a repository."""
    return (
        world.backup(repository=settings, fence=fence(world)),
        world.restore(repository=settings, fence=fence(world)),
        world.restore_files(repository=settings, fence=fence(world)),
        RepositoryPrune(settings),
        SnapshotList(settings),
    )


def check_nothing_left(world: World) -> None:
    """No task left files aside, scratch or sessions."""
    assert {path.name for path in (world.data / ".mooring").iterdir()} <= {"lock", "volume.json"}
    assert list((world.home / "scratch").iterdir()) == []
    ours = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'mooring/%'"
    # A session that was just closed may show for a moment.
    until = time.monotonic() + 5
    while left := world.server.query(ours):
        assert time.monotonic() < until, left
        time.sleep(0.05)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks give a store up after a second instead of minutes."""
    monkeypatch.setattr(opened, "RetryPolicy", lambda: RetryPolicy(patience_s=1.0))


def test_tasks_take_an_encrypted_backup_to_s3_and_bring_it_back(world: World, rclone: S3Server) -> None:
    before = Now(world)
    run_as_process(world.backup(fence=fence(world)), world)
    manifest = world.manifest()
    assert (manifest.state, manifest.filestore and manifest.filestore.count) == ("Complete", 30)
    stored = [path.read_bytes() for path in (rclone.data / BUCKET / prefix(world)).rglob("*") if path.is_file()]
    assert stored
    assert not [one for one in stored if world.name.encode() in one or next(iter(before.files.values())) in one]
    add_row(world)
    lose_files(world)
    since = Now(world)
    run_as_process(world.restore(fence=fence(world)), world)
    run_as_process(world.restore_files(fence=fence(world)), world)
    since.check_current()
    before.check_built()
    check_nothing_left(world)


@pytest.mark.parametrize(
    "fault", ["500", "cut", *(pytest.param(one, marks=pytest.mark.full) for one in ("503", "gone", "lost", "slow"))]
)
def test_faults_of_the_way_are_overcome_by_backup_and_restore(world: World, proxy: FaultProxy, fault: Fault) -> None:
    before = Now(world)
    fail(proxy, fault, where=lambda _method, _path, number: number % 3 == 1)
    done(world.backup(fence=fence(world)))
    backup = len(proxy.seen)
    assert fault in {seen[2] for seen in proxy.seen}
    lose_files(world)
    since = Now(world)
    restore_all(world)
    assert fault in {seen[2] for seen in proxy.seen[backup:]}
    mend(proxy)
    assert [one.state for one in world.manifests()] == ["Complete"]
    since.check_current()
    before.check_built()


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [pytest.param("gone", "MOOR-368", "does not write", marks=pytest.mark.full), ("503", "MOOR-368", "503")],
    ids=["gone", "503"],
)
def test_store_that_stays_away_fails_typed_and_the_next_run_succeeds(
    world: World, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, *, fault: Fault, code: str, words: str
) -> None:
    before = Now(world)
    with monkeypatch.context() as patched:
        impatient(patched)
        # The way there is good until the first pack is sent.
        fail(proxy, fault, where=once_seen(lambda method, path: method == "PUT" and "/packs/" in path))
        said = refused(world.backup(fence=fence(world)), code)
        assert words in said["brief"] + said["details"]
        assert said["resolution"]
        mend(proxy)
        assert world.manifests() == []
        check_nothing_left(world)
        done(world.backup(fence=fence(world, 2)))
        lose_files(world)
        since = Now(world)
        for document in (world.restore(fence=fence(world)), world.restore_files(fence=fence(world))):
            fail(proxy, fault, where=once_seen(lambda _method, path: "/packs/" in path))
            refused(document, code)
            since.check_current()
        mend(proxy)
    restore_all(world, 2)
    before.check_built()


def test_store_where_nobody_listens_is_said_so_by_every_task(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Now(world)
    impatient(monkeypatch)
    nobody = replace(world.settings, endpoint=f"http://127.0.0.1:{free_port()}")
    for document in all_tasks(world, nobody):
        said = refused(document, "MOOR-360")
        assert "cannot be reached" in said["brief"]
        assert "endpoint" in said["resolution"]
    before.check_current()
    check_nothing_left(world)


def once_seen(begins: Callable[[str, str], bool]) -> Callable[[str, str, int], bool]:
    """True for the first request that begins it, and for all that follow."""
    begun: list[bool] = []

    def where(method: str, path: str, _number: int) -> bool:
        if begins(method, path):
            begun.append(True)
        return bool(begun)

    return where


def stream_of(world: World, part: str) -> StreamRef:
    """The largest table's content, or a file's."""
    with open_restore_store(world.settings, SnapshotChoice(world.instance, "default", "latest")) as store:
        manifest = store.manifest
        assert manifest.database
        assert manifest.filestore
        if part == "database":
            return max((one.stream for one in manifest.database.entries), key=lambda one: one.size)
        return max((ref_of(rest) for _, rest in read_files(store, manifest.filestore)), key=lambda one: one.size)


@pytest.mark.parametrize("part", ["database", "files"])
@pytest.mark.parametrize("damage", ["flipped", pytest.param("deleted", marks=pytest.mark.full)])
def test_damaged_pack_in_the_bucket_is_named_and_nothing_current_is_touched(
    world: World, *, part: str, damage: str
) -> None:
    before = Now(world)
    done(world.backup(fence=fence(world)))
    add_row(world)
    shutil.rmtree(world.filestore)
    world.filestore.mkdir()
    since = Now(world)
    scope = names.scope_of("none", instance=world.instance, namespace="default")
    table = open_settings(world.settings).catalog(scope).table
    place = table.find(bytes.fromhex(stream_of(world, part).id))
    assert place is not None
    pack = table.packs[place.pack]
    key = names.pack(scope, pack.id)
    store = store_of(world.settings)
    whole = store.get(key)
    if damage == "deleted":
        assert store.delete([key]) == []
    else:
        flipped = bytearray(whole)
        flipped[place.blob.offset + place.blob.stored // 2] ^= 4
        store.put(key, bytes(flipped))
    document: Document = (
        world.restore(fence=fence(world)) if part == "database" else world.restore_files(fence=fence(world))
    )
    said = refused(document, {"flipped": "MOOR-455", "deleted": "MOOR-364"}[damage])
    assert pack.id.hex() in said["brief"] + said["details"]
    assert "mooring repository check" in said["resolution"]
    since.check_current()
    store.put(key, whole)
    restore_all(world, 2)
    since.check_current()
    before.check_built()
    check_nothing_left(world)
