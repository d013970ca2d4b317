# SPDX-License-Identifier: Apache-2.0
"""The tasks that check a repository, prune it and add it up. What they find wrong is their result, not their failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from mooring.domain.repository.retention import RetentionPolicy
from mooring.domain.work.repository_work import (
    CheckResult,
    Fault,
    InstanceRule,
    KeepRule,
    KeptSnapshot,
    PruneResult,
    Repaired,
    RepositoryCheck,
    RepositoryPrune,
    RepositoryStats,
    StatsResult,
)
from mooring.engine.report import Reporter
from mooring.engine.repository.check import CheckReport, check_repository
from mooring.engine.repository.errors import ClockWrong
from mooring.engine.repository.opened import may_prune, open_settings
from mooring.engine.repository.prune import prune_scope
from mooring.engine.repository.repair import repair_indexes
from mooring.engine.repository.repository import Repository
from mooring.engine.repository.retire import RetentionReport, apply_retention
from mooring.engine.repository.stats import scope_stats
from mooring.engine.repository_work import describe_snapshot

_FAULTS, _HURT, _REFUSED = 200, 20, 20
_CLOCK_APART = timedelta(minutes=10)


def check(document: RepositoryCheck, report: Reporter) -> CheckResult:
    """The task `repository-check`. With `repair` what is found wrong is what is left of it afterwards.

    Raises:
        MooringError: the repository cannot be opened.
    """
    repository = open_settings(document.repository)
    repaired = _repair(repository, report) if document.repair else None
    report.progress("check the repository")
    reports = check_repository(repository, read_share=document.read_percent / 100)
    faults = [fault for one in reports for fault in _faults(one)]
    return CheckResult(
        snapshots=sum(one.snapshots for one in reports),
        packs=sum(one.packs for one in reports),
        blobs=sum(one.blobs for one in reports),
        read_bytes=sum(one.bytes_read for one in reports),
        faults=tuple(faults[:_FAULTS]),
        more_faults=max(0, len(faults) - _FAULTS),
        repaired=repaired,
    )


def _repair(repository: Repository, report: Reporter) -> Repaired:
    report.progress("repair indexes")
    done = [repair_indexes(repository, scope) for scope in repository.scopes()]
    unreadable = [f"{item.key}: {item.reason}" for one in done for item in one.unreadable]
    refused = [f"{item.key}: {item.error.brief}" for one in done for item in one.refused]
    return Repaired(
        packs=sum(one.packs for one in done),
        removed=sum(one.removed for one in done),
        unreadable=tuple(unreadable[:_REFUSED]),
        refused=tuple(refused[:_REFUSED]),
    )


def _faults(report: CheckReport) -> list[Fault]:
    found = [Fault(one.key, one.reason, ()) for one in report.damaged]
    found += [Fault(pack, f"its blob {blob} is not what was written", ()) for pack, blob in report.damaged_blobs]
    for hurt in report.hurt:
        parts = hurt.parts[:_HURT]
        more = len(hurt.parts) - len(parts) + hurt.more
        text = (*parts, f"and {more} more") if more else parts
        found.append(Fault(f"snapshot {hurt.snapshot}", f"of {hurt.instance} at {hurt.time}: not whole", text))
    return found


def prune(document: RepositoryPrune, report: Reporter) -> PruneResult:
    """The task `repository-prune`.

    Raises:
        ClockWrong: this machine's clock and the store's are apart: by which would a snapshot be old?
        PruneRefused: another host prunes, or something is damaged; nothing that is needed was deleted.
    """
    report.progress("read the snapshots")
    repository = open_settings(document.repository)
    now = _checked_time(repository)
    kept: list[KeptSnapshot] = []
    refused: list[str] = []
    for one in _retained(repository, document, now=now):
        kept += [KeptSnapshot(describe_snapshot(snapshot), verdict.reasons) for snapshot, verdict in one.verdicts]
        refused += [f"{item.key}: {item.error.brief}" for item in one.refused]
    marked = deleted = 0
    for scope in _scopes(repository, document.only):
        report.progress(f"prune {scope}")
        sole = may_prune(document.repository, repository.config)
        done = prune_scope(repository, scope, sole_pruner=sole, dry_run=document.dry_run)
        marked += sum(one.pack.size for one in done.named)
        deleted += done.deleted_bytes
        refused += [f"{item.key}: {item.error.brief}" for item in done.refused]
    return PruneResult(tuple(kept), marked=marked, deleted=deleted, refused=tuple(refused[:_REFUSED]))


def _scopes(repository: Repository, only: str | None) -> list[str]:
    if only is None:
        return repository.scopes()
    snapshots, _ = repository.snapshots(instance=only)
    return sorted({one.name.scope for one in snapshots})


def _retained(repository: Repository, document: RepositoryPrune, *, now: datetime) -> list[RetentionReport]:
    snapshots, _ = repository.snapshots()
    known = {one.manifest.instance.id for one in snapshots}
    wanted = sorted(known if document.only is None else known & {document.only})
    rules = {one.instance: one for one in document.instances}
    reports: list[RetentionReport] = []
    for instance in wanted:
        rule = rules.get(instance, InstanceRule(instance, document.rule)).rule
        reports.append(
            apply_retention(
                repository,
                _policy(rule),
                zone=ZoneInfo(rule.time_zone),
                now=now,
                instance=instance,
                dry_run=document.dry_run,
            )
        )
    return reports


def _policy(rule: KeepRule) -> RetentionPolicy:
    return RetentionPolicy(
        last=rule.last,
        hourly=rule.hourly,
        daily=rule.daily,
        weekly=rule.weekly,
        monthly=rule.monthly,
        yearly=rule.yearly,
        within=timedelta(seconds=rule.within_s) if rule.within_s is not None else None,
    )


def _checked_time(repository: Repository) -> datetime:
    theirs, ours = repository.store.now(), datetime.now(UTC)
    if abs(theirs - ours) > _CLOCK_APART:
        raise ClockWrong(f"It is {ours:%H:%M} UTC here and {theirs:%H:%M} UTC at {repository.store.place}.")
    return theirs


def add_up(document: RepositoryStats, report: Reporter) -> StatsResult:
    """The task `repository-stats`."""
    report.progress("read the tables")
    repository = open_settings(document.repository)
    scopes = [scope_stats(repository, scope) for scope in repository.scopes()]
    snapshots, _ = repository.snapshots()
    return StatsResult(
        snapshots=len(snapshots),
        instances=len({one.manifest.instance.id for one in snapshots}),
        packs=sum(one.packs for one in scopes),
        blobs=sum(one.blobs for one in scopes),
        stored=sum(one.pack_bytes for one in scopes),
        unique=sum(one.blob_bytes for one in scopes),
        content=sum(one.content_bytes for one in scopes),
    )
