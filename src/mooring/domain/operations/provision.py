# SPDX-License-Identifier: Apache-2.0
"""Provision: role and empty database of a new instance, or its own retained ones taken back."""

from __future__ import annotations

from dataclasses import replace

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
INSPECT = "inspect-database"


def plan_provision(operation: Ref, operation_id: str, subject: Subject, admin_user: str, *, adopt: bool) -> Plan:
    """Two steps; nothing to undo: an empty database of ours is taken up by the next attempt.

    Args:
        operation: the operation's document.
        operation_id: its id, for fences.
        admin_user: the administrator's role; unused where there is none.
        adopt: take over a database that carries no instance's comment.
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
    )
    task = owner_task(subject, stem, document) if existing else admin_task(subject, stem, document, owner_password=True)
    inspect = DatabaseInspect(
        connection=owner_connection(subject), database=subject.database, series=subject.release.facts.series
    )
    hold = Hold(web=True, cron=True, reason="the database is being made")
    step = Step(PROVISION, "Odoo needs a role and a database of its own.", task, hold, attempts=3)
    look = Step(
        INSPECT,
        "A database that was retained is started, not initialized.",
        owner_task(subject, task_stem(operation, INSPECT), inspect),
        attempts=3,
    )
    return Plan(OperationType.PROVISION, (step, replace(look, hold=hold)))
