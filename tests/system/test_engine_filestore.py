# SPDX-License-Identifier: Apache-2.0
"""Filestore tasks on a real file system: what is copied, what comes back, and what a kill leaves."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.work.common import Fence
from mooring.domain.work.filestore import FilestoreDrop, FilestoreReturn, FilestoreSafetyCopy
from tests.support.engine_server import done, refused

FENCE = Fence("op-1", 1, wait_s=0)


def fill(data: Path, files: int = 20, word: str = "one") -> Path:
    """A filestore as Odoo lays it out, with a session beside it."""
    store = data / "filestore" / "shop"
    for number in range(files):
        path = store / f"{number % 16:02x}" / f"{word}{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{word} {number}")
    (store / "checklist").mkdir(parents=True, exist_ok=True)
    (data / "sessions").mkdir(exist_ok=True)
    (data / "sessions" / "abc").write_text("session")
    return store


def content(folder: Path) -> dict[str, str]:
    """Every file with its text."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def copy(data: Path, **changes: Any) -> FilestoreSafetyCopy:
    given: dict[str, Any] = {"fence": FENCE, "instance": "id-1", **changes}
    return FilestoreSafetyCopy(data_dir=str(data), database="shop", **given)


def back(data: Path, **changes: Any) -> FilestoreReturn:
    given: dict[str, Any] = {"fence": FENCE, "instance": "id-1", **changes}
    return FilestoreReturn(data_dir=str(data), database="shop", **given)


def drop(data: Path, *roles: Any, **changes: Any) -> FilestoreDrop:
    return FilestoreDrop(Fence("op-2", 1), "id-1", str(data), "shop", roles, **changes)


def ours(data: Path) -> set[str]:
    return {path.name for path in (data / ".mooring").iterdir()} - {"lock", "volume.json"}


def test_copy_and_return_bring_the_filestore_back(tmp_path: Path) -> None:
    store = fill(tmp_path)
    before = content(store)
    made = done(copy(tmp_path))
    assert (made["files"], made["method"], made["kept"]) == (20, "link", False)
    (store / "00" / "one0").unlink()
    fill(tmp_path, 3, "two")
    assert done(back(tmp_path)) == {"returned": True, "previous": None}
    assert content(store) == before
    assert (store / "checklist").is_dir()
    assert (tmp_path / "sessions" / "abc").read_text() == "session"
    assert ours(tmp_path) == set()


def test_copy_again_for_the_same_operation_keeps_the_first(tmp_path: Path) -> None:
    store = fill(tmp_path)
    before = content(store)
    done(copy(tmp_path))
    fill(tmp_path, 3, "two")
    again = done(copy(tmp_path, fence=Fence("op-1", 2)))
    assert (again["kept"], again["files"]) == (True, 20)
    done(back(tmp_path))
    assert content(store) == before


def test_copy_where_links_are_refused_copies_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise OSError(18, "EXDEV")

    store = fill(tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    assert done(copy(tmp_path))["method"] == "copy"
    (store / "00" / "one0").write_text("changed in place")
    done(back(tmp_path))
    assert (store / "00" / "one0").read_text() == "one 0"


@pytest.mark.parametrize("make_room", [True, False])
def test_copy_removes_older_copies_only_to_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, make_room: bool
) -> None:
    fill(tmp_path)
    done(copy(tmp_path, fence=Fence("op-0", 1)))
    older, real = tmp_path / ".mooring" / "safety-op-0", os.link
    assert done(copy(tmp_path, make_room=True))["dropped"] == []
    assert older.is_dir()
    done(drop(tmp_path, "safety", spare="op-0"))
    assert ours(tmp_path) == {"safety-op-0"}

    def full(*args: Any, **more: Any) -> None:
        if older.exists():
            raise OSError(errno.ENOSPC, "full", args[1])
        real(*args, **more)

    monkeypatch.setattr(os, "link", full)
    again = copy(tmp_path, fence=Fence("op-3", 1), make_room=make_room)
    if make_room:
        assert done(again)["dropped"] == ["safety-op-0"]
        assert ours(tmp_path) == {"safety-op-3"}
    else:
        assert "space" in refused(again, "MOOR-433")["brief"]
        assert "safety-op-0" in ours(tmp_path)


def test_copy_for_which_there_is_no_room_at_all_says_that_the_older_ones_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    done(copy(tmp_path, fence=Fence("op-0", 1)))

    def full(*args: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "full", args[1])

    monkeypatch.setattr(os, "link", full)
    refused(copy(tmp_path, make_room=True), "MOOR-431")
    assert not (tmp_path / ".mooring" / "safety-op-0").exists()


def test_copy_of_an_instance_without_a_filestore_returns_to_nothing(tmp_path: Path) -> None:
    assert done(copy(tmp_path))["method"] == "none"
    fill(tmp_path)
    assert done(back(tmp_path, keep=True)) == {"returned": True, "previous": ".mooring/previous-op-1"}
    assert content(tmp_path / "filestore" / "shop") == {}
    assert done(back(tmp_path, keep=True))["returned"] is False


def test_copy_never_follows_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    data = tmp_path / "data"
    store = fill(data)
    (store / "link").symlink_to(outside)
    (store / "00" / "file-link").symlink_to(outside / "secret")
    made = done(copy(data))
    assert set(made["skipped"]) == {"link", "00/file-link"}
    assert done(drop(data, "safety", "current", purge=True))["removed"] == [".mooring/safety-op-1", "filestore/shop"]
    assert (outside / "secret").read_text() == "secret"


@pytest.mark.parametrize("place", ["filestore", "filestore/shop", ".mooring"])
def test_folder_that_is_a_link_is_refused(tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    (outside / "shop").mkdir(parents=True)
    data = tmp_path / "data"
    (data / place).parent.mkdir(parents=True)
    (data / place).symlink_to(outside)
    refused(copy(data), "MOOR-433")
    assert list(outside.rglob("*")) == [outside / "shop"]


def test_volume_of_another_instance_is_left_alone(tmp_path: Path) -> None:
    store = fill(tmp_path)
    done(copy(tmp_path))
    fill(tmp_path, 2, "two")
    before = content(store)
    for document in (
        copy(tmp_path, instance="id-2"),
        back(tmp_path, instance="id-2"),
        FilestoreDrop(Fence("op-2", 1), "id-2", str(tmp_path), "shop", ("current",), purge=True),
    ):
        refused(document, "MOOR-432")
    assert content(store) == before


def test_stale_attempt_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    done(copy(tmp_path, fence=Fence("op-1", 3)))
    refused(copy(tmp_path, fence=Fence("op-1", 2)), "MOOR-424")


def test_return_without_a_copy_changes_nothing(tmp_path: Path) -> None:
    store = fill(tmp_path)
    before = content(store)
    refused(back(tmp_path), "MOOR-427")
    assert content(store) == before


def test_return_keeps_what_was_current_if_asked(tmp_path: Path) -> None:
    fill(tmp_path)
    done(copy(tmp_path))
    fill(tmp_path, 3, "two")
    made = done(back(tmp_path, keep=True))
    assert len(content(tmp_path / made["previous"] / "filestore")) == 23
    assert done(drop(tmp_path, "previous"))["removed"] == [made["previous"]]


def test_drop_takes_only_the_operation_that_is_named(tmp_path: Path) -> None:
    store = fill(tmp_path)
    done(copy(tmp_path))
    done(copy(tmp_path, fence=Fence("op-9", 1)))
    assert done(drop(tmp_path, "safety", operation="op-9"))["removed"] == [".mooring/safety-op-9"]
    assert len(content(store)) == 20
    assert ours(tmp_path) == {"safety-op-1"}


def test_volume_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in refused(copy(tmp_path / "nowhere"), "MOOR-433")["brief"]


class Killed(BaseException):
    """The process is gone."""


def kill_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """From the `number`th change of the file system on, none happens; tells how many there were."""
    count = 0

    def guard(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count > number:
                raise Killed
            return real(*args, **more)

        return call

    for name in ("mkdir", "link", "rename", "replace", "unlink", "rmdir"):
        monkeypatch.setattr(os, name, guard(getattr(os, name)))
    return lambda: count


def test_kill_at_every_change_then_again_ends_as_one_run_would(tmp_path: Path) -> None:
    """Copy, write, return, with a kill at each single change: the run after it finishes; data is one of both, whole."""
    step = 0
    points: list[str] = []
    while True:
        data = tmp_path / str(step)
        store = fill(data, 5)
        before = content(store)
        stage = "copy"
        with pytest.MonkeyPatch.context() as patch:
            told = kill_at(step, patch)
            try:
                done(copy(data))
                stage = "write"
                (store / "00" / "one0").unlink()
                (store / "00" / "two").write_text("two")
                stage = "return"
                done(back(data))
                stage = "end"
            except Killed:
                pass
        if stage == "end":
            assert told() <= step
            break
        points.append(stage)
        if stage == "copy":
            done(copy(data, fence=Fence("op-1", 2)))
        done(back(data, fence=Fence("op-1", 2)))
        assert content(store) == before, f"killed at change {step}"
        assert ours(data) == set()
        step += 1
    assert points.count("copy") > 10
    assert points.count("return") > 10


def test_copy_of_odd_file_names_keeps_them(tmp_path: Path) -> None:
    picks = random.Random(7)
    store = fill(tmp_path, 0)
    for number in range(30):
        name = "".join(picks.choice("aé -_.%'\"\\") for _ in range(8)).strip(".") + str(number)
        (store / name).write_text(name)
    before = content(store)
    done(copy(tmp_path))
    done(back(tmp_path))
    assert content(store) == before
