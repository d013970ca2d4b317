# SPDX-License-Identifier: Apache-2.0
"""What an instance's schedules ask for now, and when they do next. Reads the ledger; only `begin` writes what began."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from mooring.api.enums import Environment
from mooring.control.services import Services
from mooring.control.work import Work
from mooring.domain.instance.kept import next_to_go, until
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.operations.backup import SCHEDULED
from mooring.domain.operations.choose import Create
from mooring.domain.operations.plan import OperationType
from mooring.domain.schedule import Due, decide_due

WHOLE = 100


@dataclass(frozen=True)
class Scheduled:
    """One schedule of an instance at one moment, and the operation that it asks for."""

    due: Due
    job: Create


def look_at_schedules(services: Services, work: Work) -> list[Scheduled]:
    """Every schedule that counts, in the order of their urgency; none where nobody here carries schedules out."""
    if not services.schedules or not work.ledger.initialized or work.deleting:
        return []
    found = (_backup(services, work), _verify(services, work), _refresh(services, work))
    return [one for one in found if one is not None]


def _backup(services: Services, work: Work) -> Scheduled | None:
    backup, known = work.spec.backup, work.ledger.backups
    if backup.schedule is None or backup.repository is None or not known.since:
        return None
    due = _due(services, work, backup.schedule, since=known.began or known.since, key="")
    return Scheduled(due, Create(OperationType.BACKUP, {"repository": backup.repository, "tags": [SCHEDULED]}))


def _verify(services: Services, work: Work) -> Scheduled | None:
    """A drill reads all that it restores; without one the content is read where it lies. Before the first backup: nothing."""
    asked, known = work.spec.backup.verify, work.ledger.verified
    if asked is None or work.spec.backup.repository is None or not known.since or not work.ledger.backups.snapshot:
        return None
    due = _due(services, work, asked.schedule, since=known.began or known.since, key="/verify")
    return Scheduled(due, Create(OperationType.VERIFY, {"restore": True} if asked.restore else {"readData": WHOLE}))


def _refresh(services: Services, work: Work) -> Scheduled | None:
    """Of a staging copy, for as long as it is one."""
    asked, known = work.spec.refresh, work.ledger.refreshed
    if asked is None or not known.since or work.ledger.environment != Environment.STAGING.value:
        return None
    due = _due(
        services, work, asked.schedule, since=known.began or known.since, key="/refresh", time_zone=asked.time_zone
    )
    return Scheduled(due, Create(OperationType.REFRESH))


def _due(services: Services, work: Work, schedule: str, *, since: str, key: str, time_zone: str = "") -> Due:
    return decide_due(
        schedule,
        time_zone or work.spec.backup.time_zone,
        since=datetime.fromisoformat(since),
        now=services.clock.now(),
        key=f"{services.installation}/{work.doc.ref}{key}",
    )


def first_seen(services: Services, work: Work) -> Ledger | None:
    """The ledger with the time from which new schedules count, where that is not written down yet; else None."""
    if not services.schedules:
        return None
    backup, ledger, now = work.spec.backup, work.ledger, rfc3339(services.clock.now())
    if backup.schedule is not None and not ledger.backups.since:
        ledger = replace(ledger, backups=replace(ledger.backups, since=now))
    if backup.verify is not None and not ledger.verified.since:
        ledger = replace(ledger, verified=replace(ledger.verified, since=now))
    if work.spec.refresh is not None and not ledger.refreshed.since:
        ledger = replace(ledger, refreshed=replace(ledger.refreshed, since=now))
    return None if ledger is work.ledger else ledger


def note_begun(services: Services, ledger: Ledger, kind: OperationType) -> Ledger:
    """The ledger with a scheduled operation begun now, whatever comes of it: a failure is not repeated without end."""
    now = rfc3339(services.clock.now())
    if kind is OperationType.VERIFY:
        return replace(ledger, verified=replace(ledger.verified, began=now))
    if kind is OperationType.REFRESH:
        return replace(ledger, refreshed=replace(ledger.refreshed, began=now))
    return replace(ledger, backups=replace(ledger.backups, began=now))


def next_expiry(work: Work) -> datetime | None:
    """When the next replaced pair goes; None where none is kept, or nobody here may drop a database."""
    first = next_to_go(work.ledger.kept)
    if first is None or work.deleting or work.subject is None or work.subject.server.admin is None:
        return None
    return until(first, work.spec.backup.keep_previous.timedelta)
