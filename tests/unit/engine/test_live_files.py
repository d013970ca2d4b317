# SPDX-License-Identifier: Apache-2.0
"""Which files a copy of a running instance's filestore reads again: not those that it copied itself and nobody touched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mooring.engine import building_folder
from mooring.engine.live import files
from mooring.engine.live.files import Gathering
from mooring.engine.report import Reporter
from mooring.engine.volume import Volume

CONTENT = [f"content {number}".encode() for number in range(100)]
NAMES = [f"{digest[:2]}/{digest}" for digest in (hashlib.sha1(one).hexdigest() for one in CONTENT)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for number, (name, content) in enumerate(zip(NAMES, CONTENT, strict=True)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(number, 10**18 + number))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "filestore").mkdir(parents=True)
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content was read to compare it."""
    found: list[str] = []
    real = building_folder.is_sound

    def noted(path: Path, size: int | None, digest: str) -> bool:
        if path.exists():
            found.append(digest)
        return real(path, size, digest)

    monkeypatch.setattr(files, "is_sound", noted)
    return found


def gather(data: Path, source: Path | None) -> Gathering:
    """One copy; what it gathered becomes what the instance has."""
    home = data / "home"
    home.mkdir()
    done = Gathering(Volume(data, "staging"), source, home, 2, Reporter(lambda _: None))
    done.have_all(zip(NAMES, map(len, CONTENT), strict=True))
    current = data / "filestore" / "staging"
    if current.exists():
        current.rename(data / f"before-{len(list(data.iterdir()))}")
    (home / "filestore").rename(current)
    (home / "new").rmdir()
    home.rmdir()
    return done


def spoil(path: Path) -> None:
    """Another content of the same size."""
    path.write_bytes(b"x" * path.stat().st_size)


def test_second_copy_of_what_nobody_touched_reads_no_file(data: Path, source: Path, read: list[str]) -> None:
    assert gather(data, source).copied == len(NAMES)
    read.clear()
    for _ in range(2):
        again = gather(data, source)
        assert (again.linked, again.copied, read) == (len(NAMES), 0, [])
    for name, content in zip(NAMES, CONTENT, strict=True):
        assert (data / "filestore" / "staging" / name).read_bytes() == content


@pytest.mark.parametrize(
    "touch",
    [
        pytest.param(lambda data, _: spoil(data), id="the copy is spoiled"),
        pytest.param(lambda _, source: os.utime(source), id="the source has another time"),
        pytest.param(lambda data, _: os.utime(data), id="the copy has another time"),
    ],
)
def test_second_copy_reads_what_was_touched(
    data: Path, source: Path, read: list[str], touch: Callable[[Path, Path], None]
) -> None:
    gather(data, source)
    read.clear()
    touch(data / "filestore" / "staging" / NAMES[3], source / NAMES[3])
    again = gather(data, source)
    assert set(read) == {NAMES[3].partition("/")[2]}
    assert again.linked + again.copied == len(NAMES)
    assert (data / "filestore" / "staging" / NAMES[3]).read_bytes() == CONTENT[3]


def test_copy_of_a_file_that_is_spoiled_in_the_source_is_said_every_time(data: Path, source: Path) -> None:
    spoil(source / NAMES[5])
    for _ in range(2):
        assert gather(data, source).damaged == {NAMES[5]}


def test_file_that_another_way_brought_is_read_once_and_linked(data: Path, source: Path, read: list[str]) -> None:
    own = data / "filestore" / "staging" / NAMES[7]
    own.parent.mkdir(parents=True)
    own.write_bytes(CONTENT[7])
    again = gather(data, source)
    assert (again.linked, again.copied) == (1, len(NAMES) - 1)
    assert NAMES[7].partition("/")[2] in read


def test_copy_goes_on_with_what_an_earlier_run_gathered(data: Path, source: Path, read: list[str]) -> None:
    gather(data, source)
    left = data / "home" / "filestore" / NAMES[0]
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    read.clear()
    (data / "home").rename(data / "kept")
    home = data / "kept"
    done = Gathering(Volume(data, "staging"), source, home, 2, Reporter(lambda _: None))
    done.have_all([(NAMES[0], len(CONTENT[0]))])
    assert (home / "filestore" / NAMES[0]).read_bytes() == CONTENT[0]
    assert done.linked == 1
