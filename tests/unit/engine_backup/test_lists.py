# SPDX-License-Identifier: Apache-2.0
"""Lists of files: merged in order, without holding them, and whole again whatever changed."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.repository.manifest import SnapshotFilestore, StreamRef
from mooring.domain.work.backup_errors import SnapshotUnfit
from mooring.engine.backup import compare
from mooring.engine.backup.compare import Comparison
from mooring.engine.backup.files import FilesBackup
from mooring.engine.backup.lists import merge_changes, read_changes, read_entries, read_files, read_lines, render_lines
from mooring.engine.repository.ports import Cut, Piece

NAMES = st.dictionaries(
    st.text("abcdef0123456789", min_size=1, max_size=4), st.integers(0, 5), max_size=30
)  # fmt: skip


class MemoryStore:
    """Streams in memory."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def write(self, pieces: Iterable[Piece], *, cut: Cut) -> StreamRef:
        data = b"".join(pieces)
        digest = hashlib.sha256(data).hexdigest()
        self.content[digest] = data
        return StreamRef(len(data), 0, digest)

    def read(self, ref: StreamRef) -> Iterator[bytes]:
        data = self.content[ref.id]
        for start in range(0, len(data), 7):
            yield data[start : start + 7]

    def keep(self, ref: StreamRef) -> bool:
        return ref.id in self.content


def lines(files: dict[str, int]) -> list[bytes]:
    """A list's lines."""
    return [f"{name} {size} 0 {'0' * 63}{size}".encode() for name, size in sorted(files.items())]


def changes(old: dict[str, int], new: dict[str, int]) -> list[bytes]:
    """The lines of a difference."""
    found: list[bytes] = []
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            found += [b"-" + line for line in lines({name: old[name]} if name in old else {})]
            found += [b"+" + line for line in lines({name: new[name]} if name in new else {})]
    return found


@given(old=NAMES, new=NAMES)
def test_list_with_its_difference_is_the_new_list(old: dict[str, int], new: dict[str, int]) -> None:
    merged = merge_changes(read_entries(lines(old)), read_changes(changes(old, new)))
    now = [b"%s %s" % (name, rest) for name, _, rest in merged if rest is not None]
    assert now == lines(new)


@given(files=NAMES)
def test_lines_survive_any_cut(files: dict[str, int]) -> None:
    whole = b"".join(render_lines(lines(files)))
    pieces = [whole[start : start + 3] for start in range(0, len(whole), 3)]
    assert list(read_lines(pieces)) == lines(files)


@pytest.mark.parametrize(
    "content",
    [[b"b 1 0 a", b"a 1 0 a"], [b"a 1 0 a", b"a 1 0 a"], [b"nothing"]],
    ids=["out of order", "twice", "no line"],
)
def test_list_that_is_none_is_refused(content: list[bytes]) -> None:
    with pytest.raises(SnapshotUnfit):
        list(read_entries(content))


@given(steps=st.lists(st.sets(st.integers(0, 40), max_size=41), min_size=1, max_size=6))
def test_backups_one_after_another_list_exactly_what_is_there(
    steps: list[set[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("steps")
    root, store, before = home / "root", MemoryStore(), None
    root.mkdir()
    for number, wanted in enumerate(steps):
        names: list[tuple[str, int | None]] = []
        for item in wanted:
            content = f"content {item}".encode()
            digest = hashlib.sha1(content).hexdigest()
            (root / digest[:2]).mkdir(exist_ok=True)
            (root / digest[:2] / digest).write_bytes(content)
            names.append((f"{digest[:2]}/{digest}", len(content)))
        work = home / f"work{number}"
        aside = work / "aside"
        aside.mkdir(parents=True)
        comparison = Comparison(store, before, root, aside, work, threading.Event())
        found = comparison.gather(sorted(names))
        before = FilesBackup(store, comparison, 2, lambda *_: None).keep(found, ())
        listed = list(read_files(store, before))
        assert [name.decode() for name, _ in listed] == sorted(name for name, _ in names)
        assert (before.count, before.missing) == (len(names), ())
        assert before.size_bytes == sum(size or 0 for _, size in names)


class Simulated:
    """A list of so many names that nobody holds."""

    def __init__(self, count: int) -> None:
        self.count = count

    def names(self) -> Iterator[tuple[str, int | None]]:
        for number in range(self.count):
            yield f"{number // 4096:04x}/{number:036x}abcd", 100

    def read(self, _ref: StreamRef) -> Iterator[bytes]:
        yield from render_lines(f"{name} 100 0 {'0' * 64}".encode() for name, _ in self.names())

    def write(self, pieces: Iterable[Piece], *, cut: Cut) -> StreamRef:
        size = sum(len(piece) for piece in pieces)
        return StreamRef(size, 0, "0" * 64)

    def keep(self, _ref: StreamRef) -> bool:
        return True


def peak_of(count: int, folder: Path) -> int:
    """The most memory that a backup of so many unchanged files holds."""
    store = Simulated(count)
    ref = StreamRef(1, 0, "0" * 64)
    before = SnapshotFilestore(count, 100 * count, ref, (), ())
    (folder / "aside").mkdir(exist_ok=True)
    comparison = Comparison(store, before, folder, folder / "aside", folder, threading.Event())
    tracemalloc.start()
    found = comparison.gather(store.names())
    after = FilesBackup(store, comparison, 2, lambda *_: None).keep(found, ())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after.count, after.base, after.list.size) == (count, ref, 0)
    return peak


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "_stat", lambda _path: 100)
    few = peak_of(40_000, tmp_path)
    # Threads fill what is bounded more or less; what grew with the files would be three times as much, each time.
    assert min(peak_of(120_000, tmp_path) for _ in range(3)) < few * 1.8


def test_comparison_lists_what_this_user_may_not_read_and_each_folder_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, aside = tmp_path / "root", tmp_path / "aside"
    aside.mkdir()
    for name in ("aa/one", "bb/two", "bb/three", "cc/four", "cc/five"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    shut, sealed = root / "bb", root / "cc" / "five"
    may, size_of = os.access, compare._stat

    def access(path: Path, mode: int) -> bool:
        return path not in (shut, sealed) and shut not in path.parents and may(path, mode)

    def stat(path: Path) -> int | None:
        if shut in path.parents:
            raise PermissionError
        return size_of(path)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(compare, "_stat", stat)
    names = [("aa/one", 1), ("bb/three", 1), ("bb/two", 1), ("cc/five", 1), ("cc/four", 1), ("dd/none", 1)]
    found = Comparison(None, None, root, aside, tmp_path, threading.Event()).gather(names)
    assert (found.unreadable, found.unreadable_count) == ([str(shut), str(sealed)], 2)
    assert ([name for name, _ in found.missing], found.fresh) == (["dd/none"], 2)


def test_comparison_takes_a_link_that_leads_nowhere_for_no_unreadable_file(tmp_path: Path) -> None:
    root, aside = tmp_path / "root", tmp_path / "aside"
    aside.mkdir()
    root.mkdir()
    (root / "link").symlink_to("nowhere")
    found = Comparison(None, None, root, aside, tmp_path, threading.Event()).gather([("link", 1)])
    assert (found.unreadable, found.fresh) == ([], 1)
