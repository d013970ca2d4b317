# SPDX-License-Identifier: Apache-2.0
"""When a schedule is due: cron syntax in a time zone, missed runs caught up once, spread by a constant jitter. Pure.

Callers keep the time of the last run that began; nothing else is remembered.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

MAX_JITTER = timedelta(minutes=10)
# A jitter beyond this share of the schedule's interval could skip over a run.
_JITTER_SHARE = 0.1


@dataclass(frozen=True)
class Due:
    """A schedule seen at one moment; times in UTC.

    Attributes:
        now: whether a run is due.
        next: when the next one is, if none is due.
        interval: between two runs around this moment.
    """

    now: bool
    next: datetime
    interval: timedelta


def decide_due(schedule: str, time_zone: str, *, since: datetime, now: datetime, key: str) -> Due:
    """Whether a run is due. However many were missed, one makes up for them all.

    Args:
        schedule: five fields of cron.
        time_zone: IANA name; runs in an hour that a clock change skips or repeats happen once.
        since: when the last run began, or when the schedule came into being; aware.
        now: aware.
        key: whose schedule it is: the same key always gets the same jitter.
    """
    runs = CronSim(schedule, since.astimezone(ZoneInfo(time_zone)))
    first, second = next(runs), next(runs)
    interval = second.astimezone(UTC) - first.astimezone(UTC)
    due = first.astimezone(UTC) + _jitter(key, interval)
    return Due(now >= due, due, interval)


def is_overdue(last_good: datetime | None, *, since: datetime, interval: timedelta, now: datetime) -> bool:
    """Whether the last good run is older than twice the schedule's interval; before the first one, counted from `since`."""
    return now - (last_good or since) > 2 * interval


def _jitter(key: str, interval: timedelta) -> timedelta:
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
    return min(MAX_JITTER, interval * _JITTER_SHARE) * share
