# SPDX-License-Identifier: Apache-2.0
"""Which snapshots stay, and the reasons that are given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.repository.retention import Candidate, RetentionPolicy, decide_retention

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def every(hours: float, count: int, *, broken: frozenset[int] = frozenset()) -> list[Candidate]:
    """Snapshots back from now, the newest is number 0."""
    return [Candidate(f"{n:03}", NOW - n * timedelta(hours=hours), n not in broken) for n in range(count)]


def kept(candidates: list[Candidate], policy: RetentionPolicy) -> dict[str, tuple[str, ...]]:
    return {
        verdict.candidate.id: verdict.reasons
        for verdict in decide_retention(candidates, policy, now=NOW, zone=PARIS)
        if verdict.keep
    }


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (RetentionPolicy(last=5), 5),
        (RetentionPolicy(hourly=10), 10),
        (RetentionPolicy(daily=7), 7),
        (RetentionPolicy(weekly=4), 4),
        (RetentionPolicy(monthly=3), 3),
        (RetentionPolicy(yearly=2), 2),
        (RetentionPolicy(within=timedelta(days=30)), 121),
        (RetentionPolicy(), 1600),
    ],
    ids=["last", "hourly", "daily", "weekly", "monthly", "yearly", "within", "no rule keeps all"],
)
def test_each_rule_keeps_as_many_as_it_says(policy: RetentionPolicy, count: int) -> None:
    assert len(kept(every(6, 1600), policy)) == count


def test_rules_add_up_and_every_reason_is_given() -> None:
    found = kept(every(24, 60), RetentionPolicy(last=1, daily=2, monthly=2))
    assert found == {
        "000": ("newest good one", "last 1", "daily 1", "monthly 1"),
        "001": ("daily 2",),
        "031": ("monthly 2",),
    }


def test_days_begin_in_the_time_zone() -> None:
    before = Candidate("before", datetime(2026, 3, 10, 22, 30, tzinfo=UTC), True)
    after = Candidate("after", datetime(2026, 3, 10, 23, 30, tzinfo=UTC), True)
    policy = RetentionPolicy(daily=5)
    for zone, count in ((PARIS, 2), (UTC, 1)):
        verdicts = decide_retention([before, after], policy, now=NOW, zone=zone)
        assert sum(verdict.keep for verdict in verdicts) == count


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    first = Candidate("first", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True)
    second = Candidate("second", datetime(2026, 10, 25, 1, 30, tzinfo=UTC), True)
    verdicts = decide_retention([first, second], RetentionPolicy(hourly=2), now=NOW, zone=PARIS)
    assert all(verdict.keep for verdict in verdicts)


def test_an_incomplete_snapshot_takes_nobodys_place() -> None:
    policy = RetentionPolicy(daily=3)
    assert set(kept(every(24, 10), policy)) == {"000", "001", "002"}
    found = kept(every(24, 10, broken=frozenset({0, 1})), policy)
    assert set(found) == {"000", "001", "002", "003", "004"}
    assert found["000"] == ("daily, incomplete",)
    assert found["002"] == ("newest good one", "daily 1")


def test_a_complete_one_stands_for_its_day_beside_a_newer_incomplete_one() -> None:
    found = kept(every(6, 12, broken=frozenset({0})), RetentionPolicy(daily=1))
    assert found == {"001": ("newest good one", "daily 1")}


def test_the_newest_good_one_never_goes_however_old_it_is() -> None:
    old = Candidate("old", NOW - timedelta(days=900), True)
    found = kept([old, *every(24, 5, broken=frozenset(range(5)))], RetentionPolicy(within=timedelta(days=3)))
    assert found["old"] == ("newest good one",)
    assert set(found) == {"old", "000", "001", "002", "003"}


def test_where_none_is_complete_the_newest_stays() -> None:
    found = kept(every(24 * 40, 5, broken=frozenset(range(5))), RetentionPolicy(within=timedelta(days=1)))
    assert found == {"000": ("newest, none is complete", "within 1 d")}


def test_nothing_is_decided_for_nothing() -> None:
    assert decide_retention([], RetentionPolicy(daily=1), now=NOW, zone=UTC) == ()


@given(
    st.lists(st.tuples(st.integers(0, 24 * 800), st.booleans()), max_size=60),
    st.builds(
        RetentionPolicy,
        last=st.integers(0, 4),
        hourly=st.integers(0, 4),
        daily=st.integers(0, 4),
        weekly=st.integers(0, 4),
        monthly=st.integers(0, 4),
        yearly=st.integers(0, 4),
        within=st.none() | st.integers(1, 900).map(lambda hours: timedelta(hours=hours)),
    ),
)
def test_incomplete_snapshots_never_change_which_complete_ones_stay(
    made: list[tuple[int, bool]], policy: RetentionPolicy
) -> None:
    candidates = [Candidate(f"{n:03}", NOW - timedelta(hours=h), good) for n, (h, good) in enumerate(made)]
    complete = [item for item in candidates if item.complete]
    everything, alone = kept(candidates, policy), kept(complete, policy)
    good = {item.id for item in complete}
    assert {name: reasons for name, reasons in everything.items() if name in good} == alone
    if complete:
        assert max(complete, key=lambda item: (item.time, item.id)).id in alone
    assert bool(candidates) is bool(everything)
