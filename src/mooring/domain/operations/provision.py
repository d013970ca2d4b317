# SPDX-License-Identifier: Apache-2.0
"""Provision: role and empty database of a new instance, or its own retained ones taken back. Pure."""

from __future__ import annotations

from mooring.domain.instance.subject import Subject
from mooring.domain.instance.tasks import (
    OWNER_PASSWORD_FILE,
    admin_connection,
    admin_task,
    owner_connection,
    owner_task,
    task_stem,
)
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import Hold, OperationType, Plan, Step
from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseInspect, DatabaseProvision

PROVISION = "provision-database"
LOOK = "look-for-data"


def plan_provision(
    operation: Ref, operation_id: str, subject: Subject, admin_user: str, *, adopt: bool, returning: bool = False
) -> Plan:
    """One step, two for retained data; its result says what is there. Nothing to undo: an empty database is taken up again.

    Args:
        operation: the operation's document.
        operation_id: its id, for fences.
        admin_user: the administrator's role; unused where there is none.
        adopt: take over a database that carries no instance's comment.
        returning: the instance had data when it was deleted: a place without it is refused before anything is made there.
    """
    fence = Fence(operation_id, 1)
    existing = subject.server.admin is None
    stem = task_stem(operation, PROVISION)
    document = DatabaseProvision(
        connection=owner_connection(subject) if existing else admin_connection(subject, admin_user),
        fence=fence,
        instance=subject.identity.instance,
        database=subject.database,
        owner=subject.owner,
        owner_password_file=None if existing else OWNER_PASSWORD_FILE,
        mode="existing" if existing else "create",
        adopt=adopt,
        minimum_major=subject.release.odoo.postgres_min,
        series=subject.release.facts.series,
    )
    task = owner_task(subject, stem, document) if existing else admin_task(subject, stem, document, owner_password=True)
    hold = Hold(web=True, cron=True, reason="the database is being made")
    reason = "Odoo needs a role and a database of its own; one that was retained is started, not initialized."
    step = Step(PROVISION, reason, task, hold, attempts=3)
    if not returning:
        return Plan(OperationType.PROVISION, (step,))
    # The owner's role may be gone, or have another password, until the administrator has seen to it.
    needs = DatabaseInspect(document.connection, subject.database, series=document.series, needs_data=True)
    stem = task_stem(operation, LOOK)
    seek = owner_task(subject, stem, needs) if existing else admin_task(subject, stem, needs)
    first = Step(LOOK, "Retained data is taken back where it is; nothing is made in its place.", seek, hold, attempts=3)
    return Plan(OperationType.PROVISION, (first, step))
