# SPDX-License-Identifier: Apache-2.0
"""The health of backups: what a person is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mooring.api.instance_data import BackupSpec
from mooring.domain.instance.backups import decide_backup_health, render_last_backup
from mooring.domain.instance.ledger import Backups

NIGHTLY = BackupSpec.model_validate({"repository": "offsite", "schedule": "0 2 * * *"})
ASKED = BackupSpec.model_validate({"repository": "offsite"})
GOOD = Backups(
    since="2026-01-01T00:00:00Z",
    ended="2026-01-05T02:05:00Z",
    result="Complete",
    snapshot="one",
    good="2026-01-05T02:05:00Z",
)


@pytest.mark.parametrize(
    ("spec", "backups", "now", "expected"),
    [
        pytest.param(BackupSpec(), Backups(), "2026-01-05T03:00", (None, "NoBackupAsked"), id="nothing-asked"),
        pytest.param(ASKED, Backups(), "2026-01-05T03:00", (None, "NoBackupYet"), id="only-when-asked"),
        pytest.param(NIGHTLY, GOOD, "2026-01-06T03:00", (True, "BackupSucceeded"), id="good"),
        pytest.param(NIGHTLY, GOOD, "2026-01-07T03:00", (False, "BackupOverdue"), id="older-than-twice-the-interval"),
        pytest.param(ASKED, GOOD, "2027-01-07T03:00", (True, "BackupSucceeded"), id="no-schedule-is-never-late"),
        pytest.param(
            NIGHTLY,
            Backups(since="2026-01-01T00:00:00Z"),
            "2026-01-05T03:00",
            (False, "BackupOverdue"),
            id="scheduled-and-never-taken",
        ),
        pytest.param(
            NIGHTLY,
            Backups(since=GOOD.since, ended="2026-01-05T02:05:00Z", result="Failed", good="2026-01-04T02:05:00Z"),
            "2026-01-05T03:00",
            (False, "BackupFailed"),
            id="failed",
        ),
        pytest.param(
            NIGHTLY,
            Backups(
                since=GOOD.since, ended=GOOD.ended, result="Incomplete", snapshot="two", good="2026-01-04T02:05:00Z"
            ),
            "2026-01-05T03:00",
            (False, "BackupIncomplete"),
            id="incomplete",
        ),
    ],
)
def test_health_says_what_is_wrong(
    spec: BackupSpec, backups: Backups, now: str, expected: tuple[bool | None, str]
) -> None:
    found = decide_backup_health(spec, backups, now=datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found[:2] == expected


def test_last_backup_keeps_the_good_one_apart() -> None:
    failed = Backups(ended="2026-01-06T02:00:00Z", result="Failed", snapshot="one", good="2026-01-05T02:05:00Z")
    assert render_last_backup(failed) == {
        "snapshot": "one",
        "time": "2026-01-06T02:00:00Z",
        "result": "Failed",
        "lastGood": "2026-01-05T02:05:00Z",
    }
    assert render_last_backup(Backups()) is None
