# SPDX-License-Identifier: Apache-2.0
"""Engine tasks between an instance's data and its repository: as Odoo's user, with the owner's password. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.subject import Subject
from mooring.domain.instance.tasks import addon_mounts, filestore_mount, owner_task
from mooring.domain.model.desired import File
from mooring.domain.operations.plan import RunTask
from mooring.domain.work.codec import Document


def data_task(
    subject: Subject,
    stem: str,
    document: Document,
    repository: RepositoryAccess,
    *,
    files: tuple[File, ...] = (),
    addons: bool = False,
    deadline: timedelta,
) -> RunTask:
    """A task that sees the filestore, the database as its owner, and the repository.

    Args:
        files: what it needs besides; owned by Odoo's user.
        addons: it sees the custom add-ons, too.
    """
    facts = subject.release.facts
    user = (facts.uid, facts.gid)
    base = owner_task(subject, stem, document)
    task = replace(
        base.task,
        user=user,
        files=(*(replace(file, uid=user[0], gid=user[1]) for file in base.task.files), *files),
        mounts=(filestore_mount(subject.release), *(addon_mounts(subject) if addons else ())),
        folders=tuple(replace(folder, uid=user[0], gid=user[1]) for folder in subject.folders) if addons else (),
        deadline=deadline,
    )
    return replace(base, task=repository.grant(task))
