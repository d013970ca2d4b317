# SPDX-License-Identifier: Apache-2.0
"""Holds as truth values, and the attempt that a task carries."""

from __future__ import annotations

import json

import pytest

from mooring.domain.operations.plan import NO_HOLD, Hold, Option, RunTask, Take, When
from mooring.domain.task import DOCUMENT_PATH
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.copies import DatabaseDrop

from .operation_world import task


@pytest.mark.parametrize(
    ("hold", "holds"),
    [
        pytest.param(NO_HOLD, False, id="none"),
        pytest.param(Hold(reason="only words"), False, id="reason-only"),
        pytest.param(Hold(web=True), True, id="web"),
        pytest.param(Hold(cron=True), True, id="cron"),
        pytest.param(Hold(release="sha256:1"), True, id="release"),
    ],
)
def test_hold_is_true_when_it_forbids_something(hold: Hold, *, holds: bool) -> None:
    assert bool(hold) is holds


def test_attempt_gives_each_its_own_name_and_a_rising_fence() -> None:
    tasks = [task("copy").attempt(number) for number in (1, 2, 3)]
    assert [(one.name, one.fence) for one in tasks] == [("copy-1", 1), ("copy-2", 2), ("copy-3", 3)]


def test_attempt_is_the_same_when_it_is_made_again() -> None:
    assert task("copy").attempt(2) == task("copy").attempt(2)


def test_attempt_without_a_document_adds_no_file() -> None:
    assert task("copy").attempt(1).files == ()
    assert json.dumps(task("copy").attempt(1).argv) == '["true"]'


def test_attempt_of_an_engine_task_writes_its_number_into_the_document() -> None:
    document = DatabaseDrop(Connection("db", 5432, "admin", "/run/a"), Fence("op-1", 1), "id-1", ("safety",))
    files = [RunTask(task("drop").task, document).attempt(number).files for number in (1, 2)]
    written = [json.loads(str(one.parts[0])) for (one,) in files]
    assert [one["fence"]["attempt"] for one in written] == [1, 2]
    assert [one.path for (one,) in files] == [DOCUMENT_PATH, DOCUMENT_PATH]
    assert document.fence.attempt == 1


def test_document_takes_what_an_earlier_step_gave() -> None:
    document = DatabaseDrop(Connection("db", 5432, "me", None), Fence("op", 1), "one", ("safety",), operation="latest")
    action = RunTask(task("drop").task, document, takes=(Take(("operation",), "build", "snapshot"),))
    (file,) = action.attempt(1, {"build": {"snapshot": "abc"}}).files
    assert json.loads(str(file.parts[0]))["operation"] == "abc"
    assert action.name(1) == action.attempt(1, {"build": {"snapshot": "abc"}}).name


def test_document_takes_the_whole_result_of_an_earlier_step() -> None:
    document = DatabaseDrop(Connection("db", 5432, "me", None), Fence("op", 1), "one", ("safety",), operation="latest")
    action = RunTask(task("drop").task, document, takes=(Take(("operation",), "build"),))
    (file,) = action.attempt(1, {"build": {"snapshot": "abc"}}).files
    assert json.loads(str(file.parts[0]))["operation"] == {"snapshot": "abc"}


@pytest.mark.parametrize(
    ("result", "argv"),
    [
        pytest.param({"update": ["sale", "stock"]}, ("true", "--update=sale,stock"), id="words"),
        pytest.param({"update": []}, ("true",), id="none"),
    ],
)
def test_command_takes_the_words_that_an_earlier_step_gave(result: dict[str, list[str]], argv: tuple[str, ...]) -> None:
    action = RunTask(task("migrate").task, options=(Option("--update", "hash", "update"),))
    assert action.attempt(1, {"hash": result}).argv == argv


@pytest.mark.parametrize(
    ("results", "left_out"),
    [
        pytest.param({}, False, id="not known yet"),
        pytest.param({"look": {"changed": ["sale"]}}, False, id="something"),
        pytest.param({"look": {"changed": []}}, True, id="nothing"),
        pytest.param({"look": {}}, True, id="no such key"),
        pytest.param({"look": None}, True, id="no result"),
    ],
)
def test_step_is_left_out_where_an_earlier_result_has_nothing(results: dict[str, object], *, left_out: bool) -> None:
    assert When("look", "changed").left_out(results) is left_out
