# SPDX-License-Identifier: Apache-2.0
"""The filestore's part of backups and restores: a real database, a real file system, a real repository."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tarfile
import time
from collections.abc import Generator, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.repository.manifest import StreamRef
from mooring.domain.work.backup import NamedFolder
from mooring.domain.work.common import Fence
from mooring.domain.work.errors import FilestoreFailed
from mooring.domain.work.filestore import FilestoreDrop
from mooring.engine.backup import exported
from mooring.engine.backup import files as files_module
from mooring.engine.backup.lists import read_files
from mooring.engine.backup.store import open_restore_store
from mooring.engine.report import Reporter
from mooring.engine.repository.errors import BlobMissing
from mooring.engine.repository.opened import OpenBackup
from mooring.engine.restore import files as restoring
from tests.support.backup_world import World, make_world
from tests.support.engine_server import Server, done, postgres, refused
from tests.support.odoo_like import add_files

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("files"), "postgres:15") as found:
        yield found


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    return make_world(server, tmp_path)


def content(folder: Path) -> dict[str, bytes]:
    """Every file with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(world: World) -> list[str]:
    """What the newest snapshot's list holds."""
    filestore = world.manifest().filestore
    assert filestore is not None
    with open_restore_store(world.settings, world.restore_files().source) as store:
        return [name.decode() for name, _ in read_files(store, filestore)]


def missing(world: World) -> dict[str, str]:
    """What the newest snapshot says is missing."""
    filestore = world.manifest().filestore
    assert filestore is not None
    return {one.name: one.reason for one in filestore.missing}


def forget(server: Server, world: World, fname: str) -> None:
    """Delete the attachment's row."""
    server.query("DELETE FROM ir_attachment WHERE store_fname = %s", (fname,), database=world.name)


class Writes:
    """Counts what is written, by how it is cut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files = 0
        original = OpenBackup.write

        def write(store: OpenBackup, pieces: Iterable[Any], *, cut: Any) -> StreamRef:
            self.files += cut.value == "fixed"
            return original(store, pieces, cut=cut)

        monkeypatch.setattr(OpenBackup, "write", write)


def test_files_come_back_as_they_were(server: Server, world: World) -> None:
    add_files(server, world.name, world.filestore, [os.urandom(9 << 20), b""])
    result = done(world.backup())
    assert (result["files"], result["missing"], result["state"]) == (22, 0, "Complete")
    before = content(world.filestore)
    assert sorted(before) == names(world)
    for path in world.filestore.rglob("*"):
        if path.is_file():
            path.unlink()
    done(world.restore())
    restored = done(world.restore_files())
    assert (restored["files"], restored["fetched"], restored["linked"], restored["missing"]) == (22, 22, 0, [])
    folder = world.data / restored["folder"]
    assert folder == world.data / "filestore" / world.building
    assert content(folder) == before
    assert not (world.data / ".mooring" / "building-op-r.building").exists()


def test_files_that_a_killed_restore_wrote_in_part_are_fetched_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(world.backup())
    before = content(world.filestore)
    for path in world.filestore.rglob("*"):
        if path.is_file():
            path.unlink()
    done(world.restore())

    def cut(folder: Path) -> None:
        for number, path in enumerate(
            sorted(one for one in folder.rglob("*") if one.is_file() and one.name != "snapshot")
        ):
            if number < 3:
                path.write_bytes(b"\0" * path.stat().st_size)
            elif number < 6:
                path.write_bytes(path.read_bytes()[:-1])
        raise OSError(errno.EIO, "as if killed", str(folder))

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "sync_all", cut)
        with pytest.raises(FilestoreFailed):
            restoring.ensure_restored(world.restore_files(), Reporter(lambda _: None))
    restored = done(world.restore_files())
    assert (restored["files"], restored["fetched"], restored["linked"]) == (20, 6, 0)
    assert content(world.data / restored["folder"]) == before


def test_files_that_are_there_are_linked_not_fetched(server: Server, world: World) -> None:
    done(world.backup())
    before = content(world.filestore)
    damaged = world.filestore / min(before)
    size = damaged.stat().st_size
    damaged.write_bytes(b"x" * size)
    (world.filestore / sorted(before)[1]).unlink()
    done(world.restore())
    restored = done(world.restore_files())
    assert (restored["fetched"], restored["linked"]) == (2, 18)
    folder = world.data / restored["folder"]
    assert content(folder) == before
    third = sorted(before)[2]
    assert (folder / third).stat().st_ino == (world.filestore / third).stat().st_ino


def test_second_backup_reads_only_what_is_new(server: Server, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done(world.backup())
    added = add_files(server, world.name, world.filestore, [b"another one"])
    gone = names(world)[3]
    forget(server, world, gone)
    writes = Writes(monkeypatch)
    result = done(world.backup(fence=Fence("op-b2", 1)))
    assert writes.files == 1
    assert (result["files"], result["state"]) == (20, "Complete")
    assert sorted(names(world)) == names(world)
    assert set(added) < set(names(world))
    assert gone not in names(world)


def test_difference_lists_have_one_base_and_are_made_anew_when_large(server: Server, world: World) -> None:
    lists = []
    for number in range(4):
        done(world.backup(fence=Fence(f"op-{number}", 1)))
        filestore = world.manifest().filestore
        assert filestore is not None
        lists.append(filestore)
        contents = [f"more {number} {index}".encode() for index in range((1, 1, 30, 0)[number])]
        add_files(server, world.name, world.filestore, contents)
    assert lists[0].base is None
    assert lists[1].base == lists[0].list
    assert lists[2].base == lists[0].list
    assert lists[3].base is None
    assert [one.count for one in lists] == [20, 21, 22, 52]
    rows = server.query("SELECT DISTINCT store_fname FROM ir_attachment", database=world.name)
    assert names(world) == sorted(row[0] for row in rows)


def test_files_that_were_broken_before_are_listed_and_come_back_as_broken(server: Server, world: World) -> None:
    every = sorted(content(world.filestore))
    (world.filestore / every[0]).unlink()
    (world.filestore / every[1]).write_bytes(b"fi")
    truncated = b"fi"
    altered = b"other" + b"!" * 500
    (world.filestore / every[2]).write_bytes(altered)
    (world.filestore / every[3]).unlink()
    (world.filestore / every[3]).mkdir()
    (world.filestore / every[4]).unlink()
    (world.filestore / every[4]).symlink_to("/etc/passwd")
    server.query("INSERT INTO ir_attachment (store_fname) VALUES ('../../../etc/passwd')", database=world.name)
    result = done(world.backup())
    assert (result["state"], result["missing"], result["lost"], result["files"]) == ("Incomplete", 6, 0, 15)
    assert missing(world) == {
        every[0]: "missing",
        every[1]: "truncated",
        every[2]: "altered",
        every[3]: "missing",
        every[4]: "missing",
        "../../../etc/passwd": "missing",
    }
    done(world.restore())
    restored = done(world.restore_files())
    found = content(world.data / restored["folder"])
    assert {one["name"] for one in restored["missing"]} == set(missing(world))
    assert sorted(found) == sorted([*names(world), every[1], every[2]])
    assert (found[every[1]], found[every[2]]) == (truncated, altered)


def test_files_lost_since_the_last_snapshot_are_said_to_be_lost(world: World) -> None:
    done(world.backup())
    lost = names(world)[5]
    (world.filestore / lost).unlink()
    result = done(world.backup(fence=Fence("op-b2", 1)))
    assert (result["state"], result["missing"], result["lost"], result["attempts"]) == ("Incomplete", 1, 1, 2)
    assert missing(world) == {lost: "lost"}
    again = done(world.backup(fence=Fence("op-b3", 1)))
    assert (again["state"], again["missing"], again["attempts"]) == ("Incomplete", 1, 1)


def test_file_that_comes_back_is_backed_up_again(world: World) -> None:
    done(world.backup())
    name = names(world)[5]
    kept = (world.filestore / name).read_bytes()
    (world.filestore / name).unlink()
    done(world.backup(fence=Fence("op-b2", 1)))
    (world.filestore / name).write_bytes(kept)
    assert done(world.backup(fence=Fence("op-b3", 1)))["state"] == "Complete"
    assert name in names(world)


def test_backup_whose_last_list_cannot_be_read_is_whole_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done(world.backup())

    def read(_store: OpenBackup, ref: StreamRef) -> Iterator[bytes]:
        raise BlobMissing(f"No index names blob {ref.id}.")

    monkeypatch.setattr(OpenBackup, "read", read)
    assert done(world.backup(fence=Fence("op-b2", 1)))["files"] == 20
    filestore = world.manifest().filestore
    assert filestore is not None
    assert filestore.base is None
    assert len(names(world)) == 20


def test_garbage_collection_between_list_and_link_is_met_by_a_fresh_snapshot(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = sorted(content(world.filestore))[7]
    original = exported.stream_names

    def collect(session: Any) -> Generator[tuple[str, int | None], None, None]:
        if (world.filestore / collected).exists():
            forget(server, world, collected)
            (world.filestore / collected).unlink()
        yield from original(session)

    monkeypatch.setattr("mooring.engine.backup.source.stream_names", collect)
    result = done(world.backup())
    assert (result["state"], result["attempts"], result["files"]) == ("Complete", 2, 19)
    assert collected not in names(world)


@pytest.mark.parametrize("links", [True, False], ids=["linked", "no hard links"])
def test_garbage_collection_during_the_reading_takes_nothing(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    collected = sorted(content(world.filestore))[7]
    original = files_module.FilesBackup.keep

    def collect(self: Any, *args: Any) -> Any:
        if (world.filestore / collected).exists():
            forget(server, world, collected)
            (world.filestore / collected).unlink()
        return original(self, *args)

    link = os.link

    def refuse(old: Any, new: Any, **more: Any) -> None:
        if ".mooring" in str(new):
            raise OSError(18, "EXDEV")
        link(old, new, **more)

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(files_module.FilesBackup, "keep", collect)
    result = done(world.backup())
    assert result["state"] == "Complete"
    assert (result["attempts"], result["files"]) == ((1, 20) if links else (2, 19))
    assert not [path for path in (world.data / ".mooring").iterdir() if path.name.startswith("backup-")]


def test_files_kept_elsewhere_are_counted_and_said(server: Server, world: World) -> None:
    server.query(
        "INSERT INTO ir_attachment (store_fname) VALUES ('s3://bucket/a'), ('s3://bucket/b'), ('my_fs://c')",
        database=world.name,
    )
    assert done(world.backup())["external"] == 3
    filestore = world.manifest().filestore
    assert filestore is not None
    assert [(one.scheme, one.count) for one in filestore.external] == [("my_fs", 1), ("s3", 2)]


def test_restore_of_files_compares_with_the_database(server: Server, world: World) -> None:
    done(world.backup())
    done(world.restore())
    server.query("INSERT INTO ir_attachment (store_fname) VALUES ('ab/ab12')", database=world.building)
    fault = refused(world.restore_files(), "MOOR-483")
    assert fault["details"] == "ab/ab12"
    assert not (world.data / "filestore" / world.building).exists()
    server.query("DELETE FROM ir_attachment WHERE store_fname = 'ab/ab12'", database=world.building)
    assert done(world.restore_files(fence=Fence("op-r", 2)))["kept"] is False
    assert done(world.restore_files(fence=Fence("op-r", 2)))["kept"] is True


def test_swap_of_files_makes_the_restored_current_and_back(world: World) -> None:
    done(world.backup())
    before = content(world.filestore)
    gone = min(before)
    (world.filestore / gone).unlink()
    (world.filestore / "ab").mkdir(exist_ok=True)
    (world.filestore / "ab" / "written-since").write_text("since")
    done(world.restore())
    done(world.restore_files())
    result = done(world.swap_files())
    assert result == {"swapped": True, "previous": ".mooring/previous-op-r"}
    assert content(world.filestore) == before
    assert done(world.swap_files()) == {**result, "swapped": False}
    done(world.swap_files(fence=Fence("op-back", 1), take="previous", replaced_by="op-r"))
    assert (world.filestore / "ab" / "written-since").read_text() == "since"
    assert not (world.filestore / gone).exists()
    refused(world.swap_files(fence=Fence("op-other", 1)), "MOOR-484")


@pytest.mark.parametrize("there", [True, False], ids=["files before", "none before"])
def test_swap_of_files_taken_back_leaves_what_was_built_to_be_dropped(world: World, *, there: bool) -> None:
    done(world.backup())
    if not there:
        shutil.rmtree(world.filestore)
    done(world.restore())
    done(world.restore_files())
    back = {"take": "previous", "replaced_by": "op-r", "back_as": "building", "back_of": "op-r"}
    # Before the swap there is nothing to take back, and that is no failure.
    assert done(world.swap_files(fence=Fence("op-back", 1), **back)) == {"swapped": False, "previous": None}
    assert world.filestore.exists() is there
    done(world.swap_files())
    result = done(world.swap_files(fence=Fence("op-back", 2), **back))
    assert result == {"swapped": True, "previous": ".mooring/building-op-r"}
    assert done(world.swap_files(fence=Fence("op-back", 3), **back)) == {**result, "swapped": False}
    assert world.filestore.exists() is there
    drop = FilestoreDrop(Fence("op-x", 1), world.instance, str(world.data), world.name, ("building",), "op-r")
    assert done(drop)["removed"] == [".mooring/building-op-r"]
    assert [path.name for path in (world.data / ".mooring").iterdir() if path.is_dir()] == []


def test_drop_takes_what_was_built(world: World) -> None:
    done(world.backup())
    done(world.restore())
    folder = done(world.restore_files())["folder"]
    drop = FilestoreDrop(Fence("op-x", 1), world.instance, str(world.data), world.name, ("building",), "op-r")
    assert done(drop)["removed"] == [folder]
    assert len(content(world.filestore)) == 20


def test_database_alone_and_filestore_alone(world: World) -> None:
    done(world.backup(with_filestore=False, data_dir=None))
    assert world.manifest().filestore is None
    time.sleep(1)
    done(world.backup(fence=Fence("op-b2", 1), with_database=False))
    assert world.manifest().database is None
    assert len(names(world)) == 20
    refused(world.restore(), "MOOR-481")


def test_addons_and_settings_come_with_it_without_secrets(world: World) -> None:
    addons = world.home / "addons" / "mooring_demo"
    (addons / "__pycache__").mkdir(parents=True)
    (addons / ".git").mkdir()
    (addons / ".git" / "config").write_text("url = https://token@example.test")
    (addons / "__manifest__.py").write_text("{}")
    (addons / "link").symlink_to("__manifest__.py")
    (addons.parent / "requirements.txt").write_text("phonenumbers\n")
    conf = world.home / "odoo.conf"
    conf.write_text(
        "[options]\nadmin_passwd = topsecret\nworkers = 2\nsmtp_password = alsosecret\n more\nlist_db = False\n"
    )
    document = world.backup(
        addons=(NamedFolder("custom", str(world.home / "addons")),),
        odoo_conf_file=str(conf),
        instance_manifest='{"kind": "OdooInstance"}',
    )
    done(document)
    manifest = world.manifest()
    files = {one.name: world.content(one.stream).decode() for one in manifest.files}
    assert json.loads(files["instance.json"]) == {"kind": "OdooInstance"}
    assert "workers = 2\n" in files["odoo.conf"]
    assert "list_db = False\n" in files["odoo.conf"]
    assert "secret" not in files["odoo.conf"]
    assert "more" not in files["odoo.conf"]
    with tarfile.open(fileobj=BytesIO(world.content(manifest.addons[0].stream))) as archive:
        assert archive.getnames() == [
            "mooring_demo",
            "mooring_demo/__manifest__.py",
            "mooring_demo/link",
            "requirements.txt",
        ]
    done(world.backup(**{**vars(document), "fence": Fence("op-b2", 1)}))
    assert world.manifest().addons == manifest.addons


def test_volume_of_another_instance_is_refused(world: World) -> None:
    done(world.backup())
    path = world.data / ".mooring" / "volume.json"
    path.write_text(path.read_text().replace(world.instance, "another"))
    refused(world.backup(fence=Fence("op-b2", 1)), "MOOR-432")
    assert len(world.manifests()) == 1
