# SPDX-License-Identifier: Apache-2.0
"""What start-up loads, what every help says, and how command lines that are wrong end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mooring.cli.main import main
from mooring.cli.root import root
from mooring.cli.table import COMMANDS, EXIT_CODES, render_help
from tests.unit.cli.runner import Program

HEAVY = {"click", "pydantic", "docker", "sqlite3", "asyncio", "yaml", "logging", "json", "subprocess"}
LIST_MODULES = "import sys; from mooring.cli.main import main; main(sys.argv[1:]); print(sorted(sys.modules))"


def leaves() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(root)
    for verb in COMMANDS:
        command = root.get_command(context, verb)
        assert command is not None
        found.append((verb,))
        if isinstance(command, click.Group):
            found += [(verb, name) for name in command.list_commands(context)]
    return found


def run_program(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", code, *arguments] if code else [sys.executable, "-m", "mooring.cli.main", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("asked", ["--help", "--version"])
def test_start_up_for_help_and_version_imports_nothing_heavy(asked: str) -> None:
    done = run_program(asked, code=LIST_MODULES)

    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in eval(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY


def test_task_command_line_imports_no_target_and_no_records() -> None:
    code = (
        "import sys\nfrom mooring.cli.main import main\n"
        "try:\n  main(['task', 'no-such', '--document', '/dev/null'])\nexcept SystemExit:\n  pass\nprint(sorted(sys.modules))"
    )

    loaded = set(eval(run_program(code=code).stdout.splitlines()[-1]))

    assert "docker" not in loaded
    assert "sqlite3" not in loaded
    assert "mooring.control.services" not in loaded


def test_help_without_click_is_the_help_of_the_root_group(program: Program) -> None:
    fast = program("--help")

    assert fast.out == render_help()
    assert program("-o", "json", "--help").out == render_help()
    assert all(f"  {verb} " in fast.out for verb in COMMANDS)
    assert all(f"  {code} " in fast.out for code, _ in EXIT_CODES)


@pytest.mark.parametrize("path", leaves(), ids=" ".join)
def test_help_of_each_command_shows_an_example(path: tuple[str, ...], program: Program) -> None:
    shown = program(*path, "--help")

    assert shown.code == 0
    assert "Example" in shown.out
    assert f"mooring {path[0]}" in shown.out.split("Example", 1)[1]


@pytest.mark.parametrize("path", [one for one in leaves() if one != ("task",)], ids=" ".join)
def test_common_options_are_taken_by_each_command(path: tuple[str, ...], program: Program) -> None:
    shown = program(*path, "--help").out

    assert all(name in shown for name in ("--namespace", "--target", "--output", "--home", "--debug", "--timeout"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("aply",), "Did you mean `apply`?", id="misspelt verb"),
        pytest.param(("apply",), "--file", id="missing option"),
        pytest.param(("list", "--nope"), "--nope", id="unknown option"),
        pytest.param(("list", "-o", "xml"), "xml", id="unknown form"),
        pytest.param(("list", "--timeout", "soon"), "length of time", id="no length of time"),
        pytest.param(("list", "--timeout", "0s"), "longer than nothing", id="no time at all"),
    ],
)
def test_command_line_that_is_wrong_ends_with_2_and_words(
    arguments: tuple[str, ...], words: str, program: Program
) -> None:
    result = program(*arguments)

    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error MOOR-002: ")
    assert words in result.err
    assert "→" in result.err


def test_wrong_command_line_with_json_ends_with_the_error_object(program: Program) -> None:
    result = program("apply", "-o", "json")

    assert result.code == 2
    error = json.loads(result.out.splitlines()[-1])
    assert (error["type"], error["code"]) == ("error", "MOOR-002")
    assert result.err == ""


def test_group_without_a_command_shows_its_help_and_ends_with_2(program: Program) -> None:
    assert program("operations").code == 2


def test_reader_that_goes_away_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mooring.cli.main", "schema"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)

    assert done.returncode == 141
    assert done.stderr == b""


def test_interrupt_ends_with_130_and_says_how_to_resume(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    manifest = tmp_path / "shop.yaml"
    manifest.write_text("apiVersion: mooring.dev/v1alpha1\nkind: OdooInstance\nmetadata: {name: shop}\nspec: {}\n")
    monkeypatch.setattr("mooring.cli.driving.drive", interrupted)

    result = program("apply", "-f", str(manifest))

    assert result.code == 130
    assert "interrupted" in result.err
    assert "again to resume" in result.err
    assert "Traceback" not in result.err


def test_unknown_exception_is_one_line_and_shows_nothing_of_its_text(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> object:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("mooring.api.schema.json_schema", broken)

    plain, debug = program("schema"), program("schema", "--debug")

    assert plain.code == 1
    assert plain.err.startswith("error MOOR-000: ")
    assert "RuntimeError" in plain.err
    assert "--debug" in plain.err
    assert "hunter2" not in plain.err
    assert "Traceback" in debug.err


def test_version_is_printed_in_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    fast = capsys.readouterr().out
    assert main(["-o", "json", "--version"]) == 0

    assert fast.startswith("mooring ")
    assert capsys.readouterr().out == fast
