# SPDX-License-Identifier: Apache-2.0
"""The journal as JSON: nothing is lost, and what is no record is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.operations.journal import RecordState, StepRecord, dump_record, load_record, load_records

STATES: tuple[RecordState, ...] = get_args(RecordState)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.builds(
    StepRecord,
    step=TEXT,
    attempt=st.integers(1, 10**6),
    at=st.datetimes(timezones=st.just(UTC)),
    state=st.sampled_from(STATES),
    task=st.none() | TEXT,
    result=JSON,
    log_tail=TEXT,
)
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FULL = StepRecord("copy", 2, AT, "failed", "op-copy-2", {"reason": "Broke"}, "the end")
GOLDEN = {
    "step": "copy",
    "attempt": 2,
    "at": "2026-01-02T03:04:05.678901Z",
    "state": "failed",
    "task": "op-copy-2",
    "result": {"reason": "Broke"},
    "logTail": "the end",
}


@given(st.lists(RECORDS, max_size=5))
def test_journal_survives_json(records: list[StepRecord]) -> None:
    text = json.dumps([dump_record(record) for record in records], allow_nan=False)
    assert load_records(json.loads(text)) == tuple(records)


def test_dump_full_record_is_stable() -> None:
    assert dump_record(FULL) == GOLDEN


def test_dump_leaves_out_what_is_empty() -> None:
    assert dump_record(StepRecord("copy", 1, AT.replace(microsecond=0), "intended")) == {
        "step": "copy",
        "attempt": 1,
        "at": "2026-01-02T03:04:05Z",
        "state": "intended",
    }


def test_dump_another_time_zone_is_written_in_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=2)))
    assert dump_record(StepRecord("copy", 1, local, "done"))["at"] == "2026-01-02T03:04:05.678901Z"


@pytest.mark.parametrize("result", [False, 0, "", [], {}], ids=repr)
def test_journal_keeps_a_result_that_is_empty(result: Any) -> None:
    record = StepRecord("copy", 1, AT, "done", result=result)
    assert load_record(dump_record(record)).result == result


@pytest.mark.parametrize("missing", ["step", "attempt", "at", "state"])
def test_load_without_a_needed_field_raises(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        load_record({key: value for key, value in GOLDEN.items() if key != missing})


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"state": "swapped"}, id="state-of-a-newer-version"),
        pytest.param({"state": None}, id="no-state"),
        pytest.param({"at": "yesterday"}, id="no-time"),
        pytest.param({"at": 5}, id="time-as-a-number"),
        pytest.param({"at": "2026-01-02T03:04:05"}, id="time-without-a-zone"),
        pytest.param({"attempt": "many"}, id="attempt-in-words"),
        pytest.param({"attempt": None}, id="no-attempt"),
        pytest.param({"attempt": 0}, id="attempt-zero"),
    ],
)
def test_load_what_is_no_record_raises(wrong: dict[str, Any]) -> None:
    """An unknown state that is passed over would carry out its step a second time."""
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}"):
        load_record({**GOLDEN, **wrong})
