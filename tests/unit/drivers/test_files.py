# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mooring.drivers.files import (
    FileFailed,
    NoSpaceLeft,
    NotWritable,
    create_file,
    is_temporary,
    private_dir,
    remove_temporaries,
    write_file,
)
from tests.support.people import as_nobody, names


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o440], ids=oct)
def test_write_file_gives_content_and_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a"
    before = os.umask(0o077)
    try:
        write_file(path, b"one", mode)
        write_file(path, b"two", mode)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o7777 == mode
    assert names(tmp_path) == ["a"]


def test_write_file_with_owner_gives_it(tmp_path: Path) -> None:
    uid, gid = (1234, 4321) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    write_file(tmp_path / "a", b"", uid=uid, gid=gid)
    found = (tmp_path / "a").stat()
    assert (found.st_uid, found.st_gid) == (uid, gid)


def test_write_file_killed_in_the_middle_leaves_old_or_new_content_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_file(path, b"0" * 100_000)
    code = (
        "import sys; from pathlib import Path; from mooring.drivers.files import write_file\n"
        "n = 0\n"
        "while True:\n"
        "    n = (n + 1) % 10\n"
        "    write_file(Path(sys.argv[1]), str(n).encode() * 100_000)\n"
        "    print(n, flush=True)\n"
    )
    for delay in (0.0, 0.003, 0.007):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert len(content) == 100_000
        assert len(set(content)) == 1
    remove_temporaries(tmp_path)
    assert names(tmp_path) == ["a"]


def test_write_file_without_permission_says_so_and_leaves_nothing() -> None:
    with as_nobody() as folder:
        with pytest.raises(NotWritable, match="may not be read or written") as caught:
            write_file(folder / "a", b"")
        assert "MOORING_HOME" in caught.value.resolution
        assert names(folder) == []


def test_write_file_on_a_full_disk_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoSpaceLeft):
        write_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_write_file_in_a_missing_folder_says_which(tmp_path: Path) -> None:
    with pytest.raises(FileFailed, match="none"):
        write_file(tmp_path / "none" / "a", b"")


def test_create_file_keeps_what_is_there(tmp_path: Path) -> None:
    assert create_file(tmp_path / "a", b"one") is True
    assert create_file(tmp_path / "a", b"two") is False
    assert (tmp_path / "a").read_bytes() == b"one"
    assert names(tmp_path) == ["a"]


def _create(path: Path, n: int) -> bool:
    return create_file(path, str(n).encode() * 1000)


def test_create_file_by_many_processes_lets_one_through(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for name in "abcde":
            won = pool.starmap(_create, [(tmp_path / name, n) for n in range(4)])
            assert won.count(True) == 1
            assert (tmp_path / name).read_bytes() == str(won.index(True)).encode() * 1000


def test_private_dir_makes_and_tightens_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    private_dir(tmp_path / "open" / "b" / "c")
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "open/b").stat().st_mode & 0o777 == 0o700
    (tmp_path / "open/b/c").chmod(0o755)
    private_dir(tmp_path / "open/b/c")
    assert (tmp_path / "open/b/c").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("below", ["", "sub"], ids=["is a file", "below a file"])
def test_private_dir_where_a_file_stands_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o644)
    with pytest.raises(FileFailed, match=r"a is no folder") as caught:
        private_dir(tmp_path / "a" / below)
    assert "kernel" not in caught.value.resolution
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_private_dir_without_permission_says_so() -> None:
    with as_nobody() as folder, pytest.raises(NotWritable):
        private_dir(folder / "a")


def test_remove_temporaries_takes_only_unfinished_work(tmp_path: Path) -> None:
    for name in (".a.123456.tmp", "a", ".b", "c.tmp"):
        (tmp_path / name).touch()
    remove_temporaries(tmp_path)
    assert names(tmp_path) == [".b", "a", "c.tmp"]
    assert is_temporary(".a.123456.tmp")
    assert not is_temporary("c.tmp")
