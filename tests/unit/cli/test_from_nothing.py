# SPDX-License-Identifier: Apache-2.0
"""`mooring restore --repository ADDRESS`: on a machine that knows neither the repository nor the instance."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import Any

import pytest

from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.domain.task import DOCUMENT_PATH, TaskSpec
from tests.support.sim_world import Outcome
from tests.unit.cli.records import running
from tests.unit.cli.runner import Program

URL = "s3://shop-backups/odoo"
ID = "1f" * 16
INSTANCE = "0123456789abcdef0123"


def found(**backup: Any) -> Outcome:
    """What the task that reads a snapshot gives."""
    row = {"id": ID, "time": "2026-01-01T00:00:00Z", "instance": INSTANCE, "namespace": "default", "name": "shop"}
    spec = {"image": "odoo:14.0", **({"backup": backup} if backup else {})}
    text = {"apiVersion": "mooring.dev/v1alpha1", "kind": "OdooInstance", "metadata": {"name": "shop"}, "spec": spec}
    return Outcome(0, result={"snapshot": row, "manifest": json.dumps(text)})


@pytest.fixture
def asked(program: Program) -> list[TaskSpec]:
    """The tasks that read a snapshot; the instance's manifest names the repository `offsite`."""
    tasks: list[TaskSpec] = []

    def reads(task: TaskSpec) -> bool:
        if "snapshot-read" in task.argv and task not in tasks:
            tasks.append(task)
        return "snapshot-read" in task.argv

    program.target.on_task(reads, found(repository="offsite"))
    return tasks


def keep(program: Program, name: str, **values: str) -> None:
    """Have a Secret."""
    for key, value in values.items():
        asyncio.run(program.secrets.set(SecretRef("default", name), key, SecretValue(value)))


def document(task: TaskSpec) -> dict[str, Any]:
    file = next(one for one in task.files if one.path == DOCUMENT_PATH)
    value: dict[str, Any] = json.loads("".join(str(part) for part in file.parts))
    return value


def test_restore_from_an_address_writes_repository_instance_and_restore(
    program: Program, asked: list[TaskSpec]
) -> None:
    keep(program, "vault", accessKeyId="K", secretAccessKey="S", passphrase="P")

    result = program(
        *("restore", "--repository", URL, "--endpoint", "https://s3.example.com", "--instance", "shop"),
        *("--secret", "vault", "--yes", "--no-wait"),
    )

    assert result.code == 0, result.err
    repository = program.get("BackupRepository", "offsite")
    assert repository is not None
    assert repository.spec == {
        "url": URL,
        "endpoint": "https://s3.example.com",
        "credentialsSecretRef": {"name": "vault"},
        "encryption": {"passphraseSecretRef": {"name": "vault", "key": "passphrase"}},
    }
    instance = program.get("OdooInstance", "shop")
    assert instance is not None
    assert (instance.id, instance.spec["backup"]["repository"]) == (INSTANCE, "offsite")
    (operation,) = program.operations()
    assert operation.spec["source"] == {"snapshot": ID, "repository": "offsite"}
    (task,) = asked
    settings = document(task)["repository"]
    assert (settings["url"], settings["cacheDir"]) == (URL, None)
    assert not task.mounts
    assert "P" not in json.dumps(document(task))


def test_restore_from_a_folder_needs_no_keys(program: Program, asked: list[TaskSpec]) -> None:
    assert program("restore", "shop", "--repository", "/srv/backups", "--yes", "--no-wait").code == 0
    repository = program.get("BackupRepository", "offsite")
    assert repository is not None
    assert repository.spec == {"url": "file:///srv/backups"}
    assert len(asked) == 1


def test_restore_asks_for_the_keys_once_and_keeps_them_as_a_secret(
    program: Program, asked: list[TaskSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["THE-KEY", "THE-SECRET", "THE-PASSPHRASE"]
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **given: answers.pop(0) if given["hide_input"] else "")

    result = program("restore", "shop", "--repository", URL, "--yes", "--no-wait")

    assert (result.code, answers) == (0, []), result.err
    assert "THE-" not in result.out + result.err
    repository = program.get("BackupRepository", "offsite")
    assert repository is not None
    name = repository.spec["credentialsSecretRef"]["name"]
    key = SecretKey(SecretRef("default", name), "passphrase")
    assert asyncio.run(program.secrets.value(key)).reveal() == "THE-PASSPHRASE"
    assert "THE-" not in json.dumps(repository.spec)
    assert len(asked) == 1


def test_restore_without_keys_or_a_person_says_which_to_set(program: Program, asked: list[TaskSpec]) -> None:
    result = program("restore", "shop", "--repository", URL, "--secret", "vault", "--yes", "--no-wait")
    assert (result.code, "MOOR-732" in result.err) == (2, True)
    assert "mooring secret set vault secretAccessKey" in result.err
    assert (asked, program.operations(), program.get("BackupRepository", "offsite")) == ([], [], None)


def test_restore_uses_the_repository_that_has_the_address(program: Program, asked: list[TaskSpec]) -> None:
    assert program("restore", "shop", "--repository", "/srv/backups", "--yes", "--no-wait").code == 0
    assert program("delete", "shop", "--no-wait").code == 0
    program.put(*running("other"))
    assert program("restore", "other", "--repository", "/srv/backups/", "--yes", "--no-wait").code == 0
    (*_, operation) = program.operations()
    assert operation.spec["source"]["repository"] == "offsite"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param((), "MOOR-711", id="no instance"),
        pytest.param(("shop", "--instance", "crm"), "MOOR-711", id="two instances"),
        pytest.param(
            ("shop", "--repository", "nas", "--endpoint", "https://a.example"), "MOOR-711", id="name, endpoint"
        ),
        pytest.param(("shop", "--repository", "ftp://host/x", "--yes"), "MOOR-1", id="no such address"),
        pytest.param(("shop", "--repository", "s3://user:hunter2@bucket/x", "--yes"), "MOOR-1", id="password in it"),
    ],
)
def test_restore_refuses_what_cannot_be_meant(arguments: tuple[str, ...], code: str, program: Program) -> None:
    result = program("restore", *arguments)
    assert (result.code, code in result.err) == (2, True), result.err
    assert "hunter2" not in result.err
    assert program.operations() == []
