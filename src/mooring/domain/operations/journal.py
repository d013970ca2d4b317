# SPDX-License-Identifier: Apache-2.0
"""What was intended and what came of it: the records from which an operation resumes.

Records are numbered by their place, written before and after each step, and never changed. The journal is the `steps` of
the operation document's status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

RecordState = Literal["intended", "done", "failed", "undoing", "undone", "undo-failed"]
_STATES: Mapping[str, RecordState] = {state: state for state in get_args(RecordState)}


@dataclass(frozen=True)
class StepRecord:
    """One line of the journal.

    Attributes:
        step: name of the step.
        attempt: from 1.
        at: UTC.
        state: what is known since then.
        task: name of the task that carries it out.
        result: JSON of a task's result, or the error object of a failure.
        log_tail: end of a failed task's log.
    """

    step: str
    attempt: int
    at: datetime
    state: RecordState
    task: str | None = None
    result: Any = None
    log_tail: str = ""


def dump_record(record: StepRecord) -> dict[str, Any]:
    """The JSON of a record: times in UTC by RFC 3339, empty fields left out."""
    value: dict[str, Any] = {
        "step": record.step,
        "attempt": record.attempt,
        "at": record.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "state": record.state,
    }
    if record.task is not None:
        value["task"] = record.task
    if record.result is not None:
        value["result"] = record.result
    if record.log_tail:
        value["logTail"] = record.log_tail
    return value


def load_record(value: Mapping[str, Any]) -> StepRecord:
    """The record of a JSON object that `dump_record` made.

    A record that cannot be read is never passed over: its step would be carried out a second time.

    Raises:
        KeyError, ValueError: it is none, or a newer version's.
    """
    state = _STATES.get(value["state"])
    if state is None:
        raise ValueError(f"state {value['state']!r} is none of {', '.join(_STATES)}")
    attempt = value["attempt"]
    if not isinstance(attempt, int) or attempt < 1:
        raise ValueError(f"attempt {attempt!r} is no number from 1")
    return StepRecord(
        step=value["step"],
        attempt=attempt,
        at=_load_time(value["at"]),
        state=state,
        task=value.get("task"),
        result=value.get("result"),
        log_tail=value.get("logTail", ""),
    )


def _load_time(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError(f"at {text!r} is no time with a zone")
    return at


def load_records(values: Sequence[Mapping[str, Any]]) -> tuple[StepRecord, ...]:
    """The records of a status' `steps`."""
    return tuple(load_record(value) for value in values)
