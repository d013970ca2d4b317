# SPDX-License-Identifier: Apache-2.0
"""What a person brings, as the archive that is made while it is sent."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from mooring.drivers.docker.uploads import stream_upload
from mooring.drivers.errors import UploadRefused


def test_folder_is_sent_whole_with_the_receivers_owner_and_nobody_elses_rights(tmp_path: Path) -> None:
    content = {"a": b"", "sub/b": os.urandom(5000), "sub/" + "n" * 200: b"x" * 1024, "sub/\udcff": b"odd"}
    for name, data in content.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
        (tmp_path / "in" / name).chmod(0o444)
    data = b"".join(stream_upload(str(tmp_path / "in"), "/given", uid=7, gid=8))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        found = {one.name: archive.extractfile(one).read() for one in members if one.isfile()}  # type: ignore[union-attr]
        assert found == {f"given/{name}": data for name, data in content.items()}
        assert {(one.uid, one.gid, one.mode) for one in members} == {(7, 8, 0o700), (7, 8, 0o600)}


def test_one_file_is_sent_under_the_name_that_it_is_to_have(tmp_path: Path) -> None:
    (tmp_path / "shop.zip").write_bytes(b"content")
    (tmp_path / "link").symlink_to("shop.zip")  # a person's own link to it
    data = b"".join(stream_upload(str(tmp_path / "link"), "/given/archive", uid=7, gid=8))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [(one.name, one.size) for one in archive] == [("given/archive", 7)]


@pytest.mark.parametrize("kind", ["link", "pipe", "nothing"])
def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    if kind == "link":
        (folder / "x").symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(folder / "x")
    else:
        folder.rmdir()
    with pytest.raises(UploadRefused):
        b"".join(stream_upload(str(folder), "/given", uid=7, gid=8))
