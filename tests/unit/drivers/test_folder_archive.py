# SPDX-License-Identifier: Apache-2.0
"""A folder of add-ons as it travels to the engine."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

from mooring.drivers.docker.archive import pack_folder
from mooring.drivers.folders import folder_digest


def make_addons(folder: Path) -> None:
    module = folder / "my_module"
    module.mkdir(parents=True)
    (module / "__manifest__.py").write_text("{}")
    (module / "models.py").write_text("x = 1")
    (module / "run.sh").write_text("true")
    (module / "run.sh").chmod(0o700)


def packed(folder: Path) -> dict[str, tarfile.TarInfo]:
    with pack_folder(folder, "addons", uid=101, gid=102) as stream, tarfile.open(fileobj=stream) as archive:
        return {member.name: member for member in archive}


def test_folder_with_hard_links_is_packed_whole(tmp_path: Path) -> None:
    make_addons(tmp_path)
    os.link(tmp_path / "my_module/models.py", tmp_path / "my_module/same.py")
    found = packed(tmp_path)
    assert found["addons/my_module/same.py"].isfile()
    assert found["addons/my_module/same.py"].size == found["addons/my_module/models.py"].size == 5


def test_folder_is_packed_for_the_user_who_reads_it(tmp_path: Path) -> None:
    make_addons(tmp_path)
    (tmp_path / "my_module/models.py").chmod(0o600)
    found = packed(tmp_path)
    assert {(member.uid, member.gid) for member in found.values()} == {(101, 102)}
    assert found["addons/my_module/models.py"].mode == 0o644
    assert found["addons/my_module/run.sh"].mode == 0o755
    assert found["addons/my_module"].mode == 0o755


def test_folder_packs_what_its_digest_counts_and_nothing_else(tmp_path: Path) -> None:
    make_addons(tmp_path)
    before = folder_digest(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("[remote]")
    (tmp_path / "my_module/__pycache__").mkdir()
    (tmp_path / "my_module/__pycache__/models.pyc").write_text("")
    (tmp_path / "my_module/outside").symlink_to("/etc")
    assert folder_digest(tmp_path) == before
    assert sorted(packed(tmp_path)) == [
        "addons",
        "addons/my_module",
        "addons/my_module/__manifest__.py",
        "addons/my_module/models.py",
        "addons/my_module/run.sh",
    ]
    (tmp_path / "my_module/models.py").write_text("x = 2")
    assert folder_digest(tmp_path) != before
