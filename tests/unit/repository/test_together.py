# SPDX-License-Identifier: Apache-2.0
"""Contents that are read together: each once, with few requests, also where their pack went meanwhile."""

from __future__ import annotations

import random
from itertools import chain

import pytest

from mooring.domain.repository import names
from mooring.domain.repository.manifest import StreamRef
from mooring.engine.repository.errors import ObjectDamaged
from mooring.engine.repository.ports import Cut
from mooring.engine.repository.reader import PackReader
from mooring.engine.repository.repository import Repository
from mooring.engine.repository.storing import BlobStorer
from mooring.engine.repository.together import plan_together, read_together
from tests.support.repositories import SCOPE, manifest, memory_repository, memory_store


def write(repository: Repository, contents: list[bytes]) -> list[StreamRef]:
    with repository.session(SCOPE, workers=2) as session:
        refs = [session.write([content], cut=Cut.FIXED) for content in contents]
        session.commit(lambda _: manifest(refs))
    return refs


def read_all(reader: PackReader, refs: list[StreamRef], *, hashed: bool = False) -> dict[int, bytes]:
    groups, alone = plan_together(reader, refs)
    found = {position: b"".join(reader.read(refs[position])) for position in alone}
    for group in groups:
        for position, content in read_together(reader, group, refs, hashed=hashed):
            assert position not in found
            found[position] = content
    return found


def some_contents() -> list[bytes]:
    dice = random.Random(5)
    sizes = [dice.randrange(0, 60_000) for _ in range(400)] + [9 << 20]
    contents = [dice.randbytes(size) for size in sizes]
    dice.shuffle(contents)
    return contents


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_together_gives_every_content_once_in_few_requests(encrypted: bool) -> None:
    store = memory_store()
    repository = memory_repository(encrypted=encrypted, store=store)
    contents = some_contents()
    refs = write(repository, contents)
    order = list(range(len(refs)))
    random.Random(1).shuffle(order)
    # The same content may be wanted under two names.
    order += order[:20]
    with repository.reader(SCOPE) as reader:
        before = store.requests.gets
        found = read_all(reader, [refs[position] for position in order])
    assert [found[at] for at in range(len(order))] == [contents[position] for position in order]
    assert store.requests.gets - before <= sum(map(len, contents)) / (4 << 20) + 8


def test_together_whose_pack_was_copied_elsewhere_reads_the_copy() -> None:
    store = memory_store()
    repository = memory_repository(store=store)
    contents = some_contents()[:50]
    refs = write(repository, contents)
    old = [info.key for below in (names.indexes(SCOPE), names.packs(SCOPE)) for info in store.list_below(below)]
    with repository.reader(SCOPE) as reader:
        groups, _ = plan_together(reader, refs)
        copy_all(repository)
        store.delete(old)
        read = chain.from_iterable(read_together(reader, group, refs, hashed=False) for group in groups)
        found = dict(read)
    assert found == {at: content for at, content in enumerate(contents) if not refs[at].depth}


def copy_all(repository: Repository) -> None:
    """Into a new pack, as a prune does with what it keeps of an old one."""
    catalog = repository.catalog(SCOPE)
    catalog.table.dead |= set(range(len(catalog.table.packs)))
    storer, reader = BlobStorer(catalog, workers=1), PackReader(catalog, refresh=False)
    storer.copy(reader, [place for place, _ in catalog.table.entries()])
    storer.flush()
    storer.close()
    reader.close()


@pytest.mark.parametrize("hashed", [False, True], ids=["compared here", "compared by the caller"])
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_together_whose_pack_was_altered_names_it(encrypted: bool, hashed: bool) -> None:
    """By its seal where it has one; where it has none, its id is compared whatever the caller does."""
    store = memory_store()
    repository = memory_repository(encrypted=encrypted, store=store)
    refs = write(repository, some_contents()[:50])
    for info in list(store.list_below(names.packs(SCOPE))):
        content = bytearray(store.get(info.key))
        content[len(content) // 2] ^= 1
        store.put(info.key, bytes(content))
    with repository.reader(SCOPE) as reader, pytest.raises(ObjectDamaged, match="pack"):
        read_all(reader, refs, hashed=hashed)
