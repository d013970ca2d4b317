# SPDX-License-Identifier: Apache-2.0
"""What every object store promises, on memory, a folder, and real S3 servers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from mooring.drivers.objects.errors import ObjectChanged, ObjectExists, ObjectMissing, StoreFailed
from mooring.drivers.objects.settings import StoreSettings, open_store
from mooring.drivers.objects.store import ObjectStore, probe_conditional_writes
from tests.support.repositories import memory_store
from tests.support.s3_servers import rclone_server, versity_server


@dataclass(frozen=True)
class Bench:
    """A store, and whether it honours conditions on writes."""

    store: ObjectStore
    conditional: bool


@pytest.fixture(params=["memory", "folder", "rclone", "versitygw"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    match request.param:
        case "memory":
            yield Bench(memory_store(), True)
        case "folder":
            yield Bench(open_store(StoreSettings(str(tmp_path / "repository"))), True)
        case "rclone":
            with rclone_server(tmp_path) as server:
                yield Bench(open_store(server.settings(patience_s=10)), False)
        case _:
            with versity_server(tmp_path) as server:
                yield Bench(open_store(server.settings(patience_s=10)), True)


def test_an_object_comes_back_whole_and_in_ranges(bench: Bench) -> None:
    content = os.urandom(300_000)
    bench.store.put("scopes/all/packs/ab/abcd", content)
    assert bench.store.get("scopes/all/packs/ab/abcd") == content
    assert bench.store.get("scopes/all/packs/ab/abcd", start=0, length=len(content)) == content
    assert bench.store.get("scopes/all/packs/ab/abcd", start=100_000, length=5) == content[100_000:100_005]
    assert bench.store.get("scopes/all/packs/ab/abcd", start=299_990) == content[-10:]
    assert bench.store.get("scopes/all/packs/ab/abcd", start=7, length=0) == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview], ids=["bytes", "bytearray", "memoryview"])
def test_put_takes_any_buffer(bench: Bench, kind: type) -> None:
    bench.store.put("a/b", kind(b"content"))
    assert bench.store.get("a/b") == b"content"


def test_a_buffer_may_be_used_again_when_put_has_returned(bench: Bench) -> None:
    buffer = bytearray(b"first content")
    bench.store.put("a/b", memoryview(buffer)[:5])
    buffer[:5] = b"other"
    assert bench.store.get("a/b") == b"first"


def test_put_again_replaces_the_content_and_the_tag(bench: Bench) -> None:
    first = bench.store.put("a/b", b"one")
    second = bench.store.put("a/b", b"two, longer")
    assert bench.store.get("a/b") == b"two, longer"
    assert first != second


def test_a_range_beyond_the_end_is_an_error_and_no_shorter_answer(bench: Bench) -> None:
    bench.store.put("a/b", b"12345")
    with pytest.raises(StoreFailed):
        bench.store.get("a/b", start=3, length=10)


def test_what_is_not_there_is_missing(bench: Bench) -> None:
    bench.store.put("a/b", b"x")
    for ask in (
        lambda: bench.store.get("a/c"),
        lambda: bench.store.get("a/c", start=1, length=2),
        lambda: bench.store.head("a/c"),
        lambda: bench.store.get_if_changed("a/c", etag=None),
        lambda: bench.store.get_if_changed("a/c", etag='"0"'),
        lambda: bench.store.get("a"),
    ):
        with pytest.raises(ObjectMissing):
            ask()


def test_an_unchanged_object_is_not_sent_again(bench: Bench) -> None:
    bench.store.put("g", b"one")
    found = bench.store.get_if_changed("g", etag=None)
    assert found is not None
    assert found.content == b"one"
    before = bench.store.requests.bytes_in
    assert bench.store.get_if_changed("g", etag=found.etag) is None
    assert bench.store.requests.bytes_in == before
    bench.store.put("g", b"two!")
    again = bench.store.get_if_changed("g", etag=found.etag)
    assert again is not None
    assert again.content == b"two!"


def test_the_tag_of_put_is_the_tag_of_get(bench: Bench) -> None:
    tag = bench.store.put("g", b"one")
    assert bench.store.get_if_changed("g", etag=tag) is None


def test_conditional_writes_are_what_the_probe_says(bench: Bench) -> None:
    assert probe_conditional_writes(bench.store, key="probe-1") is bench.conditional
    with pytest.raises(ObjectMissing):
        bench.store.head("probe-1")
    tag = bench.store.put("a", b"one")
    if not bench.conditional:
        return
    with pytest.raises(ObjectExists):
        bench.store.put("a", b"two", create=True)
    bench.store.put("a", b"three", match=tag)
    with pytest.raises(ObjectChanged):
        bench.store.put("a", b"four", match=tag)
    assert bench.store.get("a") == b"three"


def test_of_many_that_create_one_object_one_succeeds(bench: Bench) -> None:
    if not bench.conditional:
        return
    won: list[int] = []
    start = threading.Barrier(6)

    def create(number: int) -> None:
        start.wait()
        try:
            bench.store.put("only", b"%d" % number, create=True)
            won.append(number)
        except (ObjectExists, ObjectChanged):
            pass

    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert bench.store.get("only") == b"%d" % won[0]


def test_a_listing_is_in_order_begins_after_a_key_and_stays_in_its_folder(bench: Bench) -> None:
    keys = [f"l/{number:02}/x" for number in range(12)]
    for key in (*reversed(keys), "lx/a", "k"):
        bench.store.put(key, b"x" * 3)
    found = list(bench.store.list_below("l/"))
    assert [info.key for info in found] == keys
    assert {info.size for info in found} == {3}
    assert [info.key for info in bench.store.list_below("l/", start_after=keys[8])] == keys[9:]
    assert list(bench.store.list_below("nothing/")) == []
    assert {info.key for info in bench.store.list_below("")} == {*keys, "lx/a", "k"}


def test_deleting_takes_what_is_named_and_minds_nothing_that_is_gone(bench: Bench) -> None:
    for number in range(5):
        bench.store.put(f"d/{number}", b"x")
    assert bench.store.delete(["d/0", "d/nothing", "d/3"]) == []
    assert [info.key for info in bench.store.list_below("d/")] == ["d/1", "d/2", "d/4"]
    assert bench.store.delete([]) == []
    assert bench.store.delete(["d/nothing"]) == []


def test_the_stores_clock_goes_with_its_objects(bench: Bench) -> None:
    bench.store.put("a", b"x")
    first = bench.store.head("a")
    now = bench.store.now()
    assert first.modified.tzinfo is not None
    assert timedelta(seconds=-2) <= now - first.modified <= timedelta(seconds=60)


def test_requests_and_bytes_are_counted(bench: Bench) -> None:
    bench.store.put("warm", b"x")  # the region may have to be learnt
    before = replace(bench.store.requests)
    bench.store.put("a", b"x" * 1000)
    bench.store.get("a", start=100, length=100)
    requests = bench.store.requests
    assert (requests.puts - before.puts, requests.bytes_out - before.bytes_out) == (1, 1000)
    assert (requests.gets - before.gets, requests.bytes_in - before.bytes_in) == (1, 100)
    assert requests.total - before.total == 2


def test_many_threads_may_use_one_store(bench: Bench) -> None:
    contents = {f"t/{number}": os.urandom(20_000) for number in range(24)}
    wrong: list[str] = []

    def work(part: list[str]) -> None:
        for key in part:
            bench.store.put(key, contents[key])
            if bench.store.get(key) != contents[key] or bench.store.get(key, start=5, length=9) != contents[key][5:14]:
                wrong.append(key)

    keys = list(contents)
    threads = [threading.Thread(target=work, args=(keys[begin::4],)) for begin in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(list(bench.store.list_below("t/"))) == 24
