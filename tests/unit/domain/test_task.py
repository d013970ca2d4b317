# SPDX-License-Identifier: Apache-2.0
"""What a task's lines say, however hostile, and the end of its log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.task import LOG_TAIL_BYTES, Messages, Progress, read_messages, tail


def _line(**fields: Any) -> str:
    return json.dumps({"v": 1, **fields})


PROGRESS = _line(type="progress", step="dump", done=3, total=10)
RESULT = _line(type="result", result={"modules": ["base"]})
ERROR = _line(type="error", error={"code": "MOOR-410", "brief": "No server."})


def test_read_messages_sorts_lines() -> None:
    assert read_messages([PROGRESS, "odoo says hello", RESULT]) == Messages(
        Progress("dump", 3, 10), {"modules": ["base"]}, None, ("odoo says hello",)
    )


def test_read_messages_keeps_the_last_of_each() -> None:
    later = _line(type="progress", step="load", done=1, total=2)
    assert read_messages([PROGRESS, later]).progress == Progress("load", 1, 2)


def test_read_messages_error_is_an_object_of_texts() -> None:
    assert read_messages([ERROR]).error == {"code": "MOOR-410", "brief": "No server."}
    assert read_messages([_line(type="error", error={"code": 7})]).error == {"code": "7"}


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"], ids=repr)
def test_read_messages_does_not_mind_line_ends(ending: str) -> None:
    assert read_messages([RESULT + ending]).result == {"modules": ["base"]}


HOSTILE = {
    "empty": "",
    "blank": "   ",
    "brace": "{",
    "not-json": "{'v': 1}",
    "list": "[1]",
    "text": '"v"',
    "null": "null",
    "no-version": '{"type": "result", "result": 1}',
    "other-version": '{"v": 2, "type": "result", "result": 1}',
    "version-as-text": '{"v": "1", "type": "result", "result": 1}',
    "version-true": '{"v": true, "type": "result", "result": 1}',
    "unknown-type": _line(type="surprise"),
    "no-type": _line(result=1),
    "result-without-result": _line(type="result"),
    "error-without-error": _line(type="error"),
    "error-as-text": _line(type="error", error="bad"),
    "deep": '{"v":1,"type":"result","result":' + "[" * 100_000,
    "deep-closed": '{"v":1,"type":"result","result":' + "[" * 100_000 + "]" * 100_000 + "}",
    "long-number": '{"v":1,"type":"result","result":' + "9" * 10_000 + "}",
    "not-a-number": '{"v":1,"type":"result","result":NaN}',
    "number-out-of-range": '{"v":1,"type":"result","result":1e999}',
    "infinity": '{"v":1,"type":"result","result":[-Infinity]}',
    "nul": "\0{",
    "undecoded-bytes": "{\udcff",
}


@pytest.mark.parametrize("line", [pytest.param(line, id=name) for name, line in HOSTILE.items()])
def test_read_messages_hostile_line_is_kept_and_changes_nothing(line: str) -> None:
    read = read_messages([PROGRESS, RESULT, line])
    assert read == Messages(Progress("dump", 3, 10), {"modules": ["base"]}, None, (line,))


@pytest.mark.parametrize(
    ("done", "count"),
    [
        pytest.param(7, 7, id="number"),
        pytest.param(-1, 0, id="negative"),
        pytest.param("7", 0, id="text"),
        pytest.param(1.5, 0, id="fraction"),
        pytest.param(None, 0, id="null"),
        pytest.param(True, 0, id="true"),
        pytest.param([1], 0, id="list"),
    ],
)
def test_read_messages_progress_counts_only_whole_numbers(done: Any, count: int) -> None:
    progress = read_messages([_line(type="progress", step="dump", done=done)]).progress
    assert repr(progress) == repr(Progress("dump", count, 0))


def test_read_messages_result_with_a_lone_surrogate_can_be_stored() -> None:
    """File names hold such bytes; a result that cannot be written would stop the operation for ever."""
    assert read_messages(['{"v":1,"type":"result","result":"a\\ud800b"}']).result == "a?b"


@given(st.lists(st.text(st.characters()) | st.text('{}[]":,v1 typeresult\\0')))
def test_read_messages_never_raises(lines: list[str]) -> None:
    read_messages(lines)


@given(st.text(st.characters()), st.integers(0, 50))
def test_tail_is_within_its_limit_and_the_end_of_the_text(text: str, limit: int) -> None:
    kept = tail(text, limit)
    clean = text.encode(errors="replace").decode()
    assert len(kept.encode()) <= limit
    assert clean.endswith(kept)


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        pytest.param("short", 5, "short", id="fits"),
        pytest.param("", 5, "", id="empty"),
        pytest.param("abc", 0, "", id="limit-zero"),
        pytest.param("first\nsecond\nthird", 14, "second\nthird", id="from-the-start-of-a-line"),
        pytest.param("first\nsecond\nthird", 12, "second\nthird", id="line-begins-exactly-there"),
        pytest.param("x" * 20, 6, "xxxxxx", id="one-long-line"),
        pytest.param("x" * 20 + "\n", 6, "xxxxx\n", id="one-long-line-with-its-end"),
        pytest.param("ééé", 3, "é", id="no-half-character"),
        pytest.param("a\udcffb", 9, "a?b", id="undecoded-byte"),
    ],
)
def test_tail_keeps_whole_lines_and_characters(text: str, limit: int, kept: str) -> None:
    assert tail(text, limit) == kept


def test_tail_of_a_long_log_is_as_long_as_the_protocol_allows() -> None:
    log = "".join(f"line {number}\n" for number in range(10_000))
    kept = tail(log)
    assert LOG_TAIL_BYTES - 20 < len(kept) <= LOG_TAIL_BYTES
    assert kept.startswith("line ")
    assert kept.endswith("line 9999\n")
