# SPDX-License-Identifier: Apache-2.0
"""Retention on a repository: decides for each instance which snapshots stay, and deletes the manifests of the others.

What they alone used goes with the next prunes. Called by `mooring repository prune`, by the agent, and by `forget`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, tzinfo

from mooring.domain.repository.retention import Candidate, RetentionPolicy, Verdict, decide_retention
from mooring.drivers.objects.store import Refusal
from mooring.engine.repository.catalog import DamagedObject
from mooring.engine.repository.repository import Repository
from mooring.engine.repository.snapshots import Snapshot, delete_snapshots


@dataclass(frozen=True)
class RetentionReport:
    """What retention decided, and what of that could not be done.

    Attributes:
        verdicts: every snapshot with its verdict, the newest first, instance by instance.
        damaged: manifests that cannot be read: they stay, and count for nothing.
        refused: manifests that the store would not delete.
    """

    verdicts: tuple[tuple[Snapshot, Verdict], ...]
    damaged: tuple[DamagedObject, ...]
    refused: tuple[Refusal, ...]


def apply_retention(
    repository: Repository,
    policy: RetentionPolicy,
    *,
    zone: tzinfo,
    now: datetime,
    scope: str | None = None,
    instance: str | None = None,
    dry_run: bool = False,
) -> RetentionReport:
    """Keep what the policy says, delete the manifests of the rest.

    Args:
        repository: open.
        policy: the rules, for each instance by itself.
        zone: in which days begin.
        now: the time, or `store.now()` where this machine's clock may be wrong.
        scope: None is all.
        instance: id; None is each.
        dry_run: only decide.
    """
    snapshots, damaged = repository.snapshots(scope=scope, instance=instance)
    by_instance: dict[tuple[str, str], list[Snapshot]] = defaultdict(list)
    for snapshot in snapshots:
        by_instance[snapshot.name.scope, snapshot.name.instance].append(snapshot)
    verdicts: list[tuple[Snapshot, Verdict]] = []
    for group in by_instance.values():
        known = {snapshot.id: snapshot for snapshot in group}
        candidates = [
            Candidate(snapshot.id, snapshot.name.time, snapshot.manifest.state == "Complete") for snapshot in group
        ]
        decided = decide_retention(candidates, policy, now=now, zone=zone)
        verdicts.extend((known[verdict.candidate.id], verdict) for verdict in decided)
    going = [snapshot for snapshot, verdict in verdicts if not verdict.keep]
    refused = [] if dry_run else delete_snapshots(repository.store, repository.cache, going)
    return RetentionReport(tuple(verdicts), tuple(damaged), tuple(refused))
