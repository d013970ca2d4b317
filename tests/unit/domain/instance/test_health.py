# SPDX-License-Identifier: Apache-2.0
"""What proves a new release bad once users are in, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mooring.domain.instance.health import Watch, judge_log, judge_processes
from mooring.domain.model.identity import Ref
from mooring.domain.model.observed import Observed, Replica, WorkloadSeen

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SHOP = Ref("OdooInstance", "default", "shop")


def line(at: datetime, level: str = "ERROR", logger: str = "odoo.http") -> str:
    """One line as Odoo 14 writes it."""
    return f"{at:%Y-%m-%d %H:%M:%S},123 7 {level} shop {logger}: words"


@pytest.mark.parametrize(
    ("lines", "bad"),
    [
        pytest.param([line(NOW)] * 10, True, id="errors alone"),
        pytest.param([line(NOW)] * 9, False, id="a few"),
        pytest.param([line(NOW, "CRITICAL")] * 10, True, id="critical ones"),
        pytest.param([line(NOW, "WARNING")] * 50, False, id="warnings"),
        pytest.param([line(NOW - timedelta(minutes=1))] * 50, False, id="from before users were let in"),
        pytest.param([line(NOW)] * 10 + [line(NOW, "INFO", "werkzeug")] * 100, False, id="among many requests"),
        pytest.param([line(NOW)] * 10 + [line(NOW, "INFO", "werkzeug")] * 99, True, id="among fewer requests"),
        pytest.param(["shop-web-0: " + line(NOW)] * 10, True, id="with a replica's name in front"),
        pytest.param(["Traceback", "2026-99-99 ERROR", ""] * 50, False, id="no lines of a log"),
    ],
)
def test_log_is_bad_with_many_errors_beside_few_requests(lines: list[str], *, bad: bool) -> None:
    assert bool(judge_log(lines, since=NOW)) is bad


@pytest.mark.parametrize(
    ("replica", "bad"),
    [
        pytest.param(Replica("web-0", True, True, NOW - timedelta(hours=1), restarts=9), False, id="answers"),
        pytest.param(Replica("web-0", True, False, NOW - timedelta(minutes=1)), False, id="starts"),
        pytest.param(Replica("web-0", True, False, NOW - timedelta(minutes=3)), True, id="silent"),
        pytest.param(Replica("web-0", False, False, NOW, restarts=3), True, id="dies again and again"),
    ],
)
@pytest.mark.parametrize("role", ["web", "cron"])
def test_processes_are_bad_when_they_die_or_stay_silent(role: str, replica: Replica, *, bad: bool) -> None:
    seen = Observed(SHOP, NOW, workloads={role: WorkloadSeen(role, (replica,))})
    assert bool(judge_processes(seen, ((role, 1),), now=NOW)) is bad
    assert not judge_processes(seen, ((role, 0),), now=NOW)


def test_watch_that_found_something_looks_again_when_its_window_closes() -> None:
    watch = Watch("op", "2026-01-01T12:00:00Z", "2026-01-01T12:10:00Z", looked="2026-01-01T12:03:00Z")
    assert watch.next_look() == NOW + timedelta(minutes=3, seconds=20)
    sick = Watch("op", watch.since, watch.until, sick="it dies", looked=watch.looked)
    assert sick.next_look() == NOW + timedelta(minutes=10)
    assert sick.open(NOW + timedelta(minutes=9))
    assert not sick.open(NOW + timedelta(minutes=10))
