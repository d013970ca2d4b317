# SPDX-License-Identifier: Apache-2.0
"""What an instance's schedules ask for now, and when they do next. Reads the ledger; only `begin` writes what began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mooring.control.services import Services
from mooring.control.work import Work
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.operations.backup import SCHEDULED
from mooring.domain.schedule import Due, decide_due


@dataclass(frozen=True)
class Scheduled:
    """The backup schedule of an instance at one moment; `spec` is that of the job that it asks for."""

    due: Due
    spec: Mapping[str, Any]


def look_at_schedule(services: Services, work: Work) -> Scheduled | None:
    """The backup schedule; None where there is none, or where nobody here carries schedules out."""
    backup = work.spec.backup
    if not services.schedules or backup.schedule is None or backup.repository is None:
        return None
    if not work.ledger.initialized or work.deleting or not work.ledger.backups.since:
        return None
    since = datetime.fromisoformat(work.ledger.backups.began or work.ledger.backups.since)
    key = f"{services.installation}/{work.doc.ref}"
    due = decide_due(backup.schedule, backup.time_zone, since=since, now=services.clock.now(), key=key)
    return Scheduled(due, {"repository": backup.repository, "tags": [SCHEDULED]})


def first_seen(services: Services, work: Work) -> Ledger | None:
    """The ledger with the time from which a new schedule counts, where that is not written down yet; else None."""
    backup = work.spec.backup
    if not services.schedules or backup.schedule is None or work.ledger.backups.since:
        return None
    backups = replace(work.ledger.backups, since=rfc3339(services.clock.now()))
    return replace(work.ledger, backups=backups)


def note_begun(services: Services, ledger: Ledger) -> Ledger:
    """The ledger with a scheduled backup begun now, whatever comes of it: a failure is not repeated without end."""
    return replace(ledger, backups=replace(ledger.backups, began=rfc3339(services.clock.now())))
