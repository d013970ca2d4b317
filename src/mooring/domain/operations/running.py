# SPDX-License-Identifier: Apache-2.0
"""Stop, Start, Restart, Rollback and Delete: operations that change what runs, or take it away."""

from __future__ import annotations

from mooring.domain.instance.subject import DATA_DIR, PinnedRelease, Subject
from mooring.domain.instance.tasks import admin_connection, admin_task, filestore_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.exchange import MARK, READY_DEADLINE, ROLES, Half, Swaps, back_fence, plan_way_back
from mooring.domain.operations.plan import Gone, Hold, Note, OperationType, Plan, Ready, RemoveVolumes, Step
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop, DatabaseReturn
from mooring.domain.work.filestore import FilestoreReturn

AWAY = Hold(web=True, cron=True, reason="it is being stopped")
REMOVE_DATA = "remove-data"


def plan_stop() -> Plan:
    """Remember that a person wants it stopped; it stays so until a Start."""
    return Plan(
        OperationType.STOP,
        (
            Step(MARK, "It stays stopped through restarts.", Note(), AWAY),
            Step("stop", "No process is left.", Gone(ROLES), AWAY),
        ),
    )


def plan_start(replicas: tuple[tuple[str, int], ...]) -> Plan:
    """Forget the stop, and wait until it serves."""
    return Plan(
        OperationType.START,
        (
            Step(MARK, "A person wants it to run.", Note()),
            Step("start", "Every replica answers.", Ready(replicas), deadline=READY_DEADLINE),
        ),
    )


def plan_restart(replicas: tuple[tuple[str, int], ...]) -> Plan:
    """Processes go and come; nothing else changes."""
    hold = Hold(web=True, cron=True, reason="it is being restarted")
    return Plan(
        OperationType.RESTART,
        (
            Step("stop", "No process is left.", Gone(ROLES), hold),
            Step("start", "Every replica answers.", Ready(replicas), deadline=READY_DEADLINE),
        ),
    )


def plan_rollback(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    to: PinnedRelease,
    *,
    upgrade_id: str,
    admin_user: str,
    replicas: tuple[tuple[str, int], ...],
) -> Plan:
    """Back to the pair of before the last upgrade, by a person's word: what was written since is kept aside.

    Args:
        operation_id: its own, to take back what it did.
        upgrade_id: id of the operation whose safety copies come back.
        to: the release that ran then.
    """
    fence, back = Fence(upgrade_id, 1), back_fence(operation_id)
    instance, database = subject.identity.instance, subject.database
    swaps = Swaps(operation, subject, admin_user)
    database_return = DatabaseReturn(
        connection=admin_connection(subject, admin_user), fence=fence, instance=instance, database=database, keep=True
    )
    files_return = FilestoreReturn(fence=fence, instance=instance, data_dir=DATA_DIR, database=database, keep=True)
    return plan_way_back(
        subject,
        Half(
            "return-database",
            "The database of before the upgrade becomes current; the present one is kept.",
            admin_task(subject, task_stem(operation, "return-database"), database_return),
            "database-back",
            "The present database stays: its files could not be exchanged with it.",
            swaps.database(
                "database-back", back, take="previous", replaced_by=upgrade_id, back_as="safety", back_of=upgrade_id
            ),
        ),
        Half(
            "return-filestore",
            "The files of before the upgrade become current; the present ones are kept.",
            filestore_task(subject, task_stem(operation, "return-filestore"), files_return),
            "filestore-back",
            "The present files stay.",
            swaps.filestore(
                "filestore-back", back, take="previous", replaced_by=upgrade_id, back_as="safety", back_of=upgrade_id
            ),
        ),
        mark_reason="The data is the earlier release's.",
        release=to.release.digest,
        replicas=replicas,
    )


def plan_release_back(subject: Subject, to: PinnedRelease, replicas: tuple[tuple[str, int], ...]) -> Plan:
    """Back to the release of before an upgrade that updated no module: the data stays, with everything written since.

    Args:
        to: the release that ran then.
        replicas: what has to be ready at the end: ((role, count), …).
    """
    hold = Hold(
        web=True, cron=True, release=subject.release.release.digest, reason="it returns to the release of before"
    )
    return Plan(
        OperationType.ROLLBACK,
        (
            Step("stop", "One release runs at a time.", Gone(ROLES), hold),
            Step(MARK, "The data is the earlier release's: no module was updated since.", Note(), hold),
            Step(
                "start",
                "Every replica answers.",
                Ready(replicas),
                Hold(release=to.release.digest),
                deadline=READY_DEADLINE,
            ),
        ),
        point_of_no_return=MARK,
    )


def plan_delete(operation: Ref, operation_id: str, subject: Subject | None, *, purge: bool, admin_user: str) -> Plan:
    """Take the processes away; with `purge` also database and volumes. Without, the data stays for the same name.

    Args:
        subject: None for an instance that never came so far as to have data.
        purge: a person gave the name for it, or `deletionPolicy: Delete`.
    """
    steps = [Step("stop", "No process is left.", Gone(ROLES), AWAY)]
    if purge and subject is not None and subject.server.admin is not None:
        drop = DatabaseDrop(
            connection=admin_connection(subject, admin_user),
            fence=Fence(operation_id, 1),
            instance=subject.identity.instance,
            roles=("current", "previous", "building", "safety"),
            purge=True,
            owner=subject.owner,
        )
        steps.append(
            Step(
                "drop-database",
                "The data is to go, by a person's word.",
                admin_task(subject, task_stem(operation, "drop-database"), drop),
                AWAY,
                attempts=3,
            )
        )
    steps.append(Step("remove-objects", "Containers, networks and routes go; volumes stay.", Note(), AWAY))
    if purge:
        steps.append(Step(REMOVE_DATA, "The data is to go, by a person's word.", RemoveVolumes(), AWAY))
    return Plan(OperationType.DELETE, tuple(steps))
