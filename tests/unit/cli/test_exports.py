# SPDX-License-Identifier: Apache-2.0
"""`backup --to`, `snapshots show` and the parts of `restore`: what comes out of a task reaches a person whole."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.instance.ledger import dump_ledger
from mooring.domain.model.identity import Ref
from mooring.domain.task import TaskSpec
from mooring.domain.work.backup import ArchiveResult
from mooring.drivers.documents import Document
from tests.support.sim_world import Outcome
from tests.unit.cli.records import CREATED, ledger_of, running
from tests.unit.cli.runner import Program

ROW: dict[str, Any] = {
    "id": "5f2c90aa" * 4, "time": "2026-01-05T06:00:00Z", "namespace": "default", "name": "shop", "instance": "x",
    "series": "14.0", "image": None, "state": "Complete", "tags": [], "content": 2048, "stored": 10, "files": 2,
    "database": True, "filestore": True,
}  # fmt: skip


@pytest.fixture
def shop(program: Program) -> Program:
    """`shop` runs, and `offsite` is a repository."""
    program.put(*running(ledger=dump_ledger(ledger_of())))
    server = {"default": True, "external": {"host": "db.example.com"}}
    for kind, name, spec in (
        ("DatabaseServer", "default", server),
        ("BackupRepository", "offsite", {"url": "file:///srv/backups"}),
    ):
        ref = Ref(kind, "default", name)
        program.put(
            Document(ref, f"{kind.lower():x<20}"[:20], meta={"createdAt": CREATED}, spec=spec), {"phase": "Running"}
        )
    return program


def leave(program: Program, task: str, result: dict[str, Any], **files: bytes) -> list[TaskSpec]:
    """How the task ends, and what it leaves; the tasks that were started."""
    started: list[TaskSpec] = []

    def end(spec: TaskSpec) -> Outcome:
        started.append(spec)
        return Outcome(0, result=result, files={f"/tmp/{name}": content for name, content in files.items()})

    program.target.on_task(lambda spec: task in spec.argv, end)
    return started


def test_archive_is_written_to_a_file_and_nothing_of_the_task_stays(shop: Program, tmp_path: Path) -> None:
    result = ArchiveResult(7, 2, 1, 5).to_json()
    (started,) = (leave(shop, "backup-archive", result, archive=b"content"),)
    done = shop("backup", "shop", "--format", "dump", "--to", str(tmp_path / "shop.dump"))
    assert (done.code, done.out) == (0, "")
    assert "1 that the database names are not there" in done.err
    assert (tmp_path / "shop.dump").read_bytes() == b"content"
    document = json.loads(next(str(one.parts[0]) for one in started[0].files if one.path.endswith("document.json")))
    assert (document["format"], document["output"], document["withFilestore"]) == ("dump", "/tmp/archive", True)
    assert shop.operations() == []
    assert shop.target.world.tasks == {}


def test_failed_archive_leaves_no_file_and_says_why(shop: Program, tmp_path: Path) -> None:
    fault = {"code": "MOOR-471", "reason": "DumpFailed", "brief": "pg_dump said no.", "resolution": "Look."}
    shop.target.on_task(lambda spec: "backup-archive" in spec.argv, Outcome(1, error=fault))
    done = shop("backup", "shop", "--to", str(tmp_path / "shop.zip"))
    assert done.code == 1
    assert "pg_dump said no." in done.err
    assert list(tmp_path.glob("*shop*")) == []


def test_archive_while_data_is_replaced_is_refused(shop: Program, tmp_path: Path) -> None:
    ref = Ref("OdooRestoreJob", "default", "one")
    spec = {"instanceRef": {"name": "shop"}, "source": {"snapshot": "latest"}}
    asyncio.run(shop.documents.put(Document(ref, "x" * 20, meta={"createdAt": CREATED}, spec=spec), if_version=None))
    stored = asyncio.run(shop.documents.get(ref))
    assert stored is not None
    running_job = Document(
        ref, stored.id, meta=stored.meta, spec=spec, status={"phase": "Running"}, version=stored.version
    )
    asyncio.run(shop.documents.put_status(running_job, if_version=stored.version))
    done = shop("backup", "shop", "--to", str(tmp_path / "shop.zip"))
    assert done.code != 0
    assert "Restore" in done.err
    assert list(tmp_path.glob("*shop*")) == []


def test_archive_for_an_address_is_an_operation(shop: Program) -> None:
    shop("backup", "shop", "--to", "file:///srv/exports/", "--no-wait")
    (operation,) = shop.operations()
    assert operation.spec["destination"] == {"url": "file:///srv/exports/"}
    assert operation.spec["format"] == "zip"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "zip"),
        ("--to", "x.zip", "--tag", "a"),
        ("--to", "x.zip", "--repository", "offsite"),
        ("--to", "x.zip", "--secret", "a"),
        ("--to", "x.zip", "--no-wait"),
        ("--to", "/nowhere/x.zip"),
        ("--secret", "a"),
        ("--to", "x.zip", "--format", "snapshot"),
    ],
    ids=" ".join,
)
def test_what_does_not_belong_together_is_refused_before_anything(shop: Program, arguments: tuple[str, ...]) -> None:
    assert shop("backup", "shop", *arguments).code == 2
    assert shop.operations() == []


def test_part_of_a_snapshot_is_written_without_any_operation(shop: Program, tmp_path: Path) -> None:
    result = {"snapshot": ROW, "name": "", "count": 2, "sizeBytes": 9}
    leave(shop, "snapshot-part", result, part=b"id\n1\n")
    target = tmp_path / "partners.csv"
    done = shop("restore", "shop", "--repository", "offsite", "--table", "res_partner", "--to", str(target))
    assert (done.code, done.out) == (0, ""), done.err
    assert target.read_bytes() == b"id\n1\n"
    assert shop.operations() == []


def test_snapshot_shows_what_is_in_it(shop: Program) -> None:
    result = {"snapshot": ROW, "name": "", "count": 2, "sizeBytes": 9}
    leave(shop, "snapshot-part", result, part=b"10 odoo.conf\n2048 filestore/ab/cd e\n")
    short, long = shop("snapshots", "show", "5f2c90aa"), shop("snapshots", "show", "5f2c90aa", "--files", "-o", "json")
    assert (short.code, long.code) == (0, 0), short.err + long.err
    assert "odoo.conf" in short.out
    assert "filestore" not in short.out
    assert json.loads(long.out)["entries"][1] == {"name": "filestore/ab/cd e", "sizeBytes": 2048}
