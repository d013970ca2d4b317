# SPDX-License-Identifier: Apache-2.0
"""ReleaseHold: what waits to be sent is counted, cancelled where a person says so, and only then cron runs again. Pure.

After production's data went back in time, what waited then may have been sent since. Cancelling is one transaction, and what
was cancelled stays so: it has no undo. It never touches what was made after the return.
"""

from __future__ import annotations

from datetime import timedelta

from mooring.domain.instance.subject import Subject
from mooring.domain.instance.tasks import owner_connection, owner_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.errors import ReturnTimeUnknown
from mooring.domain.operations.exchange import MARK
from mooring.domain.operations.plan import Note, OperationType, Plan, Ready, RunTask, Step
from mooring.domain.work.common import Fence
from mooring.domain.work.neutralize import OutgoingCancel, OutgoingCount

COUNT = "count"
CANCEL = "cancel"
READY_DEADLINE = timedelta(minutes=15)


def outgoing_count_task(subject: Subject, stem: str, *, since: str) -> RunTask:
    """Counts what waits; changes nothing.

    Args:
        stem: of the task's name.
        since: when the data went back, RFC 3339: what was there before is counted apart. Empty where nobody knows.
    """
    document = OutgoingCount(connection=owner_connection(subject), database=subject.database, older_than=since or None)
    return owner_task(subject, stem, document)


def plan_release_hold(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    *,
    since: str,
    cancel: bool,
    replicas: tuple[tuple[str, int], ...],
) -> Plan:
    """Let cron run again after production's data went back in time, by a person's word.

    Args:
        operation: the operation's document.
        operation_id: its id, for the fence.
        since: when the data went back, RFC 3339; empty where nobody knows.
        cancel: what waits since before that is cancelled first.
        replicas: what has to be ready at the end.

    Raises:
        ReturnTimeUnknown: it is to cancel, and nobody knows what is older than the return.
    """
    steps = [
        Step(
            COUNT,
            "What would be sent or done now is counted.",
            outgoing_count_task(subject, task_stem(operation, COUNT), since=since),
            attempts=3,
        )
    ]
    if cancel:
        if not since:
            raise ReturnTimeUnknown(f"Nobody wrote down when the data of {subject.ref.name} went back.")
        document = OutgoingCancel(
            connection=owner_connection(subject),
            fence=Fence(operation_id, 1),
            instance=subject.identity.instance,
            database=subject.database,
            older_than=since,
        )
        steps.append(
            Step(
                CANCEL,
                "What waits since before the return was sent already; it is cancelled.",
                owner_task(subject, task_stem(operation, CANCEL), document),
                attempts=3,
            )
        )
    steps += [
        Step(MARK, "A person looked at what would be sent again.", Note()),
        Step("start", "Every replica answers.", Ready(replicas), deadline=READY_DEADLINE),
    ]
    return Plan(OperationType.RELEASE_HOLD, tuple(steps))
