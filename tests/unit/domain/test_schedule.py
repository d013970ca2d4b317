# SPDX-License-Identifier: Apache-2.0
"""Schedules: when a run is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.schedule import MAX_JITTER, decide_due, is_overdue

NIGHTLY = "0 2 * * *"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_run_before_its_time_is_not_due() -> None:
    due = decide_due(NIGHTLY, "UTC", since=at("2026-01-01T03:00"), now=at("2026-01-02T01:59"), key="shop")
    assert not due.now
    assert at("2026-01-02T02:00") <= due.next <= at("2026-01-02T02:10")


def test_run_after_its_time_is_due_within_the_jitter() -> None:
    due = decide_due(NIGHTLY, "UTC", since=at("2026-01-01T03:00"), now=at("2026-01-02T02:10"), key="shop")
    assert due.now


def test_missed_runs_are_caught_up_once() -> None:
    now = at("2026-01-09T12:00")
    assert decide_due(NIGHTLY, "UTC", since=at("2026-01-01T03:00"), now=now, key="shop").now
    after = decide_due(NIGHTLY, "UTC", since=now, now=now + timedelta(minutes=1), key="shop")
    assert not after.now
    assert after.next >= at("2026-01-10T02:00")


def test_schedule_is_read_in_its_time_zone() -> None:
    due = decide_due(NIGHTLY, "America/New_York", since=at("2026-01-01T12:00"), now=at("2026-01-01T12:00"), key="shop")
    assert at("2026-01-02T07:00") <= due.next <= at("2026-01-02T07:10")


@pytest.mark.parametrize(
    ("since", "hours"),
    [
        pytest.param("2026-03-28T10:00", 24, id="the-hour-is-skipped"),
        pytest.param("2026-10-24T10:00", 24, id="the-hour-comes-twice"),
    ],
)
def test_run_in_a_changed_hour_happens_once(since: str, hours: int) -> None:
    begun, runs = at(since), 0
    now = begun
    for _ in range(hours * 60):
        now += timedelta(minutes=1)
        due = decide_due("30 2 * * *", "Europe/Paris", since=begun, now=now, key="shop")
        if due.now:
            runs, begun = runs + 1, now
    assert runs == 1


@given(st.text(min_size=1, max_size=40), st.sampled_from(["* * * * *", "*/5 * * * *", "0 * * * *", NIGHTLY]))
def test_jitter_is_constant_and_never_skips_a_run(key: str, schedule: str) -> None:
    since = at("2026-01-01T00:00")
    first = decide_due(schedule, "UTC", since=since, now=since, key=key)
    assert first == decide_due(schedule, "UTC", since=since, now=since, key=key)
    plain = decide_due(schedule, "UTC", since=first.next, now=first.next, key=key)
    assert plain.next - first.next == first.interval
    assert first.next - since <= first.interval + MAX_JITTER


def test_different_instances_are_spread() -> None:
    since = at("2026-01-01T00:00")
    times = {decide_due(NIGHTLY, "UTC", since=since, now=since, key=f"shop-{one}").next for one in range(50)}
    assert len(times) > 40


@pytest.mark.parametrize(
    ("last_good", "hours", "overdue"),
    [
        pytest.param("2026-01-01T00:00", 47, False, id="younger-than-twice"),
        pytest.param("2026-01-01T00:00", 49, True, id="older-than-twice"),
        pytest.param(None, 49, True, id="never-and-long-wanted"),
        pytest.param(None, 1, False, id="never-and-just-wanted"),
    ],
)
def test_overdue_is_twice_the_interval(last_good: str | None, hours: int, overdue: bool) -> None:
    since = at("2026-01-01T00:00")
    found = is_overdue(
        at(last_good) if last_good else None,
        since=since,
        interval=timedelta(days=1),
        now=since + timedelta(hours=hours),
    )
    assert found is overdue
