# SPDX-License-Identifier: Apache-2.0
"""Commands on records in memory and a simulated target."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mooring.domain.instance.ledger import Ledger, Previous, dump_ledger
from mooring.domain.model.identity import Ref
from mooring.drivers.documents import Document
from tests.unit.cli.records import CREATED, running
from tests.unit.cli.runner import Program

GOLDEN = Path(__file__).parents[2] / "golden" / "cli"
MANIFEST = "apiVersion: mooring.dev/v1alpha1\nkind: OdooInstance\nmetadata: {name: shop}\nspec: {image: 'odoo:14.0'}\n"


def operation(name: str, **status: Any) -> tuple[Document, dict[str, Any]]:
    spec = {"type": "Restart", "instanceRef": {"name": "shop"}}
    doc = Document(Ref("OdooOperation", "default", name), f"id-{name}", meta={"createdAt": CREATED}, spec=spec)
    return doc, status


def check_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("MOORING_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_list_shows_what_is_on_record_as_golden(form: str, program: Program) -> None:
    program.put(*running())
    program.put(*running("till", "team", phase="UpgradeFailed"))
    program.put(Document(Ref("DatabaseServer", "default", "default"), "1", spec={"managed": {}}), {"phase": "Running"})

    result = program("list", "-o", form)

    assert (result.code, result.err) == (0, "")
    check_golden(f"list.{form}", result.out)


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_status_shows_conditions_failure_and_processes_as_golden(form: str, program: Program) -> None:
    program.put(*running())
    program.put(
        *operation(
            "shop-restart-1",
            phase="Failed",
            completionTime="2026-01-05T07:30:00Z",
            error={"code": "MOOR-330", "brief": "It ended with 1.", "resolution": "Look."},
            logTail="one\ntwo",
        )
    )
    steps = [
        {"step": "stop", "attempt": 1, "at": "2026-01-05T07:59:50Z", "state": "intended"},
        {"step": "stop", "attempt": 1, "at": "2026-01-05T07:59:52.500000Z", "state": "done"},
        {"step": "start", "attempt": 1, "at": "2026-01-05T07:59:53Z", "state": "intended"},
    ]
    program.put(*operation("shop-restart-2", phase="Running", startTime="2026-01-05T07:59:49Z", steps=steps))

    result = program("status", "shop", "-o", form)

    assert (result.code, result.err) == (0, "")
    check_golden(f"status.{form}", result.out)


@pytest.mark.parametrize("form", ["table", "json"])
def test_plan_shows_changes_operations_and_unknowns_as_golden(form: str, program: Program, tmp_path: Path) -> None:
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(MANIFEST)

    result = program("plan", "-f", str(manifest), "-o", form)

    assert (result.code, result.err) == (0, "")
    check_golden(f"plan.{form}", result.out)
    assert program.get("OdooInstance", "shop") is None


def test_list_of_nothing_says_what_to_do_first(program: Program) -> None:
    assert "mooring init" in program("list").out
    assert json.loads(program("list", "-o", "json").out) == []


def test_list_with_a_namespace_shows_that_one_only(program: Program) -> None:
    program.put(*running())
    program.put(*running("till", "team"))

    assert [one["name"] for one in json.loads(program("-n", "team", "list", "-o", "json").out)] == ["till"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "shpo"),
        ("logs", "shpo"),
        ("open", "shpo"),
        ("shell", "shpo"),
        ("psql", "shpo"),
        ("exec", "shpo", "--", "id"),
        ("stop", "shpo"),
        ("start", "shpo"),
        ("restart", "shpo"),
        ("upgrade", "shpo"),
        ("rollback", "shpo"),
        ("delete", "shpo"),
        ("operations", "list", "shpo"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_command_on_an_unknown_instance_ends_with_3_and_names_the_nearest(
    arguments: tuple[str, ...], program: Program
) -> None:
    program.put(*running())

    result = program(*arguments)

    assert result.code == 3
    assert "MOOR-600" in result.err
    assert "Did you mean `shop`?" in result.err


def test_command_on_a_name_that_can_be_none_ends_with_3(program: Program) -> None:
    assert program("stop", "../etc").code == 3


def test_status_shows_warnings_problem_and_the_release_before_by_its_name(program: Program) -> None:
    program.put(
        *running(
            previous={"image": "odoo:14.0-old", "digest": "sha256:old", "operation": "op-1"},
            database={"server": "default", "name": "shop", "sizeBytes": 8_263_827},
            warnings=["workers: one only."],
            problem={"code": "MOOR-605", "brief": "No folder.", "resolution": "Make the folder."},
        )
    )

    text = program("status", "shop").out
    value = json.loads(program("status", "shop", "-o", "json").out)

    assert "warning: workers: one only." in text
    assert "odoo:14.0-old" in text
    assert "shop on default, 7.9 MiB" in text
    assert "→ Make the folder." in text
    assert value["previous"] == "odoo:14.0-old"
    assert value["warnings"] == ["workers: one only."]
    assert value["problem"]["resolution"] == "Make the folder."


def test_status_shows_the_last_backup_and_its_verification(program: Program) -> None:
    backup = {"snapshot": "5f2c90aa11112222", "time": "2026-01-05T02:00:09Z", "result": "Complete"}
    verify = {"time": "2026-01-05T05:00:00Z", "result": "Sound", "scope": "Restore", "recoverySeconds": 95}
    program.put(
        *running(
            lastBackup=backup,
            lastVerify=verify,
            previous={"digest": "sha256:old", "operation": "op-1", "until": "2026-01-06T07:00:00Z"},
        )
    )

    text = program("status", "shop").out
    value = json.loads(program("status", "shop", "-o", "json").out)

    assert "Complete at 2026-01-05T02:00:09Z, snapshot 5f2c90aa1111" in text
    assert "Sound at 2026-01-05T05:00:00Z (a drill); recovery time to expect: " in text
    assert "returns to it until 2026-01-06T07:00:00Z" in text
    assert (value["lastBackup"], value["lastVerify"]) == (backup, verify)


@pytest.mark.parametrize(
    ("given", "spec"),
    [
        pytest.param((), {}, id="structure"),
        pytest.param(("--read-data",), {"readData": 100}, id="all"),
        pytest.param(("--read-data=10", "--snapshot", "5f2c"), {"readData": 10, "to": {"snapshot": "5f2c"}}, id="part"),
        pytest.param(("--restore",), {"restore": True}, id="drill"),
    ],
)
def test_verify_asks_for_what_was_said(given: tuple[str, ...], spec: dict[str, Any], program: Program) -> None:
    program.put(*running())
    result = program("verify", "shop", *given, "--no-wait", "-o", "json")
    assert (result.code, result.err) == (0, "")
    doc = program.get("OdooOperation", json.loads(result.out.splitlines()[-1])["operation"])
    assert doc is not None
    assert {key: item for key, item in doc.spec.items() if key != "instanceRef"} == {"type": "Verify", **spec}


def test_verify_of_more_than_all_is_refused(program: Program) -> None:
    program.put(*running())
    result = program("verify", "shop", "--read-data=200")
    assert result.code == 2
    assert "no share" in result.err


def test_status_of_a_server_shows_phase_image_users_and_problem(program: Program) -> None:
    program.put(*running())
    program.put(
        Document(Ref("DatabaseServer", "default", "default"), "1", spec={"default": True, "managed": {}}),
        {
            "phase": "Degraded",
            "image": {"source": "postgres:17", "digest": "sha256:2"},
            "problem": {"code": "MOOR-620", "brief": "It died.", "resolution": "Look at its log."},
        },
    )

    text = program("status", "default").out
    value = json.loads(program("status", "default", "-o", "json").out)

    for words in ("Degraded", "postgres:17", "shop", "It died.", "→ Look at its log."):
        assert words in text
    assert (value["kind"], value["users"], value["digest"]) == ("DatabaseServer", ["shop"], "sha256:2")
    assert program("status", "defalt").code == 3


@pytest.mark.parametrize("arguments", [("status", "shpo"), ("no-such-command",)], ids=["error", "usage"])
def test_error_with_yaml_is_one_document_on_standard_output(arguments: tuple[str, ...], program: Program) -> None:
    result = program("-o", "yaml", *arguments)

    assert result.code in (2, 3)
    assert result.err == ""
    assert yaml.safe_load(result.out)["type"] == "error"


def test_logs_with_yaml_are_documents(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    async def logs(ref: Ref, **_: Any) -> AsyncIterator[str]:
        yield f"one: {ref.name}"
        yield "two"

    monkeypatch.setattr(program.target, "logs", logs)
    program.put(*running())

    found = list(yaml.safe_load_all(program("logs", "shop", "-o", "yaml").out))

    assert [one["line"] for one in found] == ["one: shop", "two"]


def test_logs_of_what_never_started_say_what_keeps_it(program: Program) -> None:
    program.put(*running(problem={"code": "MOOR-605", "brief": "No folder.", "resolution": "Make the folder."}))

    result = program("logs", "shop")

    assert result.code != 0
    assert "No folder." in result.err
    assert "→ Make the folder." in result.err


def test_exec_ends_with_the_commands_exit_code_and_without_a_standard_input_has_no_terminal(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[tuple[str, ...], str, bool]] = []

    async def attach(_ref: Ref, argv: tuple[str, ...], *, role: str, tty: bool) -> int:
        asked.append((argv, role, tty))
        return 7

    monkeypatch.setattr(program.target, "attach", attach)
    monkeypatch.setattr("sys.stdin", None)  # as Python starts after `<&-`
    program.put(*running())

    assert program("exec", "shop", "--role", "cron", "--", "id", "-u").code == 7
    assert asked == [(("id", "-u"), "cron", False)]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_agent_unit_as_data(form: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.cli.service.program_path", lambda: Path("/opt/mooring"))
    value = yaml.safe_load(program("agent", "install", "--dry-run", "-o", form).out)

    assert "[Service]" in value["unit"]
    assert value["installed"] is False


def test_status_without_an_engine_shows_the_record_and_warns(program: Program) -> None:
    program.put(*running())
    program.target.unreachable = True

    result = program("status", "shop")

    assert result.code == 0
    assert "warning:" in result.out
    assert "http://shop.example.com" in result.out


def test_apply_of_two_files_reports_the_faults_of_both(program: Program, tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(MANIFEST + "  replicas: -1\n".replace("  ", "", 1))
    two.write_text("kind: OdooInstance\napiVersion: mooring.dev/v1alpha1\nmetadata: {name: till}\nspec: {imge: x}\n")

    result = program("apply", "-f", str(one), "-f", str(two), "-f", str(tmp_path / "none.yaml"))

    assert result.code == 2
    assert "one.yaml" in result.err
    assert "imge" in result.err
    assert "none.yaml cannot be read" in result.err
    assert program.get("OdooInstance", "till") is None


def test_apply_of_one_name_in_two_files_is_refused(program: Program, tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(MANIFEST)
    two.write_text(MANIFEST)

    result = program("apply", "-f", str(one), "-f", str(two), "--no-wait")

    assert result.code == 2
    assert "is in" in result.err
    assert program.get("OdooInstance", "shop") is None


def test_apply_places_documents_in_the_namespace_that_is_named(program: Program, tmp_path: Path) -> None:
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(MANIFEST)

    assert program("apply", "-n", "team", "--no-wait", "-f", str(manifest)).code == 0
    assert program.get("OdooInstance", "shop", "team") is not None


def test_apply_with_another_namespace_than_the_documents_is_refused_with_its_place(
    program: Program, tmp_path: Path
) -> None:
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(MANIFEST.replace("{name: shop}", "{name: shop, namespace: other}"))

    result = program("apply", "-n", "team", "--no-wait", "-f", str(manifest))

    assert result.code == 2
    assert "shop.yaml:3:" in result.err


def test_apply_without_waiting_records_and_says_who_does_the_work(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MANIFEST.encode())))

    result = program("apply", "-f", "-", "--no-wait", "-o", "json")

    assert result.code == 0
    last = json.loads(result.out.splitlines()[-1])
    assert last["type"] == "result"
    assert [(one["name"], one["change"]) for one in last["items"]] == [("shop", "created")]
    assert "No agent runs here" in result.err


def test_delete_with_purge_needs_the_name_again(program: Program) -> None:
    program.put(*running())

    refused = program("delete", "shop", "--purge", "--confirm", "till", "--no-wait")
    doc = program.get("OdooInstance", "shop")
    assert refused.code == 2
    assert "MOOR-612" in refused.err
    assert doc is not None
    assert doc.deleted_at is None

    assert program("delete", "shop", "--purge", "--confirm", "shop", "--no-wait").code == 0
    doc = program.get("OdooInstance", "shop")
    assert doc is not None
    assert doc.deleted_at is not None
    assert doc.meta["purge"] is True


@pytest.mark.parametrize(
    ("admin", "kept"),
    [pytest.param({}, 1, id="no administrator"), pytest.param({"adminSecretRef": {"name": "admin"}}, 0, id="one")],
)
def test_delete_with_purge_says_that_an_external_database_stays(
    admin: dict[str, Any], kept: int, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any, **__: Any) -> None:
        return

    monkeypatch.setattr("mooring.cli.driving.lead", gone)
    doc, status = running(database={"server": "pg.example.com:5432", "name": "shop"})
    external = {"host": "pg.example.com", "secretRef": {"name": "pg"}, **admin}
    program.put(replace(doc, spec={"image": "odoo:14.0", "database": {"external": external}}), status)

    text = program("delete", "shop", "--purge", "--confirm", "shop").out
    last = json.loads(program("delete", "shop", "--purge", "--confirm", "shop", "-o", "json").out.splitlines()[-1])

    assert len(last["kept"]) == kept
    assert ('DROP DATABASE "shop";' in text) is bool(kept)
    assert ("with all its data" in text) is not bool(kept)


def test_delete_without_purge_marks_and_keeps(program: Program) -> None:
    program.put(*running())

    assert program("delete", "shop", "--no-wait").code == 0
    doc = program.get("OdooInstance", "shop")
    assert doc is not None
    assert doc.deleted_at is not None
    assert "purge" not in doc.meta


@pytest.mark.parametrize("verb", ["stop", "start", "restart"])
def test_verb_writes_one_operation_document(verb: str, program: Program) -> None:
    program.put(*running())

    result = program(verb, "shop", "--no-wait", "-o", "json")

    name = json.loads(result.out.splitlines()[-1])["operation"]
    doc = program.get("OdooOperation", name)
    assert result.code == 0
    assert doc is not None
    assert doc.spec["type"] == verb.capitalize()
    assert doc.spec["instanceRef"] == {"name": "shop"}


@pytest.mark.parametrize(
    ("arguments", "spec"),
    [
        pytest.param((), {}, id="nothing named"),
        pytest.param(("--modules", "all", "--no-backup"), {"modules": ["all"], "backupBefore": False}, id="no backup"),
        pytest.param(("--modules", "sale, stock"), {"modules": ["sale", "stock"]}, id="modules"),
        pytest.param(("--install", "crm"), {"install": ["crm"]}, id="install alone updates nothing"),
    ],
)
def test_upgrade_writes_what_was_named(arguments: tuple[str, ...], spec: dict[str, Any], program: Program) -> None:
    program.put(*running())

    result = program("upgrade", "shop", "--no-wait", "-o", "json", *arguments)

    doc = program.get("OdooUpgradeJob", json.loads(result.out.splitlines()[-1])["operation"])
    assert doc is not None
    assert {key: value for key, value in doc.spec.items() if key != "instanceRef"} == spec


def test_upgrade_with_an_image_changes_the_record_and_keeps_the_rest(program: Program) -> None:
    program.put(*running())

    assert program("upgrade", "shop", "--image", "odoo:14.0-next", "--no-wait").code == 0
    doc = program.get("OdooInstance", "shop")
    assert doc is not None
    assert doc.spec["image"] == "odoo:14.0-next"
    assert program("upgrade", "shop", "--image", "x", "--modules", "sale").code == 2


def test_rollback_of_a_release_alone_says_that_the_data_stays(program: Program) -> None:
    previous = Previous("sha256:before", "op-1", data=False)
    program.put(*running(ledger=dump_ledger(Ledger(initialized=True, runs="sha256:1", previous=previous))))

    result = program("rollback", "shop")

    assert "No module was updated: the data stays as it is now." in result.err
    assert result.code != 0  # nobody confirmed


def test_rollback_without_an_earlier_release_is_refused(program: Program) -> None:
    program.put(*running())

    result = program("rollback", "shop", "--yes")

    assert result.code == 2
    assert "MOOR-610" in result.err


def test_operations_show_cancel_and_retry_know_their_phases(program: Program) -> None:
    program.put(*running())
    program.put(*operation("shop-restart-1", phase="Succeeded"))
    program.put(*operation("shop-restart-2"))

    assert "Succeeded" in program("operations", "show", "shop-restart-1").out
    assert program("operations", "show", "nope").code == 3
    assert program("operations", "cancel", "shop-restart-1").code == 4
    assert program("operations", "retry", "shop-restart-1").code == 4
    assert program("operations", "cancel", "shop-restart-2").code == 0
    doc = program.get("OdooOperation", "shop-restart-2")
    assert doc is not None
    assert doc.status["phase"] == "Cancelled"


def test_secret_is_set_from_standard_input_listed_shown_and_deleted(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hunter2-long\n")))
    done = program("secret", "set", "mail", "password")

    assert done.code == 0
    assert "hunter2" not in done.out + done.err
    listed = program("secret", "list", "-o", "json")
    assert json.loads(listed.out) == [{"namespace": "default", "name": "mail", "keys": ["password"]}]
    assert program("secret", "show", "mail", "password").out == "hunter2-long\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert program("secret", "delete", "mail").code == 2
    assert program("secret", "delete", "mail", "--yes").code == 0
    assert program("secret", "show", "mail", "password").code == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "empty"), (b"one\ntwo\n", "line break"), (b"\xff", "UTF-8")],
    ids=["empty", "two lines", "no text"],
)
def test_secret_that_cannot_be_used_is_refused(
    data: bytes, words: str, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    result = program("secret", "set", "mail", "password")

    assert result.code != 0
    assert words in result.err
    assert program("secret", "list", "-o", "json").out.strip() == "[]"


def test_init_writes_a_manifest_that_can_be_applied_and_never_over_a_file(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    assert program("init", "shop", "--host", "shop.example.com", "--modules", "sale,stock").code == 0
    text = (tmp_path / "shop.yaml").read_text()
    assert yaml.safe_load(text)["spec"]["init"]["modules"] == ["sale", "stock"]
    assert program("init", "shop").code == 4
    assert (tmp_path / "shop.yaml").read_text() == text
    assert program("apply", "-f", "shop.yaml", "--no-wait").code == 0


@pytest.mark.parametrize(
    "arguments",
    [("BAD",), ("shop", "--image", "a b"), ("shop", "--host", "x y"), ("shop", "--modules", "a,b'c")],
    ids=["name", "image", "host", "modules"],
)
def test_init_of_what_can_be_no_manifest_writes_nothing(
    arguments: tuple[str, ...], program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert program("init", *arguments).code == 2
    assert list(tmp_path.glob("*.yaml")) == []


def test_schema_is_json_and_yaml_of_the_same(program: Program) -> None:
    assert json.loads(program("schema").out) == yaml.safe_load(program("schema", "-o", "yaml").out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(shell: str, program: Program) -> None:
    result = program("completion", shell)

    assert result.code == 0
    assert "_MOORING_COMPLETE" in result.out


def test_unknown_target_is_refused_by_name(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from mooring.cli import context

    monkeypatch.undo()
    monkeypatch.setenv("MOORING_HOME", str(tmp_path / "other"))
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(MANIFEST)

    result = program("-t", "cloud", "apply", "-f", str(manifest))

    assert context.open_app is not program.open
    assert result.code == 2
    assert "MOOR-700" in result.err


def test_agent_status_ends_with_3_when_none_runs(program: Program) -> None:
    result = program("agent", "status", "-o", "json")

    assert result.code == 3
    assert json.loads(result.out)["running"] is False


def test_agent_with_yaml_is_refused(program: Program) -> None:
    result = program("agent", "run", "-o", "yaml")

    assert result.code == 2
    assert yaml.safe_load(result.out)["code"] == "MOOR-711"


def test_agent_unit_is_hardened_and_names_program_and_home(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.cli.service.program_path", lambda: Path("/opt/my tools/mooring"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/podman/podman.sock")

    text = program("agent", "install", "--dry-run").out

    assert 'ExecStart="/opt/my tools/mooring" agent run' in text
    assert f"Environment=MOORING_HOME={program.home}" in text
    assert "Environment=DOCKER_HOST=unix:///run/podman/podman.sock" in text
    for line in ("ProtectSystem=strict", "NoNewPrivileges=yes", "Restart=always"):
        assert line in text
