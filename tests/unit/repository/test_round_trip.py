# SPDX-License-Identifier: Apache-2.0
"""What goes in comes out: any sizes, any pieces, both ways of cutting, encrypted or not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.domain.repository.manifest import StreamRef
from mooring.engine.repository.config import init_repository
from mooring.engine.repository.errors import BlobMissing, PassphraseMissing, PassphraseWrong
from mooring.engine.repository.ports import Cut
from mooring.engine.repository.repository import Repository, open_repository
from tests.support.repositories import NOW, SCOPE, manifest, memory_repository, memory_store


def write(repository: Repository, contents: list[bytes], cut: Cut = Cut.FIXED, *, number: int = 0) -> list[StreamRef]:
    with repository.session(SCOPE, workers=2) as session:
        refs = [session.write([content], cut=cut) for content in contents]
        session.commit(lambda _: manifest(refs, number=number))
    return refs


def read(repository: Repository, refs: list[StreamRef]) -> list[bytes]:
    with repository.reader(SCOPE) as reader:
        return [b"".join(reader.read(ref)) for ref in refs]


def content_of(seed: int, size: int, *, shrinks: bool) -> bytes:
    source = random.Random(seed)
    return (
        b"".join(b"%08d\n" % source.randrange(500) for _ in range(size // 9 + 1))[:size]
        if shrinks
        else source.randbytes(size)
    )


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 300_000), st.booleans(), st.sampled_from(Cut), st.integers(1, 90_000)
        ),
        max_size=6,
    )
)
def test_content_of_any_size_in_any_pieces_comes_back(
    encrypted: bool, parts: list[tuple[int, int, bool, Cut, int]]
) -> None:
    repository = memory_repository(encrypted=encrypted)
    contents = [content_of(seed, size, shrinks=shrinks) for seed, size, shrinks, _, _ in parts]
    with repository.session(SCOPE, workers=2) as session:
        refs = [
            session.write((memoryview(content)[at : at + step] for at in range(0, len(content), step)), cut=cut)
            for content, (_, _, _, cut, step) in zip(contents, parts, strict=True)
        ]
        session.commit(lambda _: manifest(refs))
    assert [ref.size for ref in refs] == [len(content) for content in contents]
    assert read(repository, refs) == contents


@pytest.mark.parametrize("cut", Cut, ids=["content", "fixed"])
def test_where_content_is_cut_does_not_depend_on_the_pieces(cut: Cut) -> None:
    content = content_of(1, 9_500_000, shrinks=True)
    whole = write(memory_repository(), [content], cut)
    repository = memory_repository()
    with repository.session(SCOPE) as session:
        pieces = (content[at : at + 1_333] for at in range(0, len(content), 1_333))
        assert session.write(pieces, cut=cut) == whole[0]


def test_a_changed_row_in_the_middle_sends_little() -> None:
    repository = memory_repository()
    content = b"".join(b"%d\tinvoice %d\n" % (row, row * 7919 % 99991) for row in range(400_000))
    write(repository, [content], Cut.CONTENT)
    before = repository.store.requests.bytes_out
    middle = len(content) // 2
    changed = content[:middle] + b"one more row\n" + content[middle:]
    refs = write(repository, [changed], Cut.CONTENT, number=1)
    assert repository.store.requests.bytes_out - before < 100_000
    assert read(repository, refs) == [changed]


def test_the_same_content_is_stored_once_also_within_a_session() -> None:
    repository = memory_repository()
    content = content_of(3, 100_000, shrinks=False)
    refs = write(repository, [content, content, content])
    assert len(set(refs)) == 1
    assert repository.store.requests.bytes_out < 110_000


def test_an_unchanged_backup_with_a_warm_cache_lists_nothing_and_writes_only_its_manifest(tmp_path: Path) -> None:
    repository = memory_repository(cache=tmp_path)
    contents = [content_of(seed, 10_000, shrinks=False) for seed in range(20)]
    refs = write(repository, contents)
    before = (requests := repository.store.requests).total, requests.lists, requests.puts, requests.gets
    assert write(repository, contents, number=1) == refs
    assert (requests.lists - before[1], requests.puts - before[2], requests.gets - before[3]) == (0, 1, 3)
    assert requests.total - before[0] == 4


def test_a_broken_cache_is_made_again(tmp_path: Path) -> None:
    repository = memory_repository(cache=tmp_path)
    contents = [content_of(seed, 10_000, shrinks=False) for seed in range(20)]
    refs = write(repository, contents)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    for path in files:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    puts = repository.store.requests.puts
    assert write(repository, contents, number=1) == refs
    assert repository.store.requests.puts - puts == 1
    assert read(repository, refs) == contents
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.unlink()
    assert write(repository, contents, number=2) == refs
    assert repository.store.requests.puts - puts == 2


def test_what_another_writer_added_is_found_by_a_reader_with_an_old_cache(tmp_path: Path) -> None:
    store = memory_store()
    first = memory_repository(store=store, cache=tmp_path / "one")
    write(first, [b"first"])
    other = open_repository(store, passphrase=None, cache=tmp_path / "two")
    refs = write(other, [b"second"], number=1)
    assert read(first, refs) == [b"second"]


def test_content_that_nobody_stored_is_missing_by_name() -> None:
    repository = memory_repository()
    write(repository, [b"x"])
    with pytest.raises(BlobMissing, match="ab" * 32):
        read(repository, [StreamRef(5, 0, "ab" * 32)])


def test_keep_takes_over_what_is_there_and_refuses_what_is_not() -> None:
    repository = memory_repository()
    refs = write(repository, [content_of(1, 9_000_000, shrinks=True)])
    with repository.session(SCOPE) as session:
        assert session.keep(refs[0])
        assert not session.keep(StreamRef(1, 0, "00" * 32))
        session.commit(lambda _: manifest(refs, number=1))


def test_counts_say_what_was_new_and_what_was_sent() -> None:
    repository = memory_repository()
    shrinking = content_of(1, 100_000, shrinks=True)
    write(repository, [shrinking])
    with repository.session(SCOPE) as session:
        session.write([shrinking], cut=Cut.FIXED)
        session.write([content_of(2, 50_000, shrinks=False)], cut=Cut.FIXED)
        session.flush()
        sizes = session.sizes
    assert (sizes.content, sizes.added, sizes.blobs, sizes.new_blobs) == (150_000, 50_000, 2, 1)
    assert sizes.stored == 50_000
    assert sizes.requests >= 3


def test_the_passphrase_is_needed_exactly_where_there_is_one() -> None:
    plain, sealed = memory_store(), memory_store()
    init_repository(plain, passphrase=None, now=NOW)
    init_repository(sealed, passphrase=b"right", now=NOW)
    with pytest.raises(PassphraseMissing):
        open_repository(plain, passphrase=b"right", cache=None)
    with pytest.raises(PassphraseMissing):
        open_repository(sealed, passphrase=None, cache=None)
    with pytest.raises(PassphraseWrong):
        open_repository(sealed, passphrase=b"wrong", cache=None)
    assert "right" not in repr(open_repository(sealed, passphrase=b"right", cache=None).keys)


def test_nothing_of_an_encrypted_repository_can_be_read_in_the_store() -> None:
    repository = memory_repository(encrypted=True)
    secret = b"the customer's name " * 500
    write(repository, [secret])
    store = repository.store
    everything = b"".join(store.get(info.key) for info in store.list_below(""))
    assert b"customer" not in everything
    assert b"shop" not in everything
    assert b"17.0" not in everything
