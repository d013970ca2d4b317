# SPDX-License-Identifier: Apache-2.0
"""A repository in a folder, damaged on the disk: the tasks `snapshot-verify` and `repository-check` say where, and repair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from mooring.domain.repository import names
from mooring.domain.repository.manifest import StreamRef
from mooring.domain.work.repository import RepositorySettings
from mooring.domain.work.repository_work import RepositoryCheck
from mooring.domain.work.restore import SnapshotChoice
from mooring.domain.work.verify import SnapshotVerify
from mooring.domain.work.verify_errors import SnapshotDamaged
from mooring.drivers.objects.folder import FolderObjects
from mooring.engine.report import Reporter
from mooring.engine.repository.generation import Generation, raise_generation
from mooring.engine.repository.marks import write_mark
from mooring.engine.repository.ports import Cut
from mooring.engine.repository.repository import Repository
from mooring.engine.repository_care import check
from mooring.engine.repository_verify import verify_snapshot
from mooring.errors import MooringError
from tests.support.repositories import INSTANCE, PASSPHRASE, SCOPE, memory_repository
from tests.unit.repository.test_round_trip import content_of, write

LATEST = SnapshotChoice(instance=INSTANCE, namespace="default", snapshot="latest")
QUIET = Reporter(lambda _: None)
KINDS = {
    "config": names.CONFIG,
    "key": names.KEYS,
    "snapshot manifest": names.SNAPSHOTS,
    "index": names.indexes(SCOPE),
    "pack": names.packs(SCOPE),
    "generation": names.generation(SCOPE),
    "mark": names.marks(SCOPE),
}


@dataclass
class Kept:
    """A repository in a folder, as tasks are told of it."""

    repository: Repository
    settings: RepositorySettings
    folder: Path
    refs: list[StreamRef]

    def path(self, kind: str) -> Path:
        """The file of the newest object of a kind."""
        return self.folder / [info.key for info in self.repository.store.list_below(KINDS[kind])][-1]

    def flip(self, path: Path, position: int) -> None:
        """One bit."""
        content = bytearray(path.read_bytes())
        content[position] ^= 4
        path.chmod(0o600)
        path.write_bytes(content)


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    folder = tmp_path / "repository"
    repository = memory_repository(encrypted=request.param, store=FolderObjects(folder))
    write(repository, [content_of(9, 5_000, shrinks=False)], Cut.CONTENT, number=0)
    contents = [content_of(1, 900, shrinks=True), content_of(2, 300, shrinks=False), content_of(3, 9_000, shrinks=True)]
    refs = write(repository, contents, Cut.CONTENT, number=5)
    raise_generation(repository.store, SCOPE, old=Generation(), deleting=frozenset({b"\1" * 32}))
    write_mark(repository.store, repository.keys, SCOPE, frozenset({b"\1" * 32}))
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(PASSPHRASE)
    settings = RepositorySettings(url=f"file://{folder}", passphrase_file=str(passphrase) if request.param else None)
    return Kept(repository, settings, folder, refs)


def verdict(kept: Kept, *, percent: int = 100) -> str:
    """What `snapshot-verify` says is wrong; empty where nothing is."""
    try:
        verify_snapshot(SnapshotVerify(kept.settings, LATEST, percent), QUIET)
    except MooringError as error:
        return f"{error.brief} {error.details}"
    return ""


def found_by_check(kept: Kept) -> str:
    """What `repository-check --read-data 100` says is wrong."""
    try:
        result = check(RepositoryCheck(kept.settings, 100), QUIET)
    except MooringError as error:
        return f"{error.brief} {error.details}"
    return "\n".join(f"{one.object}: {one.reason} {one.hurts}" for one in result.faults)


def test_a_sound_snapshot_is_verified_and_only_its_own_packs_are_read(kept: Kept) -> None:
    result = verify_snapshot(SnapshotVerify(kept.settings, LATEST, 100), QUIET)
    assert result.snapshot
    assert result.packs == 1
    assert result.read_bytes == _own_pack(kept).stat().st_size
    assert verify_snapshot(SnapshotVerify(kept.settings, LATEST), QUIET).read_bytes == 0
    assert found_by_check(kept) == ""


@pytest.mark.parametrize("kind", KINDS, ids=[kind.replace(" ", "-") for kind in KINDS])
def test_one_flipped_bit_in_an_object_of_each_kind_is_found_and_named(kept: Kept, kind: str) -> None:
    if kind == "key" and not kept.repository.keys.encrypted:
        assert not list(kept.repository.store.list_below(KINDS["key"]))
        return
    for path in sorted(kept.folder / info.key for info in kept.repository.store.list_below(KINDS[kind])):
        whole = path.read_bytes()
        others = kind == "pack" and path != _own_pack(kept)  # the newest snapshot does not need it
        for position in (1, len(whole) // 2, len(whole) - 2):
            kept.flip(path, position)
            for said in (found_by_check(kept), *(() if others else (verdict(kept),))):
                assert path.name in said or "opens no key" in said, f"{path.name}, byte {position}: {said!r}"
            path.write_bytes(whole)
    assert verdict(kept) == ""


def _own_pack(kept: Kept) -> Path:
    catalog = kept.repository.catalog(SCOPE)
    place = catalog.table.find(bytes.fromhex(kept.refs[1].id))
    assert place is not None
    return kept.folder / names.pack(SCOPE, catalog.table.packs[place.pack].id)


def test_a_flipped_bit_in_a_blob_is_found_only_by_reading_and_names_the_part(kept: Kept) -> None:
    catalog = kept.repository.catalog(SCOPE)
    place = catalog.table.find(bytes.fromhex(kept.refs[1].id))
    assert place is not None
    kept.flip(_own_pack(kept), place.blob.offset + 3)
    assert verdict(kept, percent=0) == ""
    with pytest.raises(SnapshotDamaged) as caught:
        verify_snapshot(SnapshotVerify(kept.settings, LATEST, 100), QUIET)
    assert kept.refs[1].id in caught.value.details
    assert "not whole: add-ons part-1" in caught.value.details
    assert "part-0" not in caught.value.details


def test_a_pack_that_is_gone_is_found_without_reading(kept: Kept) -> None:
    path = _own_pack(kept)
    path.unlink()
    assert path.name in verdict(kept, percent=0)


def test_repair_makes_a_damaged_index_again_and_says_what_stays_wrong(kept: Kept) -> None:
    kept.flip(kept.path("index"), 50)
    assert found_by_check(kept)
    result = check(RepositoryCheck(kept.settings, 100, repair=True), QUIET)
    assert result.repaired is not None
    assert (result.repaired.removed, result.repaired.packs) == (1, 1)
    assert result.faults == ()
    assert verdict(kept) == ""
    again = check(RepositoryCheck(kept.settings, repair=True), QUIET)
    assert again.repaired is not None
    assert (again.repaired.removed, again.repaired.packs, again.faults) == (0, 0, ())


def test_repair_cannot_make_content_again_and_names_whom_it_hurts(kept: Kept) -> None:
    catalog = kept.repository.catalog(SCOPE)
    place = catalog.table.find(bytes.fromhex(kept.refs[1].id))
    assert place is not None
    kept.flip(_own_pack(kept), place.blob.offset + 3)
    result = check(RepositoryCheck(kept.settings, 100, repair=True), QUIET)
    assert any("part-1" in hurt for fault in result.faults for hurt in fault.hurts)
