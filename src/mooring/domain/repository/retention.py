# SPDX-License-Identifier: Apache-2.0
"""Which snapshots of one instance stay, and why. Pure: the time and the time zone are passed in.

A snapshot stays when at least one rule keeps it; every reason is given, so that a dry run can explain. Called by the engine's
retention for each instance by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

_NEWEST = "newest good one"


@dataclass(frozen=True)
class RetentionPolicy:
    """How many to keep: the newest of each of the last so many hours, days, … that have one; 0 is no such rule.

    Attributes:
        last: the newest so many.
        hourly: hours.
        daily: days of the time zone.
        weekly: weeks from Monday to Sunday.
        monthly: months.
        yearly: years.
        within: everything that is no older.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: timedelta | None = None

    @property
    def empty(self) -> bool:
        """Whether it has no rule at all; then everything stays."""
        return self == RetentionPolicy()


@dataclass(frozen=True)
class Candidate:
    """A snapshot: `complete` is whether it holds everything that it should; `time` is aware."""

    id: str
    time: datetime
    complete: bool


@dataclass(frozen=True)
class Verdict:
    """What happens to a snapshot: it stays for these reasons; without any it goes."""

    candidate: Candidate
    reasons: tuple[str, ...]

    @property
    def keep(self) -> bool:
        """Whether it stays."""
        return bool(self.reasons)


def decide_retention(
    candidates: Iterable[Candidate], policy: RetentionPolicy, *, now: datetime, zone: tzinfo
) -> tuple[Verdict, ...]:
    """Decide for all snapshots of one instance, the newest first.

    The newest complete one always stays; where there is none, the newest. An incomplete one stays beside what the rules keep of
    complete ones and never takes the place of one: where an hour, a day, … has both, it is the complete one that counts.

    Args:
        candidates: in any order.
        policy: the rules; with none everything stays.
        now: for `within`.
        zone: in which hours, days and weeks begin.
    """
    newest_first = sorted(candidates, key=lambda item: (item.time, item.id), reverse=True)
    reasons: dict[str, list[str]] = {item.id: [] for item in newest_first}
    if policy.empty:
        return tuple(Verdict(item, ("no rule",)) for item in newest_first)
    best = next((item for item in newest_first if item.complete), newest_first[0] if newest_first else None)
    if best is not None:
        reasons[best.id].append(_NEWEST if best.complete else "newest, none is complete")
    if policy.within is not None:
        for item in newest_first:
            if item.time >= now - policy.within:
                reasons[item.id].append(f"within {_span(policy.within)}")
    for name, count, period in _rules(policy, zone):
        _apply(newest_first, reasons, name=name, count=count, period=period)
    return tuple(Verdict(item, tuple(reasons[item.id])) for item in newest_first)


Period = Callable[[Candidate], tuple[object, ...]]


def _rules(policy: RetentionPolicy, zone: tzinfo) -> Iterable[tuple[str, int, Period]]:
    def local(item: Candidate) -> datetime:
        return item.time.astimezone(zone)

    # The hour that comes twice when summer time ends differs by its offset.
    yield "last", policy.last, lambda item: (item.id,)
    yield "hourly", policy.hourly, lambda item: (local(item).date(), local(item).hour, local(item).utcoffset())
    yield "daily", policy.daily, lambda item: (local(item).date(),)
    yield "weekly", policy.weekly, lambda item: tuple(local(item).isocalendar())[:2]
    yield "monthly", policy.monthly, lambda item: (local(item).year, local(item).month)
    yield "yearly", policy.yearly, lambda item: (local(item).year,)


def _apply(
    newest_first: list[Candidate], reasons: dict[str, list[str]], *, name: str, count: int, period: Period
) -> None:
    """Keep the newest of each of the newest `count` periods with a complete one, and of those between without one."""
    if count <= 0:
        return
    periods: dict[tuple[object, ...], Candidate] = {}
    for item in newest_first:
        known = periods.setdefault(period(item), item)
        if item.complete and not known.complete:
            periods[period(item)] = item
    complete = incomplete = 0
    # In the order of the periods: each key was first seen at its newest snapshot.
    for item in periods.values():
        if complete == count:
            break
        if item.complete:
            complete += 1
            reasons[item.id].append(f"{name} {complete}")
        elif incomplete < count:
            incomplete += 1
            reasons[item.id].append(f"{name}, incomplete")


def _span(span: timedelta) -> str:
    days, rest = divmod(int(span.total_seconds()), 86400)
    hours = rest // 3600
    return (
        " ".join(part for part in (f"{days} d" if days else "", f"{hours} h" if hours else "") if part) or f"{rest} s"
    )
