# SPDX-License-Identifier: Apache-2.0
"""Stop, Start, Restart, Rollback, ReleaseHold and Delete: operations that change what runs, or take it away."""

from __future__ import annotations

from datetime import timedelta

from mooring.domain.instance.subject import DATA_DIR, PinnedRelease, Subject
from mooring.domain.instance.tasks import admin_connection, admin_task, filestore_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import Gone, Hold, Note, OperationType, Plan, Ready, RemoveVolumes, Step
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop, DatabaseReturn
from mooring.domain.work.filestore import FilestoreReturn
from mooring.domain.work.restore import DatabaseSwap, FilestoreSwap

ROLES = ("web", "cron")
AWAY = Hold(web=True, cron=True, reason="it is being stopped")
READY_DEADLINE = timedelta(minutes=15)
MARK = "mark"
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


def plan_release_hold(replicas: tuple[tuple[str, int], ...]) -> Plan:
    """Let cron run again after production's data went back in time, by a person's word."""
    return Plan(
        OperationType.RELEASE_HOLD,
        (
            Step(MARK, "A person looked at what would be sent again.", Note()),
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
    fence = Fence(upgrade_id, 1)
    instance, database = subject.identity.instance, subject.database
    hold = Hold(web=True, cron=True, release=subject.release.release.digest, reason="it returns to what was before")
    database_return = DatabaseReturn(
        connection=admin_connection(subject, admin_user), fence=fence, instance=instance, database=database, keep=True
    )
    files_return = FilestoreReturn(fence=fence, instance=instance, data_dir=DATA_DIR, database=database, keep=True)
    database_back = DatabaseSwap(
        connection=admin_connection(subject, admin_user),
        fence=Fence(f"{operation_id}-back", 1),
        instance=instance,
        database=database,
        take="previous",
        replaced_by=upgrade_id,
        back_as="safety",
        back_of=upgrade_id,
    )
    files_back = FilestoreSwap(
        fence=database_back.fence,
        instance=instance,
        data_dir=DATA_DIR,
        database=database,
        take="previous",
        replaced_by=upgrade_id,
        back_as="safety",
        back_of=upgrade_id,
    )
    return Plan(
        OperationType.ROLLBACK,
        (
            Step("stop", "Nothing may write while data is exchanged.", Gone(ROLES), hold),
            Step(
                "return-database",
                "The database of before the upgrade becomes current; the present one is kept.",
                admin_task(subject, task_stem(operation, "return-database"), database_return),
                hold,
                undo=Step(
                    "database-back",
                    "The present database stays: its files could not be exchanged with it.",
                    admin_task(subject, task_stem(operation, "database-back"), database_back),
                    hold,
                    attempts=3,
                ),
                attempts=3,
            ),
            Step(
                "return-filestore",
                "The files of before the upgrade become current; the present ones are kept.",
                filestore_task(subject, task_stem(operation, "return-filestore"), files_return),
                hold,
                undo=Step(
                    "filestore-back",
                    "The present files stay.",
                    filestore_task(subject, task_stem(operation, "filestore-back"), files_back),
                    hold,
                    attempts=3,
                ),
                attempts=3,
            ),
            Step(MARK, "The data is the earlier release's.", Note(), hold),
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
