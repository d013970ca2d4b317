# SPDX-License-Identifier: Apache-2.0
"""Whether a new release proves bad once users are in: what is watched, for how long, and what is worth a word. Pure.

Data never returns here: users write. The release alone goes back, and only where no module was updated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mooring.domain.model.observed import Observed
from mooring.domain.operations.advance import RESTARTS_THAT_FAIL

SILENT = timedelta(minutes=2)
"""A process that started so long ago and does not answer its probe is not on its way."""
LOOK_EVERY = timedelta(seconds=20)
MOST_ERRORS = 10
ERRORS_PER_REQUEST = 0.1
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} \d+ (ERROR|CRITICAL|INFO|WARNING) \S+ (\S+?):")
_REQUESTS = "werkzeug"


@dataclass(frozen=True)
class Watch:
    """What is remembered of a release that users were let into; times as RFC 3339 text in UTC.

    Attributes:
        operation: id of the upgrade.
        since: when users were let in.
        until: when the window closes.
        returns: the release goes back by itself: no module was updated, and the manifest allows it.
        sick: what proved bad; empty while nothing did.
        looked: when it was last looked at.
    """

    operation: str
    since: str
    until: str
    returns: bool = False
    sick: str = ""
    looked: str = ""

    def open(self, now: datetime) -> bool:
        """Whether the window is still open."""
        return now < datetime.fromisoformat(self.until)

    def next_look(self) -> datetime:
        """When to look again, UTC: what proved bad stays so until the window closes."""
        if self.sick:
            return datetime.fromisoformat(self.until)
        return datetime.fromisoformat(self.looked or self.since) + LOOK_EVERY


def judge_processes(seen: Observed, wanted: Sequence[tuple[str, int]], *, now: datetime) -> str:
    """What is wrong with the processes of web and cron; empty where nothing is.

    Cron's probe is its heartbeat: a cron process that does not answer runs no job.

    Args:
        wanted: how many replicas of each role there are to be.
        now: UTC.
    """
    for role, count in wanted:
        for one in seen.workload(role).replicas if count else ():
            if one.ready:
                continue
            if one.restarts >= RESTARTS_THAT_FAIL:
                return f"{one.name} ended {one.restarts} times after its start"
            if one.running and one.started_at is not None and now - one.started_at > SILENT:
                return f"{one.name} has not answered for {int((now - one.started_at).total_seconds() // 60)} minutes"
    return ""


def judge_log(lines: Iterable[str], *, since: datetime) -> str:
    """What is wrong with the end of Odoo's log; empty where nothing is.

    Errors count where there are some and where they are more than a tenth of the requests that were answered: a shop with
    much traffic always has some.

    Args:
        lines: of odoo.log, in its own form (14 to 20), perhaps with a replica's name in front.
        since: when users were let in, UTC; earlier lines do not count.
    """
    errors = requests = 0
    for line in lines:
        match = _LINE.search(line)
        if match is None or datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) < since:
            continue
        requests += match[3] == _REQUESTS
        errors += match[2] in ("ERROR", "CRITICAL")
    if errors >= MOST_ERRORS and errors > requests * ERRORS_PER_REQUEST:
        return f"the log holds {errors} errors beside {requests} requests since users were let in"
    return ""
