# SPDX-License-Identifier: Apache-2.0
"""Export: an instance as one archive at a place of the user's, while it runs. One task; nothing to undo. Pure.

The archive gets its name when it is whole, so that a run that was killed leaves none; the next writes it anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from mooring.domain.instance.archive import ArchiveAccess
from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import filestore_mount, owner_connection, owner_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.backup import DEADLINE, SCRATCH
from mooring.domain.operations.plan import OperationType, Plan, RunTask, Step
from mooring.domain.work.backup import ArchiveStore, BackupArchive
from mooring.domain.work.common import Fence

EXPORT = "write-archive"
Form = Literal["zip", "dump"]


def plan_export(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    archive: ArchiveAccess,
    *,
    form: Form,
    with_filestore: bool = True,
) -> Plan:
    """One step.

    Args:
        operation: the operation's document.
        operation_id: its id, for the fence.
        archive: where it goes; a folder (`…/`) gets a file named after the operation.
        form: `zip` as Odoo's own, or `dump` of the database alone.
    """
    output, store = archive.place(f"{operation.name}.{form}")
    task = export_task(
        subject,
        task_stem(operation, EXPORT),
        Fence(operation_id, 1),
        form=form,
        with_filestore=with_filestore,
        output=output,
        store=store,
    )
    granted = replace(task, task=archive.grant_writing(task.task))
    reason = "Database and files of one moment are written as they are read."
    return Plan(OperationType.BACKUP, (Step(EXPORT, reason, granted, attempts=3),))


def export_task(
    subject: Subject,
    stem: str,
    fence: Fence,
    *,
    form: Form,
    with_filestore: bool,
    output: str | None,
    store: ArchiveStore | None = None,
) -> RunTask:
    """The task that writes the archive, to a path of its own or into a store.

    Args:
        stem: of its name.
    """
    facts = subject.release.facts
    document = BackupArchive(
        connection=owner_connection(subject),
        fence=fence,
        instance=subject.identity.instance,
        database=subject.database,
        output=output,
        store=store,
        scratch=SCRATCH,
        format=form,
        data_dir=DATA_DIR,
        with_filestore=with_filestore,
    )
    base = owner_task(subject, stem, document)
    task = replace(
        base.task,
        user=(facts.uid, facts.gid),
        files=tuple(replace(file, uid=facts.uid, gid=facts.gid) for file in base.task.files),
        mounts=(filestore_mount(subject.release),),
        deadline=DEADLINE,
    )
    return replace(base, task=task)
