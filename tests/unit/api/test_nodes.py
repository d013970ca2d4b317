# SPDX-License-Identifier: Apache-2.0
"""YAML is read without surprises and without harm."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from mooring.api.errors import Fault
from mooring.api.nodes import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse_documents


def _plain(text: str) -> Any:
    roots, faults = parse_documents(text.encode(), source="f")
    assert faults == []
    (root,) = roots
    return root.plain()


def _fault(data: bytes) -> Fault:
    _, faults = parse_documents(data, source="f")
    assert len(faults) == 1
    return faults[0]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("no", "no", id="no-is-text"),
        pytest.param("yes", "yes", id="yes-is-text"),
        pytest.param("on", "on", id="on-is-text"),
        pytest.param("true", True, id="true"),
        pytest.param("12:30", "12:30", id="sexagesimal-is-text"),
        pytest.param("2026-01-31", "2026-01-31", id="date-is-text"),
        pytest.param("2026-01-31T22:00:00Z", "2026-01-31T22:00:00Z", id="time-is-text"),
        pytest.param("010", "010", id="leading-zero-is-text"),
        pytest.param("0o10", 8, id="octal"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("1_000", "1_000", id="underscores-are-text"),
        pytest.param(".inf", ".inf", id="infinity-is-text"),
        pytest.param("1e999", "1e999", id="overflow-is-text"),
        pytest.param("9" * 30, "9" * 30, id="huge-integer-is-text"),
        pytest.param("'1'", "1", id="quoted-number-is-text"),
        pytest.param("!!str 1", "1", id="tagged-text"),
        pytest.param("~", None, id="null"),
        pytest.param("", None, id="empty"),
    ],
)
def test_scalar_plain_word_is_read_by_the_core_rules(written: str, value: object) -> None:
    read = _plain(f"a: {written}")["a"]
    assert read == value
    assert type(read) is type(value)


def test_scalar_decimal_number_keeps_its_text() -> None:
    read = _plain("a: 1.10")["a"]
    assert math.isclose(read, 1.1)
    assert str(read) == "1.10"


def test_documents_empty_ones_are_left_out() -> None:
    roots, faults = parse_documents(b"# nothing\n---\n---\na: 1\n---\n# nothing\n", source="f")
    assert [root.plain() for root in roots] == [{"a": 1}]
    assert faults == []


def test_documents_before_a_syntax_fault_are_returned() -> None:
    roots, faults = parse_documents(b"a: 1\n---\nb: [\n", source="f")
    assert [root.plain() for root in roots] == [{"a": 1}]
    assert len(faults) == 1
    assert faults[0].message.startswith("not YAML")


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        pytest.param(b"a: 1\nb: \xff\n", 2, 4, "not UTF-8 text: byte 0xff at offset 8", id="not-utf8"),
        pytest.param("a: é\0".encode(), 1, 5, "character U+0000", id="nul"),
        pytest.param(b"a:\n\tb: 1\n", 2, 1, "not YAML", id="tab"),
        pytest.param(b"a: 1\na: 2\n", 2, 1, "written twice; first on line 1", id="duplicate-key"),
        pytest.param(b"1: a\n", 1, 1, "a key must be text", id="number-key"),
        pytest.param(b"true: a\n", 1, 1, "a key must be text", id="boolean-key"),
        pytest.param(b"? [a]\n: b\n", 1, 3, "a list or mapping cannot be a key", id="list-key"),
        pytest.param(b"a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3, "merge keys", id="merge-key"),
        pytest.param(b"a: !!python/object/apply:os.system [x]\n", 1, 4, "YAML tags", id="python-tag"),
        pytest.param(b"a: !!timestamp 2026-01-01\n", 1, 4, "YAML tags", id="timestamp-tag"),
        pytest.param(b"a: *nowhere\n", 1, 4, "an alias (*…) without its anchor", id="alias-without-anchor"),
        pytest.param(b"a: &x [*x]\n", 1, 8, "an alias (*…) stands inside", id="alias-in-itself"),
    ],
)
def test_text_harmful_or_unclear_is_refused_with_its_place(data: bytes, line: int, column: int, message: str) -> None:
    fault = _fault(data)
    assert (fault.line, fault.column) == (line, column)
    assert message in fault.message


def test_alias_repeated_value_is_read_at_each_place() -> None:
    assert _plain("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_alias_of_another_document_is_refused() -> None:
    assert "without its anchor" in _fault(b"a: &x 1\n---\nb: *x\n").message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"a" * 10_000_000, "larger than 1 MiB (10000000 bytes)", id="10-mb"),
        pytest.param(b"[" * 1_000_000, f"more than {MAX_DEPTH} levels", id="deep-lists"),
        pytest.param(b"{" * 1_000_000, f"more than {MAX_DEPTH} levels", id="deep-mappings"),
        pytest.param(b"- " * 500_000, f"more than {MAX_DEPTH} levels", id="deep-block"),
        pytest.param(b"[" + b"a," * 400_000 + b"]", f"more than {MAX_NODES} values", id="wide"),
        pytest.param(
            b"a: &a [x,x,x,x,x,x,x,x,x]\n"
            + b"".join(
                b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 9)) for n in range(ord("b"), ord("z"))
            ),
            f"more than {MAX_NODES} values",
            id="alias-bomb",
        ),
    ],
)
def test_size_beyond_the_limits_is_refused_fast(data: bytes, message: str) -> None:
    began = time.process_time()
    assert message in _fault(data).message
    assert time.process_time() - began < 5


def test_size_at_the_limit_is_read() -> None:
    text = "a: " + "x" * (MAX_BYTES - 3)
    assert len(_plain(text)["a"]) == MAX_BYTES - 3


def test_depth_at_the_limit_is_read() -> None:
    assert _plain("[" * MAX_DEPTH + "]" * MAX_DEPTH)
