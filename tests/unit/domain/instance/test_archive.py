# SPDX-License-Identifier: Apache-2.0
"""What a task is given to read or write an archive, and nothing else."""

from __future__ import annotations

import pytest

from mooring.domain.instance.archive import ArchiveAccess, dump_archive, load_archive
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.task import TaskSpec, Upload

TASK = TaskSpec("t", Ref("OdooInstance", "default", "shop"), Identity("here", "id"), ("mooring",), user=(101, 102))
KEYS = tuple(SecretKey(SecretRef("default", "s"), key) for key in ("accessKeyId", "secretAccessKey"))


def test_file_of_this_machine_is_given_and_no_way_out() -> None:
    access = ArchiveAccess("file:///home/me/my%20shop.zip", filestore="/home/me/files")
    task = access.grant_reading(TASK)
    assert task.uploads == (
        Upload("/srv/mooring/given/my shop.zip", "/home/me/my shop.zip", 101, 102),
        Upload("/srv/mooring/given-filestore", "/home/me/files", 101, 102),
    )
    assert (task.egress, task.allow, task.mounts, task.files) == (False, (), (), ())
    assert access.source.path == "/srv/mooring/given/my shop.zip"
    assert access.source.filestore == "/srv/mooring/given-filestore"


@pytest.mark.parametrize(
    ("access", "host", "port"),
    [
        (ArchiveAccess("https://files.example.com/shop.zip"), "files.example.com", 443),
        (ArchiveAccess("http://files.example.com:81/shop.zip"), "files.example.com", 81),
        (ArchiveAccess("https://old.example.com", database="prod", password=KEYS[0]), "old.example.com", 443),
        (ArchiveAccess("s3://b/k.zip", "https://s3.example.com:9000", KEYS), "s3.example.com", 9000),
    ],
    ids=["https", "http", "an Odoo", "a store"],
)
def test_address_is_all_that_a_task_reaches(access: ArchiveAccess, host: str, port: int) -> None:
    task = access.grant_reading(TASK)
    assert [(one.host, one.port) for one in task.allow] == [(host, port)]
    assert (task.egress, task.uploads) == (False, ())
    assert {one.uid for one in task.files} <= {101}
    assert {one.mode for one in task.files} <= {0o600}
    assert load_archive(dump_archive(access)) == access


def test_address_in_digits_opens_the_world_as_for_repositories() -> None:
    assert ArchiveAccess("https://192.0.2.1/shop.zip").grant_reading(TASK).egress is True


@pytest.mark.parametrize(
    ("url", "output", "folder", "key"),
    [
        ("file:///srv/exports/shop.zip", "/srv/mooring/archive/shop.zip", "/srv/exports", None),
        ("file:///srv/exports/", "/srv/mooring/archive/op.zip", "/srv/exports", None),
        ("s3://b/x/shop.zip", None, None, ("s3://b/x", "shop.zip")),
        ("s3://b/x/", None, None, ("s3://b/x", "op.zip")),
    ],
    ids=["file", "folder", "object", "prefix"],
)
def test_archive_gets_its_place(url: str, output: str | None, folder: str | None, key: tuple[str, str] | None) -> None:
    access = ArchiveAccess(url, "https://s3.example.com" if key else None, KEYS if key else ())
    path, store = access.place("op.zip")
    assert path == output
    assert (store.url, store.key) == key if store is not None else key is None
    mounts = [(one.volume, one.path, one.machine) for one in access.grant_writing(TASK).mounts]
    assert mounts == ([(folder, "/srv/mooring/archive", True)] if folder else [])
