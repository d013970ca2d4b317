# SPDX-License-Identifier: Apache-2.0
"""An object store in a folder: who may read and write what it makes. What it does is tests/contract/test_objects.py."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.drivers.objects.folder import FolderObjects

SHARED, PRIVATE = 0o2770, 0o700


@pytest.fixture(params=[0o022, 0o077, 0o007], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(folder: Path, root_mode: int) -> FolderObjects:
    folder.mkdir()
    folder.chmod(root_mode)
    store = FolderObjects(folder)
    tag = store.put("a/b/object", b"one", create=True)
    store.put("a/b/object", b"two", match=tag)
    return store


@pytest.mark.usefixtures("umask")
def test_objects_below_a_shared_folder_are_the_groups_whatever_the_umask(tmp_path: Path) -> None:
    written(tmp_path / "store", SHARED)
    found = {str(path.relative_to(tmp_path / "store")): mode(path) for path in (tmp_path / "store").rglob("*")}
    assert found == {".lock": 0o660, "a": 0o2770, "a/b": 0o2770, "a/b/object": 0o660}


@pytest.mark.usefixtures("umask")
def test_objects_below_a_private_folder_are_their_owners_alone(tmp_path: Path) -> None:
    written(tmp_path / "store", PRIVATE)
    found = {str(path.relative_to(tmp_path / "store")): mode(path) for path in (tmp_path / "store").rglob("*")}
    assert found == {".lock": 0o600, "a": 0o700, "a/b": 0o700, "a/b/object": 0o600}


def test_umask_of_the_process_is_left_alone(tmp_path: Path, umask: int) -> None:
    written(tmp_path / "store", SHARED)
    now = os.umask(umask)
    assert now == umask
