# SPDX-License-Identifier: Apache-2.0
"""Verify: is the newest snapshot, or the one that is named, whole where it lies? It changes nothing, and holds nothing back."""

from __future__ import annotations

from datetime import timedelta

from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.subject import Subject
from mooring.domain.instance.tasks import engine_argv, task_stem
from mooring.domain.instance.verified import VERIFY
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import OperationType, Plan, RunTask, Step
from mooring.domain.task import TaskSpec
from mooring.domain.work.restore import SnapshotChoice
from mooring.domain.work.verify import SnapshotVerify

DEADLINE = timedelta(hours=24)


def plan_verify(
    operation: Ref,
    subject: Subject,
    repository: RepositoryAccess,
    *,
    snapshot: str,
    read_percent: int,
) -> Plan:
    """One step beside the running instance.

    Args:
        operation: the operation's document.
        repository: where the snapshot is.
        snapshot: its id, or `latest`.
        read_percent: share of its content that is read and compared.
    """
    source = SnapshotChoice(instance=subject.identity.instance, namespace=subject.ref.namespace, snapshot=snapshot)
    return Plan(OperationType.VERIFY, (verify_step(operation, subject, repository, source, read_percent=read_percent),))


def verify_step(
    operation: Ref, subject: Subject, repository: RepositoryAccess, source: SnapshotChoice, *, read_percent: int
) -> Step:
    """The snapshot as it lies; the store is asked, and no cache."""
    facts = subject.release.facts
    document = SnapshotVerify(repository.settings(cache=False), source, read_percent)
    task = TaskSpec(
        name=task_stem(operation, VERIFY),
        place=subject.ref,
        identity=subject.identity,
        argv=engine_argv(document),
        user=(facts.uid, facts.gid),
        deadline=DEADLINE,
    )
    return Step(
        VERIFY,
        "Everything that the snapshot needs is there, and is what was written."
        if read_percent
        else "Everything that the snapshot needs is there.",
        RunTask(repository.grant(task, cache=False), document),
        attempts=3,
    )
