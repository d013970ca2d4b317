# SPDX-License-Identifier: Apache-2.0
"""What a clumsy or hostile caller gives the program: every answer is words and an exit code of the documented ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mooring.cli import main as entry
from mooring.cli import reading
from mooring.cli.errors import render_error
from mooring.cli.style import Style
from mooring.errors import NotFoundError
from tests.unit.cli.records import running
from tests.unit.cli.runner import Program

STACK = "services:\n  odoo:\n    image: odoo:18.0\n"
BUCKET = (
    "CF_R2_ACCESS_KEY_ID=k\nCF_R2_SECRET_ACCESS_KEY=s\nCF_R2_BUCKET=bucket\nCF_R2_ENDPOINT=https://s3.example.com\n"
)


def shell(line: str, home: Path, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """A line of the shell in which `"$@"` is the program, on a home of its own."""
    given = {**os.environ, "MOORING_HOME": str(home), **environ}
    program = (sys.executable, "-m", "mooring.cli.main")
    return subprocess.run(["sh", "-c", line, "sh", *program], capture_output=True, env=given, timeout=60, check=False)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param('"$@" --version >&-', 0, id="version without output"),
        pytest.param('"$@" secret list >&-', 0, id="list without output"),
        pytest.param('"$@" secret show a b 2>&-', 3, id="error without error output"),
        pytest.param('"$@" plan -f - <&-', 2, id="manifest without input"),
        pytest.param('"$@" secret list <&- >&- 2>&-', 0, id="none of the three"),
    ],
)
def test_closed_standard_streams_lead_nowhere_and_do_no_harm(tmp_path: Path, line: str, code: int) -> None:
    result = shell(line, tmp_path)
    assert (result.returncode, b"Traceback" in result.stderr, b"MOOR-000" in result.stderr) == (code, False, False)


def test_an_archive_for_a_closed_output_is_refused_and_not_lost(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.put(*running())
    monkeypatch.setattr(sys, "stdout", None)
    result = program("backup", "shop", "--format", "zip", "--to", "-")
    assert (result.code, "Standard output is closed" in result.err) == (2, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param('"$@" --version', 1, id="version"),
        pytest.param('"$@" --help', 1, id="help"),
        pytest.param('"$@" secret list', 1, id="table"),
        pytest.param('"$@" secret list -o yaml', 1, id="yaml"),
        pytest.param('"$@" secret show a b -o json', 3, id="error as json"),
    ],
)
def test_output_onto_a_full_disk_is_said_in_words(tmp_path: Path, line: str, code: int) -> None:
    result = shell(f"{line} >/dev/full", tmp_path)
    assert result.returncode == code
    assert b"Traceback" not in result.stderr
    assert b"o space " in result.stderr or b"MOOR-510" in result.stderr


def test_output_that_cannot_take_a_character_gets_its_number(tmp_path: Path) -> None:
    result = shell('"$@" secret show nöne k -o json', tmp_path, PYTHONIOENCODING="ascii")
    assert "nöne" in json.loads(result.stdout)["brief"]


def test_a_file_name_that_is_no_utf_8_leaves_json_valid(tmp_path: Path) -> None:
    result = shell('"$@" plan -o json -f "$(printf \'x\\377\')"', tmp_path)
    assert (result.returncode, json.loads(result.stdout.decode())["code"]) == (2, "MOOR-701")


@pytest.mark.parametrize("words", [("status",), ("init",)], ids=" ".join)
def test_a_name_that_is_no_utf_8_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = shell(f"cd '{tmp_path}'; \"$@\" {' '.join(words)} \"$(printf 'x\\377')\"", tmp_path / "home")
    assert (result.returncode, b"not UTF-8" in result.stderr) == (2, True)


def test_an_interrupt_while_the_program_still_loads_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_run", interrupted)
    assert entry.main(("list",)) == entry.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["-n", "-t", "--home"])
def test_an_option_of_every_command_that_is_empty_is_refused(program: Program, option: str) -> None:
    result = program("secret", "list", option, "")
    assert (result.code, "is empty" in result.err) == (2, True)


def test_an_error_shows_control_characters_instead_of_sending_them() -> None:
    error = NotFoundError("no \x1b[31mshop\r\n", details="a\x1b]0;title\x07\tb\nc", resolution="see \x9b2J")
    shown = render_error(error, Style(False)).splitlines()
    assert shown == ["error MOOR-003: no \\x1b[31mshop\\r\\n", "  a\\x1b]0;title\\x07\tb", "  c", "→ see \\x9b2J"]


@pytest.mark.parametrize(
    "words", [("plan", "-f"), ("secret", "set", "mail", "password", "--from-file")], ids=["plan", "secret"]
)
def test_a_pipe_that_nobody_writes_to_is_refused(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(reading, "PIPE_WAIT_S", 0.05)
    os.mkfifo(tmp_path / "pipe")
    result = program(*words, str(tmp_path / "pipe"))
    assert (result.code, "nothing writes" in result.err) == (2, True)


def test_a_pipe_whose_writer_comes_late_and_writes_in_parts_is_read_whole(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pause = threading.Event()

    def write() -> None:
        pause.wait(0.1)
        with pipe.open("wb", buffering=0) as opened:
            for one in (b"a", b"b", b"c"):
                pause.wait(0.05)
                opened.write(one)

    writer = threading.Thread(target=write)
    writer.start()
    assert reading.read_file(str(pipe), limit=100) == b"abc"
    writer.join()


def test_a_pipe_whose_writer_is_slower_than_the_wait_for_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIPE_WAIT_S", 0.3)
    pipe, pause = tmp_path / "pipe", threading.Event()
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as opened:
            pause.wait(1)
            opened.write(b"a")

    writer = threading.Thread(target=write)
    writer.start()
    assert reading.read_file(str(pipe), limit=100) == b"a"
    writer.join()


def test_a_file_without_a_name_is_named_in_quotes(program: Program) -> None:
    assert "'' cannot be read" in program("plan", "-f", "").err


def test_a_secret_that_is_given_empty_is_a_mistake_of_the_caller(program: Program, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    result = program("secret", "set", "mail", "password", "--from-file", str(tmp_path / "empty"))
    assert (result.code, "is empty" in result.err, "--from-file" in result.err) == (2, True, True)


@pytest.mark.parametrize("option", ["--modules", "--install"])
@pytest.mark.parametrize("names", ["", " , "], ids=["empty", "commas"])
def test_an_upgrade_of_no_named_module_is_refused(program: Program, option: str, names: str) -> None:
    program.put(*running())
    result = program("upgrade", "shop", option, names, "--no-wait")
    assert (result.code, program.operations()) == (2, [])
    assert f"{option} names no module" in result.err


def test_templates_of_a_server_that_is_not_there_are_asked_for_by_nobody_else(program: Program) -> None:
    result = program("template", "list", "ghost")
    assert (result.code, "wants to use it" in result.err) == (3, False)


@pytest.mark.parametrize("file", ["missing/shop.yaml", "-"], ids=["no folder", "standard output"])
def test_an_import_whose_file_cannot_be_written_keeps_no_secret(program: Program, tmp_path: Path, file: str) -> None:
    (tmp_path / "compose.yaml").write_text(STACK)
    (tmp_path / ".env").write_text(BUCKET)
    result = program("import", "compose", str(tmp_path), "-f", file if file == "-" else str(tmp_path / file))
    assert (result.code, json.loads(program("secret", "list", "-o", "json").out)) == (2, [])


@pytest.mark.parametrize("file", ["missing/report.tar.gz", "-"], ids=["no folder", "standard output"])
def test_a_report_whose_file_cannot_be_written_is_refused_at_once(program: Program, tmp_path: Path, file: str) -> None:
    result = program("report", "-f", file if file == "-" else str(tmp_path / file))
    assert (result.code, "kernel" in result.err) == (2, False)
