# SPDX-License-Identifier: Apache-2.0
"""The table of blobs: a million of them in at most 60 MB, and what it says of each."""

from __future__ import annotations

import hashlib
import sys

from mooring.engine.repository.index import IndexedPack
from mooring.engine.repository.pack import ENTRY, Blob
from mooring.engine.repository.table import PENDING, BlobTable, Place


def blob_id(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def pack_of(number: int, first: int, count: int) -> IndexedPack:
    rows = sorted(ENTRY.pack(blob_id(item), 44 + item, 100, 200, 1, 0) for item in range(first, first + count))
    return IndexedPack(hashlib.sha256(b"pack %d" % number).digest(), bytes(32), 40_000_000, b"".join(rows))


def test_a_million_blobs_take_at_most_sixty_megabytes_and_are_all_found() -> None:
    table = BlobTable()
    for number in range(100):
        table.add_pack(pack_of(number, number * 10_000, 10_000))
    assert len(table) == 1_000_000
    assert sum(map(sys.getsizeof, table._buckets)) <= 60_000_000
    for number in range(0, 1_000_000, 997):
        assert table.find(blob_id(number)) == Place(
            number // 10_000, Blob(blob_id(number), 44 + number, 100, 200, True, 0)
        )
    assert table.find(blob_id(1_000_000)) is None


def test_a_blob_in_a_dead_pack_counts_as_gone_for_writers_and_is_found_by_readers() -> None:
    table = BlobTable()
    table.add_pack(pack_of(0, 0, 3))
    table.dead = {0}
    assert table.find_pack(blob_id(1)) is None
    assert table.find(blob_id(1)) is not None
    table.add_pack(pack_of(1, 1, 1))
    assert table.find_pack(blob_id(1)) == 1
    found = table.find(blob_id(1))
    assert found is not None
    assert found.pack == 1
    assert table.packs_of(blob_id(1)) == [0, 1]


def test_a_pending_blob_gets_its_place_when_its_pack_is_stored() -> None:
    table = BlobTable()
    table.add_pending(blob_id(5), 200, 0)
    assert table.find_pack(blob_id(5)) == PENDING
    number = table.place_pack(pack_of(0, 5, 1))
    assert table.find_pack(blob_id(5)) == number
    assert len(table) == 1
    assert [used for _, used in table.entries()] == [True]


def test_many_blobs_and_few_are_found_alike_while_the_table_grows() -> None:
    table = BlobTable()
    for number in range(70_000):
        table.add_pending(blob_id(number), 1, 0)
        if number in (0, 65_535, 65_536, 65_537, 69_999):
            assert table.find_pack(blob_id(0)) == PENDING
            assert table.find_pack(blob_id(number)) == PENDING
    assert all(table.find_pack(blob_id(number)) == PENDING for number in range(0, 70_000, 101))
