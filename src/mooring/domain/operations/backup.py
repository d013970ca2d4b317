# SPDX-License-Identifier: Apache-2.0
"""Backup: one task beside the running instance. It stops nothing, holds nothing back, and there is nothing to undo.

A backup that was killed leaves blobs that no snapshot names; the next one reuses them.
"""

from __future__ import annotations

from datetime import timedelta

from mooring.domain.instance.conf import odoo_conf_file
from mooring.domain.instance.data_tasks import data_task
from mooring.domain.instance.manifest import manifest_text
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.subject import ADDONS_DIR, DATA_DIR, Subject
from mooring.domain.instance.tasks import owner_connection, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.odoo.argv import CONFIG_PATH
from mooring.domain.operations.plan import OperationType, Plan, Step
from mooring.domain.repository.manifest import SnapshotInstance, SnapshotRelease
from mooring.domain.work.backup import Backup, NamedFolder
from mooring.domain.work.common import Fence
from mooring.domain.work.repository_work import KeepRule, RepositoryPrune

BACK_UP = "back-up"
PRUNE = "prune"
SCHEDULED = "scheduled"
"""Tag of the backups that a schedule asked for."""
BEFORE_UPGRADE = "before-upgrade"
"""Tag of the backups that an upgrade takes first."""
SCRATCH = "/tmp/mooring"  # noqa: S108 - a container's own /tmp
DEADLINE = timedelta(hours=24)


def plan_backup(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    repository: RepositoryAccess,
    *,
    with_database: bool = True,
    with_filestore: bool = True,
    tags: tuple[str, ...] = (),
    retention: KeepRule | None = None,
) -> Plan:
    """One step, and after success what retention asks for.

    Args:
        operation: the operation's document.
        operation_id: its id, for the fence.
        repository: where the snapshot goes.
        tags: written into it.
        retention: which of the instance's snapshots stay; None deletes nothing.
    """
    release = subject.release.release
    document = Backup(
        connection=owner_connection(subject),
        fence=Fence(operation_id, 1),
        instance=SnapshotInstance(
            id=subject.identity.instance,
            namespace=subject.ref.namespace,
            name=subject.ref.name,
            environment="Staging" if subject.environment == "Staging" else "Production",
        ),
        release=SnapshotRelease(version=subject.release.facts.series, image=release.source, digest=release.digest),
        series=subject.release.facts.series,
        database=subject.database,
        repository=repository.settings(),
        scratch=SCRATCH,
        data_dir=DATA_DIR,
        addons=_addons(subject),
        odoo_conf_file=CONFIG_PATH,
        instance_manifest=manifest_text(subject),
        tags=tags,
        with_database=with_database,
        with_filestore=with_filestore,
    )
    task = data_task(
        subject,
        task_stem(operation, BACK_UP),
        document,
        repository,
        files=(odoo_conf_file(subject, "web"),),
        addons=True,
        deadline=DEADLINE,
    )
    reason = f"Database, files and code of one moment go to {repository.ref.name}."
    cleanup = () if retention is None else (_prune(operation, subject, repository, retention),)
    return Plan(OperationType.BACKUP, (Step(BACK_UP, reason, task, attempts=3),), cleanup=cleanup)


def _prune(operation: Ref, subject: Subject, repository: RepositoryAccess, rule: KeepRule) -> Step:
    document = RepositoryPrune(repository.settings(), rule=rule, only=subject.identity.instance)
    task = data_task(subject, task_stem(operation, PRUNE), document, repository, deadline=DEADLINE)
    return Step(PRUNE, "What no rule keeps goes, and a day later what only it needed.", task, after_success=True)


def _addons(subject: Subject) -> tuple[NamedFolder, ...]:
    folders = [NamedFolder(f"path-{number}", folder.path) for number, folder in enumerate(subject.folders)]
    volumes = [NamedFolder(f"volume-{name}", f"{ADDONS_DIR}/volume-{name}") for name in subject.addon_volumes]
    return (*folders, *volumes)
