# SPDX-License-Identifier: Apache-2.0
"""Where a command's bytes go, and what a person may type for an archive."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mooring.cli.archives import archive_source, describe_import
from mooring.cli.errors import BadRequest
from mooring.cli.outlet import check_outlet, open_outlet
from mooring.cli.parts import _deliver

NOTHING: dict[str, Any] = dict.fromkeys(("filestore", "endpoint", "secret", "odoo", "database", "password"))


def test_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "shop.zip"
    target.write_text("yesterday's")

    def fail() -> None:
        with open_outlet(str(target)) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("shop.zip", "yesterday's")]
    with open_outlet(str(target)) as file:
        file.write(b"whole")
    assert target.read_bytes() == b"whole"
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("to", ["", "nowhere/shop.zip"])
def test_place_that_cannot_take_a_file_is_refused_first(tmp_path: Path, to: str) -> None:
    with pytest.raises(BadRequest):
        check_outlet(str(tmp_path / to))


def test_path_of_an_archive_is_made_whole_and_an_address_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my shop.zip").touch()
    (tmp_path / "files").mkdir()
    monkeypatch.chdir(tmp_path)
    found = archive_source("my shop.zip", **{**NOTHING, "filestore": "files"})
    assert found == {"url": f"file://{tmp_path}/my%20shop.zip", "filestore": str(tmp_path / "files")}
    assert archive_source("s3://b/k", **{**NOTHING, "secret": "x"})["credentialsSecretRef"] == {"name": "x"}


@pytest.mark.parametrize(
    "given",
    [
        {"archive": None},
        {"archive": "gone.zip"},
        {"archive": ".", "filestore": "gone"},
        {"archive": ".", "odoo": "https://x"},
        {"archive": None, "odoo": "https://x"},
        {"archive": None, "odoo": "https://x", "database": "d", "password": "one"},
        {"archive": None, "odoo": "https://x", "database": "d", "password": "a/b", "filestore": "."},
        {"archive": ".", "password": "a/b"},
    ],
    ids=lambda given: " ".join(key for key, value in given.items() if value),
)
def test_what_does_not_belong_together_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        archive_source(given.pop("archive"), **{**NOTHING, **given})


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("a\\b\nc", "bc"),
        ("..", "7"),
        (".bashrc", "bashrc"),
    ],
)
def test_attachments_name_leads_nowhere_else(tmp_path: Path, name: str, file: str) -> None:
    result = {"count": 1, "sizeBytes": 4, "name": name}
    _deliver("attachment", "7", result, io.BytesIO(b"data"), str(tmp_path))
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(file, b"data")]


@pytest.mark.parametrize(("name", "right"), [("filestore/ab/cd", True), ("../x", False), ("/x", False)])
def test_files_of_a_snapshot_are_written_below_the_folder_alone(tmp_path: Path, name: str, *, right: bool) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"data"))
    held.seek(0)
    folder = tmp_path / "out"
    folder.mkdir()
    result = {"count": 1, "sizeBytes": 4, "name": ""}
    if right:
        _deliver("path", "*", result, held, str(folder))
        assert (folder / name).read_bytes() == b"data"
    else:
        with pytest.raises(BadRequest):
            _deliver("path", "*", result, held, str(folder))
        assert [one for one in tmp_path.rglob("*") if one.is_file()] == []


def test_what_an_import_lacked_is_said() -> None:
    results: dict[str, dict[str, object]] = {
        "receive-archive": {"files": 3, "altered": 1, "addons": ["my_module"]},
        "load-database": {"tables": 2, "rows": 7},
        "build-filestore": {"missing": 4},
    }
    text = describe_import(results)
    assert "2 tables with 7 rows and 3 attachments" in text
    assert "4 attachment(s)" in text
    assert "my_module" in text
    assert "missing" not in describe_import({"load-database": {"tables": 2, "rows": 7}})
