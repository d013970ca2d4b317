# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from mooring.drivers.files import NotWritable
from mooring.drivers.paths import NoHome
from mooring.drivers.sqlite_errors import StateCorrupt, StateTooNew
from mooring.drivers.state import StateDir, StateDirForeign, default_state_dir
from tests.support.people import as_nobody, names


@pytest.mark.parametrize(
    ("environ", "uid", "path"),
    [
        pytest.param({"HOME": "/root"}, 0, "/var/lib/mooring", id="root"),
        pytest.param({"HOME": "/root", "XDG_STATE_HOME": "/x"}, 0, "/var/lib/mooring", id="root ignores XDG"),
        pytest.param({"MOORING_HOME": "/m"}, 0, "/m", id="root with MOORING_HOME"),
        pytest.param({"HOME": "/home/a"}, 1000, "/home/a/.local/state/mooring", id="user"),
        pytest.param({"HOME": "/home/a", "XDG_STATE_HOME": "/x"}, 1000, "/x/mooring", id="user with XDG"),
        pytest.param(
            {"HOME": "/home/a", "XDG_STATE_HOME": "x"},
            1000,
            "/home/a/.local/state/mooring",
            id="relative XDG is ignored",
        ),
        pytest.param({"HOME": "/home/a", "MOORING_HOME": "/m"}, 1000, "/m", id="user with MOORING_HOME"),
        pytest.param(
            {"HOME": "/home/a", "MOORING_HOME": ""}, 1000, "/home/a/.local/state/mooring", id="empty is unset"
        ),
    ],
)
def test_default_state_dir_follows_the_environment(environ: dict[str, str], uid: int, path: str) -> None:
    assert default_state_dir(environ, uid) == Path(path)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "a"}, {"HOME": "/a", "MOORING_HOME": "m"}], ids=str)
def test_default_state_dir_without_absolute_home_says_so(environ: dict[str, str]) -> None:
    with pytest.raises(NoHome):
        default_state_dir(environ, 1000)


def test_open_makes_the_layout_for_its_owner_alone(tmp_path: Path) -> None:
    state = StateDir.open(tmp_path / "a" / "state")
    assert names(state.path) == ["installation", "locks", "secrets", "version"]
    assert (state.locks, state.secrets) == (state.path / "locks", state.path / "secrets")
    assert state.documents == state.path / "state.db"
    for folder in (state.path, state.locks, state.secrets):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert (state.path / "installation").stat().st_mode & 0o777 == 0o600


def test_open_again_keeps_the_installation_and_tightens(tmp_path: Path) -> None:
    first = StateDir.open(tmp_path / "state")
    first.path.chmod(0o755)
    assert StateDir.open(tmp_path / "state") == first
    assert first.path.stat().st_mode & 0o777 == 0o700
    assert StateDir.open(tmp_path / "other").installation != first.installation


def _open(path: Path) -> str:
    return StateDir.open(path).installation


def test_open_by_many_processes_gives_one_installation(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for n in range(5):
            assert len(set(pool.map(_open, [tmp_path / f"{n}"] * 4, chunksize=1))) == 1


@pytest.mark.parametrize("left", [[], ["version"], ["version", "installation"], [".version.aa.tmp"]], ids=str)
def test_open_after_a_kill_in_its_middle_goes_on(tmp_path: Path, left: list[str]) -> None:
    whole = StateDir.open(tmp_path / "whole")
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in left:
        source = whole.path / name
        (broken / name).write_bytes(source.read_bytes() if source.exists() else b"")
    StateDir.open(broken)
    assert {"installation", "locks", "secrets", "version"} <= set(names(broken))


def test_open_of_a_newer_layout_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("2\n")
    with pytest.raises(StateTooNew, match="layout 2"):
        StateDir.open(tmp_path)
    assert names(tmp_path) == ["version"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("version", ""), ("version", "x"), ("version", "1.5"), ("installation", ""), ("installation", "../../x")],
)
def test_open_of_a_damaged_layout_says_what_to_do(tmp_path: Path, name: str, content: str) -> None:
    StateDir.open(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(StateCorrupt, match=name) as caught:
        StateDir.open(tmp_path)
    assert "mooring adopt" in caught.value.resolution
    assert (tmp_path / name).read_text() == content


def test_open_with_documents_but_no_installation_mints_no_other(tmp_path: Path) -> None:
    state = StateDir.open(tmp_path)
    state.documents.touch()
    (tmp_path / "installation").unlink()
    with pytest.raises(StateCorrupt, match="missing"):
        StateDir.open(tmp_path)
    assert not (tmp_path / "installation").exists()


def test_open_of_a_folder_with_other_things_is_refused_and_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    tmp_path.chmod(0o755)
    with pytest.raises(StateDirForeign, match=r"thesis\.txt"):
        StateDir.open(tmp_path)
    assert names(tmp_path) == ["thesis.txt"]
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_open_of_an_empty_file_system_works(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    assert StateDir.open(tmp_path).installation


@pytest.mark.parametrize("below", ["", "state"], ids=["exists", "to be made"])
def test_open_without_permission_says_so_and_how_to_choose_another(below: str) -> None:
    with as_nobody() as folder:
        with pytest.raises(NotWritable) as caught:
            StateDir.open(folder / below)
        assert "MOORING_HOME" in caught.value.resolution
        assert names(folder) == []
