# SPDX-License-Identifier: Apache-2.0
"""Folders that are copied: what is a module, and what may not be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mooring.drivers.folders import FolderUnreadable, folder_digest, module_names
from tests.support.people import as_nobody


def make_module(folder: Path, name: str) -> Path:
    module = folder / name
    module.mkdir(parents=True)
    (module / "__manifest__.py").write_text("{}")
    return module


def test_modules_are_subfolders_with_a_manifest(tmp_path: Path) -> None:
    make_module(tmp_path, "two")
    make_module(tmp_path, "one")
    (tmp_path / "no_module").mkdir()
    (tmp_path / "README").write_text("")
    assert module_names(tmp_path) == ["one", "two"]


@pytest.mark.parametrize("name", ["nowhere", "README"], ids=["missing", "a file"])
def test_what_is_no_folder_has_no_modules(tmp_path: Path, name: str) -> None:
    (tmp_path / "README").write_text("")
    assert module_names(tmp_path / name) == []


def read(folder: Path) -> None:
    """As a pass does."""
    assert module_names(folder) == ["secret"]
    folder_digest(folder)


@pytest.mark.parametrize("what", [".", "secret", "secret/__manifest__.py"], ids=["folder", "module", "file"])
def test_folder_that_the_working_user_may_not_read_says_who_and_what(what: str) -> None:
    with as_nobody() as folder:
        nobody = os.geteuid()
        os.seteuid(os.getuid())
        make_module(folder, "secret")
        (folder / what).chmod(0)
        os.seteuid(nobody)
        try:
            with pytest.raises(FolderUnreadable) as caught:
                read(folder)
        finally:
            os.seteuid(os.getuid())
            (folder / what).chmod(0o755)
            os.seteuid(nobody)
    assert str(nobody) in caught.value.brief
    assert str(folder) in caught.value.brief
    assert "agent" in caught.value.resolution
