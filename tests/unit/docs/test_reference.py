# SPDX-License-Identifier: Apache-2.0
"""The generated pages say what the program says, and leave nothing out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tools.reference import __main__ as tool
from tools.reference import cli, errors, exits, manifest, settings
from tools.reference.text import attributes, render_table, sentences

from mooring.api.instance import OdooInstanceSpec
from mooring.api.kinds import KINDS
from mooring.api.schema import json_schema
from mooring.cli.table import COMMANDS
from mooring.domain.instance.support import KINDS_NOT_YET, NOT_YET, OPERATION_FIELDS_NOT_YET, find_immutable
from mooring.drivers.settings import Settings, parse_settings
from mooring.errors import MooringError
from mooring.targets.docker.options import UNSUPPORTED

ROOT = Path(__file__).resolve().parents[3]
ERRORS = [one for one in errors.find_errors() if one.__module__.startswith("mooring")]


def test_reference_pages_are_those_of_the_golden_program() -> None:
    if os.environ.get("MOORING_GOLDEN") == "1":
        tool.main([])
    # In a process of its own: what other tests did to the commands of this one is not on the pages.
    argv = (sys.executable, "-m", "tools.reference", "--check")
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_of_a_stale_page_names_it_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "REFERENCE", tmp_path / "reference")
    assert tool.main(["--check"]) == 1
    assert "reference/manifest.md is not up to date" in capsys.readouterr().out
    assert not (tmp_path / "reference").exists()
    assert tool.main([]) == 0
    (tmp_path / "reference" / "errors.md").write_text("changed by hand", encoding="utf-8")
    assert tool.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("reference/errors.md is not up to date")


# Errors


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_error_class_has_what_its_entry_needs(kind: type[MooringError]) -> None:
    assert re.fullmatch(r"MOOR-\d{3}", kind.code)
    assert re.fullmatch(r"[A-Z][A-Za-z]+", kind.reason)
    assert kind.__doc__
    assert sentences(kind.__doc__).splitlines()[0].endswith((".", ":"))
    assert kind.default_resolution.strip().endswith(".")
    assert kind.exit_code in {1, 2, 3, 4, 5}
    if kind is not MooringError:
        assert "code" in kind.__dict__, "it would share its parent's code"


def test_error_codes_are_unique() -> None:
    by_code: dict[str, list[str]] = {}
    for kind in ERRORS:
        by_code.setdefault(kind.code, []).append(kind.__qualname__)
    assert {code: names for code, names in by_code.items() if len(names) > 1} == {}


def test_errors_page_has_an_entry_for_each_code() -> None:
    page = errors.render_errors()
    entries = re.findall(r"^### (MOOR-\d{3}): (\w+) ", page, re.MULTILINE)
    assert entries == [(kind.code, kind.reason) for kind in ERRORS]
    for kind in ERRORS:
        assert f"**What to do:** {kind.default_resolution}" in page


def test_errors_page_has_the_notes_below_their_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "MOOR-303.md").write_text("Look at `docker system df`.\n", encoding="utf-8")
    monkeypatch.setattr(errors, "NOTES", tmp_path)
    entry = errors.render_errors().partition("### MOOR-303")[2].partition("### MOOR-")[0]
    assert entry.rstrip().endswith("Look at `docker system df`.")


def test_errors_page_with_a_note_for_no_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "MOOR-999.md").write_text("Of nothing.", encoding="utf-8")
    monkeypatch.setattr(errors, "NOTES", tmp_path)
    with pytest.raises(ValueError, match="MOOR-999"):
        errors.render_errors()


def test_errors_page_of_two_classes_with_one_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "find_errors", lambda: [*ERRORS, ERRORS[-1]])
    with pytest.raises(ValueError, match=ERRORS[-1].code):
        errors.render_errors()


def test_exit_codes_page_has_each_error_once() -> None:
    page = exits.render_exits()
    assert sorted(re.findall(r"#(moor-\d{3})\)", page)) == sorted({kind.code.lower() for kind in ERRORS})


# Manifests


def _spec(kind: str) -> type[BaseModel]:
    found = KINDS[kind].model_fields["spec"].annotation
    assert isinstance(found, type)
    assert issubclass(found, BaseModel)
    return found


def _properties() -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    for name, definition in json_schema()["$defs"].items():
        found += [(name, field, shown) for field, shown in definition.get("properties", {}).items()]
    return found


def test_manifest_page_has_every_field_of_every_kind() -> None:
    page = manifest.render_manifest()
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    missing = {field for _, field, _ in _properties()} - set(rows)
    assert missing == set()
    assert [kind for kind in KINDS if f"\n## {kind}\n" not in page] == []


def test_manifest_page_has_every_documentation_of_a_field() -> None:
    page = re.sub(r"\s+", " ", manifest.render_manifest().replace("\\|", "|"))
    texts = {
        re.sub(r"\s+", " ", str(shown["description"]))
        for name, field, shown in _properties()
        if name not in KINDS and "description" in shown
    }
    assert len(texts) > 150
    assert [text for text in texts if text not in page] == []


def _meaning(path: str, kind: str = "OdooInstance") -> str:
    """The last cell of a field of a kind's spec."""
    group, _, field = f"spec.{path}".rpartition(".")
    page = manifest.render_manifest()
    section = re.split(rf"^### {kind}: {re.escape(group)}(?:\[\])?$", page, maxsplit=1, flags=re.MULTILINE)[1]
    row = re.search(rf"^\| `{field}` \|(.*)$", section.partition("\n### ")[0], re.MULTILINE)
    assert row is not None
    return row[1]


@pytest.mark.parametrize("path", sorted(UNSUPPORTED))
def test_manifest_page_marks_what_docker_cannot_honour(path: str) -> None:
    assert "**Not on Docker.**" in _meaning(path)


@pytest.mark.parametrize("path", sorted(NOT_YET))
def test_manifest_page_marks_what_is_not_carried_out_yet(path: str) -> None:
    assert "**Not yet" in _meaning(path)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (kind, path)
        for kind in ("OdooInitJob", "OdooUpgradeJob", "OdooOperation")
        for path in sorted(OPERATION_FIELDS_NOT_YET)
        if path in {info.alias for info in _spec(kind).model_fields.values()}
    ],
    ids=lambda value: value,
)
def test_manifest_page_marks_what_an_operation_does_not_carry_out_yet(kind: str, path: str) -> None:
    assert "**Not yet" in _meaning(path, kind)


def test_manifest_page_does_not_mark_what_is_carried_out() -> None:
    for path in ("image", "replicas", "ingress.hosts", "init.modules", "database.managed.parameters"):
        assert "**Not" not in _meaning(path)
    for path in ("templates", "managed.version", "external", "default"):
        assert "**Not yet.**" not in _meaning(path, "DatabaseServer")


@pytest.mark.parametrize(
    ("kind", "path", "old", "new"),
    [
        pytest.param("OdooInstance", "database.server", {"server": "one"}, {"server": "two"}, id="database.server"),
        pytest.param(
            "OdooInstance", "database.managed.version", {"managed": {"version": 15}}, {"managed": {"version": 17}},
            id="database.managed.version",
        ),
    ],
)  # fmt: skip
def test_manifest_page_marks_a_change_that_is_refused(
    kind: str, path: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    before, after = (OdooInstanceSpec.model_validate({"database": one}) for one in (old, new))
    assert find_immutable(before, after, environment="Production") != []
    assert manifest.CHANGE_MARK in _meaning(path, kind)


def test_manifest_page_marks_what_a_server_is_refused_for() -> None:
    assert manifest.CHANGE_MARK in _meaning("managed.version", "DatabaseServer")
    assert "**Not yet.**" in _meaning("allowedNamespaces", "DatabaseServer")
    for path in ("cloudNativePG", "managed.storageClass"):
        assert "**Not on Docker.**" in _meaning(path, "DatabaseServer")


def test_manifest_page_marks_the_kinds_that_are_refused() -> None:
    page = manifest.render_manifest()
    for kind in KINDS:
        marked = bool(re.search(rf"^\| \[`{kind}`\].*\*\*not yet\*\* \|$", page, re.MULTILINE))
        assert marked is (kind in KINDS_NOT_YET)


# Settings and commands


def test_settings_page_has_every_key() -> None:
    def keys(group: Any, prefix: str = "") -> list[str]:
        found: list[str] = []
        for one in fields(group):
            value = getattr(group, one.name)
            nested = is_dataclass(value) and one.name != "publish_ports"
            found += keys(value, f"{prefix}{one.name}.") if nested else [f"{prefix}{one.name}"]
        return found

    page = settings.render_settings()
    assert re.findall(r"^\| `([a-z][a-z_.]*)` \|", page, re.MULTILINE) == keys(Settings())


def test_settings_example_is_the_defaults() -> None:
    example = settings.render_settings().partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(example)["docker"]["ingress"]["http_port"] == 80
    assert parse_settings(example, source="the page") == Settings()


def test_cli_page_has_the_help_of_every_command() -> None:
    page = cli.render_cli()
    shown = re.findall(r"^## mooring (\S+)$", page, re.MULTILINE)
    assert shown == [verb for verb in COMMANDS if verb in shown]
    assert "task" in shown
    for verb in shown:
        assert f"Usage: mooring {verb}" in page


# Parts


def test_sentences_of_a_docstring_leave_its_sections_out() -> None:
    assert sentences("It is so.\n\n    More.\n\n    Args:\n        one: no.\n") == "It is so.\n\nMore."


def test_attributes_of_a_docstring_join_their_lines() -> None:
    text = "A group.\n\n    Attributes:\n        one: the first,\n            on two lines.\n        two: the second.\n"
    assert attributes(text) == {"one": "the first, on two lines.", "two": "the second."}


def test_table_with_a_bar_in_a_cell_stays_a_table() -> None:
    assert render_table(("a", "b"), [("one|two", "three")]).splitlines()[-1] == "| one\\|two | three |"
