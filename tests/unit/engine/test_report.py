# SPDX-License-Identifier: Apache-2.0
"""The lines of a task: well formed, in time, and an error for everything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.task import read_messages
from mooring.domain.work.codec import Shape
from mooring.domain.work.database import DatabaseInspect
from mooring.domain.work.errors import LockHeld
from mooring.domain.work.results import DatabaseFacts
from mooring.engine import inspect, main
from mooring.engine.report import Reporter

DOCUMENT = {
    "v": 1,
    "connection": {"host": "db", "port": 5432, "user": "shop", "passwordFile": None},
    "database": "shop",
}


def run(work: Any, monkeypatch: pytest.MonkeyPatch, document: Any = None) -> tuple[int, list[str]]:
    """Run `database-inspect` with another inside."""
    monkeypatch.setattr(inspect, "observe_database", work)
    lines: list[str] = []
    text = json.dumps(DOCUMENT) if document is None else document
    return main.run("database-inspect", lambda: text, write=lines.append), lines


def test_run_of_work_that_succeeds_ends_with_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(document: DatabaseInspect, report: Reporter) -> Shape:
        report.progress("read", 1, 2)
        return DatabaseFacts(exists=document.database == "shop")

    code, lines = run(work, monkeypatch)
    assert code == 0
    assert read_messages(lines).result["exists"] is True
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)


def test_run_of_work_that_fails_ends_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(document: DatabaseInspect, report: Reporter) -> Shape:
        raise LockHeld("Somebody is there.")

    code, lines = run(work, monkeypatch)
    said = read_messages(lines)
    assert (code, said.result) == (1, None)
    assert said.error is not None
    assert (said.error["code"], said.error["brief"], said.error["retry"]) == ("MOOR-423", "Somebody is there.", "after")


def test_run_of_work_that_crashes_keeps_the_text_of_the_exception_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(document: DatabaseInspect, report: Reporter) -> Shape:
        raise KeyError("the-password")

    code, lines = run(work, monkeypatch)
    assert code == 1
    assert "MOOR-403" in lines[-1]
    assert "KeyError" in lines[-1]
    assert "the-password" not in "".join(lines)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"v": 1}', "[" * 100_000], ids=str.__len__)
def test_run_with_a_document_that_is_none_is_an_invalid_document(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, lines = run(lambda *_: pytest.fail("must not run"), monkeypatch, text)
    assert code == 1
    assert "MOOR-400" in lines[-1]


def test_run_of_every_registered_task_finds_its_parts() -> None:
    for name in main.TASKS:
        shape, work = main._find(name)
        assert name == shape.TASK
        assert callable(work)


def test_reporter_in_silence_repeats_the_last_progress() -> None:
    lines: list[str] = []
    spoken = threading.Event()

    def write(line: str) -> None:
        lines.append(line)
        if len(lines) >= 3:
            spoken.set()

    report = Reporter(write, heartbeat_s=0.05)
    with report.alive():
        report.progress("copy", 3, 9)
        assert spoken.wait(5)
        report.result({})
    assert json.loads(lines[1]) == {"v": 1, "type": "progress", "step": "copy", "done": 3, "total": 9}
    assert json.loads(lines[-1])["type"] == "result"


def test_reporter_after_its_end_says_nothing_more() -> None:
    lines: list[str] = []
    report = Reporter(lines.append, heartbeat_s=0.01)
    with report.alive():
        report.result({})
        time.sleep(0.1)
    report.progress("late")
    assert len(lines) == 1


STUCK = """
import sys, threading, time
from mooring.domain.work.results import DatabaseFacts
from mooring.engine import inspect, main, report
def work(document, said):
    said.progress("stuck")
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
inspect.observe_database = work if sys.argv[1] == "deaf" else lambda *_: (print("sleeping", flush=True), time.sleep(60))
report.stop_on_signal.__wrapped__.__kwdefaults__["grace_s"] = 0.5
sys.exit(main.run("database-inspect", lambda: sys.stdin.read()))
"""


@pytest.mark.parametrize("how", ["listens", "deaf"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_run_told_to_stop_ends_soon_with_an_error(how: str, number: int) -> None:
    process = subprocess.Popen(
        (sys.executable, "-c", STUCK, how), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    limit = threading.Timer(15, process.kill)
    limit.start()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(DOCUMENT))
    process.stdin.close()
    for line in process.stdout:
        if "stuck" in line or "sleeping" in line:
            break
    time.sleep(0.1)
    os.kill(process.pid, number)
    rest = process.stdout.read()
    assert process.wait(5) == 1
    limit.cancel()
    process.stdout.close()
    assert "MOOR-402" in rest.splitlines()[-1]


def test_task_command_with_a_missing_document_is_an_error_line(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from mooring.cli.commands.task import task

    ran = CliRunner().invoke(task, ["server-check", "--document", str(tmp_path / "none.json")])
    assert ran.exit_code == 1
    assert "MOOR-400" in ran.output


def test_task_command_imports_no_driver_before_it_needs_one() -> None:
    code = (
        "import sys, mooring.cli.commands.task, mooring.engine.main;"
        " print([name for name in ('psycopg', 'pydantic', 'asyncio') if name in sys.modules])"
    )
    ran = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
