# SPDX-License-Identifier: Apache-2.0
"""How an instance's backups are doing: what status says of them, and whether a person should worry. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mooring.api.instance_data import BackupSpec
from mooring.domain.instance.ledger import Backups
from mooring.domain.instance.verified import DAMAGED, Verified
from mooring.domain.instance.verified import FAILED as VERIFY_FAILED
from mooring.domain.schedule import decide_due, is_overdue

COMPLETE = "Complete"
FAILED = "Failed"
Health = tuple[bool | None, str, str]
NO_BACKUP: Health = (None, "NoBackupAsked", "The manifest asks for no backup.")


def render_last_backup(backups: Backups) -> Mapping[str, Any] | None:
    """`status.lastBackup`: {snapshot, time, result, lastGood, external}; None before the first one."""
    if not backups.ended:
        return None
    value: dict[str, Any] = {
        "snapshot": backups.snapshot,
        "time": backups.ended,
        "result": backups.result,
        "lastGood": backups.good,
        "external": backups.external,
    }
    return {key: item for key, item in value.items() if item}


def decide_backup_health(
    spec: BackupSpec, backups: Backups, *, now: datetime, checked: Verified | None = None
) -> Health:
    """The condition `BackupHealthy`: (status, reason, message).

    Without a schedule only the last result counts. With one, the last good backup may be twice the interval old. What the
    last verification found wrong counts until one finds nothing.

    Args:
        checked: the last verification.
    """
    if spec.repository is None and not backups.ended:
        return NO_BACKUP
    if backups.result == FAILED:
        return False, "BackupFailed", f"The backup that ended at {backups.ended} failed."
    if spec.schedule is not None and backups.since:
        since = datetime.fromisoformat(backups.since)
        good = datetime.fromisoformat(backups.good) if backups.good else None
        interval = decide_due(spec.schedule, spec.time_zone, since=now, now=now, key="").interval
        if is_overdue(good, since=since, interval=interval, now=now):
            last = f"was at {backups.good}" if backups.good else "has not been yet"
            return False, "BackupOverdue", f"The last good backup {last}, and the schedule is {spec.schedule}."
    if checked is not None and checked.result == DAMAGED:
        return False, "BackupDamaged", f"The verification that ended at {checked.ended} found damage: {checked.message}"
    if checked is not None and checked.result == VERIFY_FAILED:
        return False, "VerifyFailed", f"The verification that ended at {checked.ended} failed: {checked.message}"
    if not backups.ended:
        return None, "NoBackupYet", "No backup has been taken yet."
    if backups.result != COMPLETE:
        return False, "BackupIncomplete", "Files that the database names were not there, or not what they were."
    return True, "BackupSucceeded", f"The last backup ended at {backups.ended}."
