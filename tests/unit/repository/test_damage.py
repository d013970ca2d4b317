# SPDX-License-Identifier: Apache-2.0
"""Every flipped byte of every object is found, and named with the blob and the files that it hurts."""

from __future__ import annotations

import random

import pytest

from mooring.domain.repository import names
from mooring.domain.repository.manifest import StreamRef
from mooring.drivers.objects.remote import RemoteObjects
from mooring.engine.repository.check import CheckReport, check_repository, check_scope
from mooring.engine.repository.config import list_passphrases
from mooring.engine.repository.errors import FormatUnknown, ObjectDamaged
from mooring.engine.repository.generation import Generation, raise_generation
from mooring.engine.repository.marks import write_mark
from mooring.engine.repository.ports import Cut
from mooring.engine.repository.repair import repair_indexes
from mooring.engine.repository.repository import Repository, open_repository
from mooring.errors import MooringError
from tests.support.repositories import PASSPHRASE, SCOPE, manifest, memory_repository
from tests.unit.repository.test_round_trip import content_of, write


def small_repository(*, encrypted: bool) -> tuple[Repository, list[StreamRef], list[bytes]]:
    repository = memory_repository(encrypted=encrypted)
    contents = [content_of(1, 900, shrinks=True), content_of(2, 300, shrinks=False), content_of(3, 9_000, shrinks=True)]
    refs = write(repository, contents, Cut.CONTENT)
    raise_generation(repository.store, SCOPE, old=Generation(), deleting=frozenset({b"\1" * 32}))
    write_mark(repository.store, repository.keys, SCOPE, frozenset({b"\1" * 32}))
    return repository, refs, contents


def found_damage(store: RemoteObjects, *, encrypted: bool) -> str:
    """What a full check says; empty when it finds nothing."""
    try:
        repository = open_repository(store, passphrase=PASSPHRASE if encrypted else None, cache=None)
        reports = check_repository(repository, read_share=1)
    except MooringError as error:
        return f"{error.brief} {error.details}"
    if all(report.good for report in reports):
        return ""
    return " ".join(f"{item.key} {item.reason}" for report in reports for item in report.damaged)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_every_flipped_byte_of_every_object_is_found_and_named(encrypted: bool) -> None:
    repository, _, _ = small_repository(encrypted=encrypted)
    store = repository.store
    assert isinstance(store, RemoteObjects)
    assert found_damage(store, encrypted=encrypted) == ""
    objects = {info.key: store.get(info.key) for info in store.list_below("")}
    kinds = {key.split("/")[0] + "/" + (key.split("/")[2] if key.startswith("scopes") else "") for key in objects}
    assert len(kinds) == (7 if encrypted else 6)
    flips = random.Random(7)
    for key, content in objects.items():
        # Every byte of small objects and of what frames content; some of the content itself.
        positions = (
            range(len(content))
            if len(content) < 400
            else sorted({*range(48), *range(len(content) - 48, len(content)), *flips.sample(range(len(content)), 60)})
        )
        for position in positions:
            damaged = bytearray(content)
            damaged[position] ^= 1 << flips.randrange(8)
            store.put(key, damaged)
            found = found_damage(store, encrypted=encrypted)
            assert found, f"{key}: byte {position} of {len(content)} is flipped, and nobody says so"
            assert key.rsplit("/", 1)[-1] in found or "opens no key" in found, f"{key} is not named: {found}"
        store.put(key, content)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_flipped_byte_in_a_blob_names_the_blob_and_the_parts_that_it_hurts(encrypted: bool) -> None:
    repository, refs, _ = small_repository(encrypted=encrypted)
    catalog = repository.catalog(SCOPE)
    place = catalog.table.find(bytes.fromhex(refs[1].id))
    assert place is not None
    pack = catalog.table.packs[place.pack]
    flip(repository, names.pack(SCOPE, pack.id), place.blob.offset + 5)
    report = check_scope(repository, SCOPE, read_share=1)
    assert report.damaged_blobs == [(pack.id.hex(), refs[1].id)]
    assert [hurt.parts for hurt in report.hurt] == [("add-ons part-1",)]
    with repository.reader(SCOPE) as reader:
        with pytest.raises(ObjectDamaged, match=refs[1].id):
            list(reader.read(refs[1]))
        assert list(reader.read(refs[0]))


def test_a_pack_that_is_gone_is_found_without_reading_and_names_whom_it_hurts() -> None:
    repository, _, _ = small_repository(encrypted=True)
    [pack] = [info.key for info in repository.store.list_below(names.packs(SCOPE))]
    repository.store.delete([pack])
    report = check_scope(repository, SCOPE)
    assert [item.key for item in report.damaged] == [pack]
    assert report.hurt[0].parts == ("add-ons part-0", "add-ons part-1", "add-ons part-2")


def test_a_pack_that_is_cut_off_is_found_without_reading() -> None:
    repository, _, _ = small_repository(encrypted=False)
    [pack] = [info.key for info in repository.store.list_below(names.packs(SCOPE))]
    repository.store.put(pack, repository.store.get(pack)[:-1])
    report = check_scope(repository, SCOPE)
    assert [item.key for item in report.damaged] == [pack]
    assert report.hurt


def test_a_manifest_under_anothers_name_is_refused() -> None:
    repository, _, _ = small_repository(encrypted=True)
    [key] = [info.key for info in repository.store.list_below(names.SNAPSHOTS)]
    other = key[:-1] + ("0" if key[-1] != "0" else "1")
    repository.store.put(other, repository.store.get(key))
    report = check_scope(repository, SCOPE)
    assert [item.key for item in report.damaged] == [other]


def test_a_share_of_the_packs_is_read() -> None:
    repository = memory_repository()
    for number in range(10):
        write(repository, [content_of(number, 5_000, shrinks=False)], number=number)
    report = check_scope(repository, SCOPE, read_share=0.3, seed=1)
    assert (report.packs, report.packs_read, report.good) == (10, 3, True)


def test_a_damaged_index_does_not_stop_a_backup_which_stores_anew_what_it_cannot_see() -> None:
    repository, refs, contents = small_repository(encrypted=False)
    [index] = [info.key for info in repository.store.list_below(names.indexes(SCOPE))]
    flip(repository, index, 50)
    assert write(repository, contents, Cut.CONTENT, number=1) == refs
    with repository.reader(SCOPE) as reader:
        assert [b"".join(reader.read(ref)) for ref in refs] == contents


def test_a_newer_format_is_refused_by_its_number() -> None:
    repository, _, _ = small_repository(encrypted=False)
    repository.store.put(names.CONFIG, repository.store.get(names.CONFIG).replace(b'"format":1', b'"format":2'))
    with pytest.raises(FormatUnknown, match="format 2"):
        open_repository(repository.store, passphrase=None, cache=None)


def test_a_damaged_key_is_named_and_the_others_open() -> None:
    repository, _, _ = small_repository(encrypted=True)
    repository.store.put(f"{names.KEYS}broken", b"{}\n")
    assert open_repository(repository.store, passphrase=PASSPHRASE, cache=None).config.encrypted
    with pytest.raises(ObjectDamaged, match="broken"):
        list_passphrases(repository.store)


def flip(repository: Repository, key: str, position: int) -> None:
    content = bytearray(repository.store.get(key))
    content[position] ^= 4
    repository.store.put(key, content)


def test_reports_are_good_only_without_any_damage() -> None:
    assert CheckReport("x").good
    assert manifest([]).format == 1


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_damaged_index_is_made_again_from_the_packs(encrypted: bool) -> None:
    repository, refs, contents = small_repository(encrypted=encrypted)
    [index] = [info.key for info in repository.store.list_below(names.indexes(SCOPE))]
    flip(repository, index, 50)
    report = repair_indexes(repository, SCOPE)
    assert (report.packs, report.removed, report.unreadable, report.refused) == (1, 1, (), ())
    assert check_scope(repository, SCOPE, read_share=1).good
    with repository.reader(SCOPE) as reader:
        assert [b"".join(reader.read(ref)) for ref in refs] == contents
    assert repair_indexes(repository, SCOPE).packs == 0
