# SPDX-License-Identifier: Apache-2.0
"""Expire: the pair that a restore, refresh or rollback replaced goes when its time is over. What is current is not touched."""

from __future__ import annotations

from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import admin_connection, admin_task, filestore_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import Note, OperationType, Plan, Step
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop
from mooring.domain.work.filestore import FilestoreDrop

FORGET = "forget"


def plan_expire(operation: Ref, operation_id: str, subject: Subject, *, replaced_by: str, admin_user: str) -> Plan:
    """First it is forgotten, so that nobody returns to half of it; then both go. The latter fail without harm, and are told.

    Args:
        operation: the operation's document.
        operation_id: its id, for the fence.
        replaced_by: id of the operation that replaced the pair.
        admin_user: role that may drop databases.
    """
    fence, instance = Fence(operation_id, 1), subject.identity.instance
    drop = DatabaseDrop(
        connection=admin_connection(subject, admin_user),
        fence=fence,
        instance=instance,
        roles=("previous",),
        operation=replaced_by,
    )
    files = FilestoreDrop(
        fence=fence,
        instance=instance,
        data_dir=DATA_DIR,
        database=subject.database,
        roles=("previous",),
        operation=replaced_by,
    )
    return Plan(
        OperationType.EXPIRE,
        steps=(
            Step(FORGET, "The time for which it was kept is over: nobody returns to it any more.", Note()),
            Step(
                "drop-previous-database",
                "The replaced database goes.",
                admin_task(subject, task_stem(operation, "drop-previous-database"), drop),
                attempts=5,
            ),
            Step(
                "drop-previous-files",
                "The replaced files go.",
                filestore_task(subject, task_stem(operation, "drop-previous-files"), files),
                attempts=5,
            ),
        ),
        point_of_no_return=FORGET,
    )
