# SPDX-License-Identifier: Apache-2.0
"""Restore: a snapshot is built beside the running data, checked and tried there, and only then swapped in under a hold.

Until the swap users work on. The pair that was replaced is kept: `rollback` returns to it. The step `let-in` is the point of
no return: from it on users may write, and only a person throws away what they wrote. Where production's data went back in
time cron stays away after the end, since mail, charges and jobs of the time between would happen again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mooring.domain.instance.conf import WEB_PORT
from mooring.domain.instance.data_tasks import data_task
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import (
    OWNER_PASSWORD_FILE,
    admin_connection,
    admin_task,
    filestore_task,
    odoo_task,
    owner_connection,
    owner_task,
    task_stem,
)
from mooring.domain.model.identity import Ref
from mooring.domain.odoo.argv import CONFIG_PATH
from mooring.domain.operations.backup import SCRATCH
from mooring.domain.operations.plan import Gone, Hold, Note, OperationType, Plan, Ready, RunTask, Step, Take
from mooring.domain.operations.running import MARK
from mooring.domain.work.common import Fence
from mooring.domain.work.copies import DatabaseDrop
from mooring.domain.work.database import DatabaseVerify
from mooring.domain.work.filestore import FilestoreDrop
from mooring.domain.work.names import beside
from mooring.domain.work.restore import (
    DatabaseRestore,
    DatabaseSwap,
    FilestoreRestore,
    FilestoreSwap,
    SnapshotChoice,
)
from mooring.domain.work.serve_probe import render_odoo_argv, render_probe_argv

LET_IN = "let-in"
BUILD = "build-database"
PROBE_DEADLINE = timedelta(minutes=10)
READY_DEADLINE = timedelta(minutes=15)
DEADLINE = timedelta(hours=24)
_ROLES = ("web", "cron")


def plan_restore(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    repository: RepositoryAccess,
    *,
    snapshot: str,
    admin_user: str,
    replicas: tuple[tuple[str, int], ...],
    free_bytes: int | None = None,
) -> Plan:
    """Bring `snapshot` of this very instance back.

    Args:
        operation: the operation's document.
        operation_id: its id: what is built and what is replaced carry it.
        snapshot: its id, or `latest`.
        admin_user: role that may create databases.
        replicas: what has to be ready at the end.
        free_bytes: where the server keeps its data; None where nobody knows.
    """
    instance, database = subject.identity.instance, subject.database
    fence, back = Fence(operation_id, 1), Fence(f"{operation_id}-back", 1)
    hold = Hold(web=True, cron=True, release=subject.release.release.digest, reason="its data is being restored")
    built = replace(subject, database=beside(instance, role="building", operation=operation_id))
    source = SnapshotChoice(instance=instance, namespace=subject.ref.namespace, snapshot=snapshot)
    admin = admin_connection(subject, admin_user)

    web = tuple((role, count) for role, count in replicas if role == "web")  # cron may be held from here on

    def stem(step: str) -> str:
        return task_stem(operation, step)

    def drop(step: str) -> RunTask:
        return admin_task(
            subject,
            stem(step),
            DatabaseDrop(connection=admin, fence=fence, instance=instance, roles=("building",), operation=operation_id),
        )

    def drop_files(step: str) -> RunTask:
        return filestore_task(
            subject,
            stem(step),
            FilestoreDrop(
                fence=fence,
                instance=instance,
                data_dir=DATA_DIR,
                database=database,
                roles=("building",),
                operation=operation_id,
            ),
        )

    build = DatabaseRestore(
        connection=admin,
        fence=fence,
        instance=instance,
        database=database,
        owner=subject.owner,
        owner_password_file=OWNER_PASSWORD_FILE,
        repository=repository.settings(),
        source=source,
        scratch=SCRATCH,
        free_bytes=free_bytes,
    )
    building = admin_task(subject, stem(BUILD), build, owner_password=True)
    files = FilestoreRestore(
        fence=fence,
        instance=instance,
        data_dir=DATA_DIR,
        database=database,
        repository=repository.settings(),
        source=source,
        connection=owner_connection(subject),
    )
    filing = data_task(subject, stem("build-filestore"), files, repository, deadline=DEADLINE)
    verify = DatabaseVerify(
        connection=owner_connection(subject),
        database=built.database,
        expect=("base",),
        series=subject.release.facts.series,
    )
    serve = render_odoo_argv(subject.release.facts.program, CONFIG_PATH, database=built.database, port=WEB_PORT)
    probe = render_probe_argv(serve, port=WEB_PORT, deadline_s=int(PROBE_DEADLINE.total_seconds()) - 60)
    swap = DatabaseSwap(connection=admin, fence=fence, instance=instance, database=database)
    swap_files = FilestoreSwap(fence=fence, instance=instance, data_dir=DATA_DIR, database=database)
    swap_back = replace(
        swap, fence=back, take="previous", replaced_by=operation_id, back_as="building", back_of=operation_id
    )
    swap_files_back = replace(
        swap_files, fence=back, take="previous", replaced_by=operation_id, back_as="building", back_of=operation_id
    )
    return Plan(
        OperationType.RESTORE,
        steps=(
            Step(
                BUILD,
                "The snapshot's database is built beside the present one, which goes on working.",
                replace(building, task=replace(repository.grant(building.task), deadline=DEADLINE)),
                undo=Step("drop-built", "What was built is not wanted.", drop("drop-built"), attempts=3),
                attempts=2,
            ),
            Step(
                "build-filestore",
                "The snapshot's files are put beside the present ones.",
                # The same snapshot as the database's, also where a newer one has come since.
                replace(filing, takes=(Take(("source", "snapshot"), BUILD, "snapshot"),)),
                undo=Step(
                    "drop-built-files", "What was built is not wanted.", drop_files("drop-built-files"), attempts=3
                ),
                attempts=2,
            ),
            Step(
                "verify",
                "What was built is whole, and of this Odoo.",
                owner_task(subject, stem("verify"), verify),
            ),
            Step(
                "probe",
                "A page is served from what was built, before anything is replaced.",
                odoo_task(built, stem("probe"), probe, probe=True, deadline=PROBE_DEADLINE),
            ),
            Step("stop", "Nothing may write while data is exchanged.", Gone(_ROLES), hold),
            Step(
                "swap-database",
                "The restored database becomes current; the present one is kept.",
                admin_task(subject, stem("swap-database"), swap),
                hold,
                undo=Step(
                    "swap-database-back",
                    "The database of before becomes current again.",
                    admin_task(subject, stem("swap-database-back"), swap_back),
                    hold,
                    attempts=3,
                ),
                attempts=3,
            ),
            Step(
                "swap-filestore",
                "The restored files become current; the present ones are kept.",
                filestore_task(subject, stem("swap-filestore"), swap_files),
                hold,
                undo=Step(
                    "swap-filestore-back",
                    "The files of before become current again.",
                    filestore_task(subject, stem("swap-filestore-back"), swap_files_back),
                    hold,
                    attempts=3,
                ),
                attempts=3,
            ),
            Step(LET_IN, "The data is the snapshot's.", Note(), hold),
            Step("start", "Users are let in.", Ready(web), deadline=READY_DEADLINE),
        ),
        point_of_no_return=LET_IN,
    )


def plan_return(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    *,
    replaced_by: str,
    release: str,
    admin_user: str,
    replicas: tuple[tuple[str, int], ...],
) -> Plan:
    """Back to the pair that a restore replaced, by a person's word; the present pair is kept in its place.

    Args:
        replaced_by: id of that restore.
        release: digest of the release that ran before it.
    """
    instance, database = subject.identity.instance, subject.database
    fence, back = Fence(operation_id, 1), Fence(f"{operation_id}-back", 1)
    hold = Hold(web=True, cron=True, release=subject.release.release.digest, reason="it returns to what was before")
    swap = DatabaseSwap(
        connection=admin_connection(subject, admin_user),
        fence=fence,
        instance=instance,
        database=database,
        take="previous",
        replaced_by=replaced_by,
    )
    files = FilestoreSwap(
        fence=fence, instance=instance, data_dir=DATA_DIR, database=database, take="previous", replaced_by=replaced_by
    )
    swap_back = replace(swap, fence=back, replaced_by=operation_id, back_as="previous", back_of=replaced_by)
    files_back = replace(files, fence=back, replaced_by=operation_id, back_as="previous", back_of=replaced_by)
    return Plan(
        OperationType.ROLLBACK,
        (
            Step("stop", "Nothing may write while data is exchanged.", Gone(_ROLES), hold),
            Step(
                "swap-database",
                "The database of before the restore becomes current; the present one is kept.",
                admin_task(subject, task_stem(operation, "swap-database"), swap),
                hold,
                undo=Step(
                    "swap-database-back",
                    "The present database stays: its files could not be exchanged with it.",
                    admin_task(subject, task_stem(operation, "swap-database-back"), swap_back),
                    hold,
                    attempts=3,
                ),
                attempts=3,
            ),
            Step(
                "swap-filestore",
                "The files of before the restore become current; the present ones are kept.",
                filestore_task(subject, task_stem(operation, "swap-filestore"), files),
                hold,
                undo=Step(
                    "swap-filestore-back",
                    "The present files stay.",
                    filestore_task(subject, task_stem(operation, "swap-filestore-back"), files_back),
                    hold,
                    attempts=3,
                ),
                attempts=3,
            ),
            Step(MARK, "The data is what it was before.", Note(), hold),
            Step("start", "Every replica answers.", Ready(replicas), Hold(release=release), deadline=READY_DEADLINE),
        ),
        point_of_no_return=MARK,
    )
