# SPDX-License-Identifier: Apache-2.0
"""Promote: production of a Staging instance, by a person's word. Pure.

Nothing runs while its data forgets that it is a copy; only then it is written down that it is Production, which opens the
network and takes the mail sink away. The data is not undone: from its step on the way leads forward only. What neutralizing
switched off stays off.
"""

from __future__ import annotations

from mooring.domain.instance.subject import Subject
from mooring.domain.instance.tasks import owner_connection, owner_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.exchange import MARK, READY_DEADLINE, ROLES
from mooring.domain.operations.plan import Gone, Hold, Note, OperationType, Plan, Ready, Step
from mooring.domain.work.common import Fence
from mooring.domain.work.promote import DatabasePromote

FORGET = "promote-database"


def plan_promote(operation: Ref, operation_id: str, subject: Subject, *, replicas: tuple[tuple[str, int], ...]) -> Plan:
    """Stop, let the data forget that it is a copy, write it down, start with the network of a Production instance.

    Args:
        operation: the operation's document.
        operation_id: its id, for the fence.
        replicas: what has to be ready at the end.
    """
    hold = Hold(web=True, cron=True, reason="it is being promoted")
    document = DatabasePromote(
        connection=owner_connection(subject),
        fence=Fence(operation_id, 1),
        instance=subject.identity.instance,
        database=subject.database,
    )
    return Plan(
        OperationType.PROMOTE,
        (
            Step("stop", "No process of a copy becomes one of production.", Gone(ROLES), hold),
            Step(
                FORGET,
                "Banner and mail sink go; what was switched off stays off.",
                owner_task(subject, task_stem(operation, FORGET), document),
                hold,
                attempts=3,
            ),
            Step(MARK, "A person makes production of it: it may reach the world.", Note(), hold),
            Step("start", "Every replica answers.", Ready(replicas), deadline=READY_DEADLINE),
        ),
        point_of_no_return=FORGET,
    )
