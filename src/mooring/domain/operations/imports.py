# SPDX-License-Identifier: Apache-2.0
"""Import: an archive that a person brings becomes an instance's data, built aside, tried and swapped in as a restore is. Pure.

What the archive says of itself is checked before anything is built. The administrator only makes the empty database; what is
in the dump runs as the instance's own role. It is a copy, and neutralized, unless a person says that it moves here.
"""

from __future__ import annotations

from dataclasses import replace

from mooring.domain.instance.archive import ArchiveAccess
from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import admin_task, filestore_mount, filestore_task, owner_connection, owner_task
from mooring.domain.model.identity import Ref
from mooring.domain.operations.aside import BUILD, BUILD_DEADLINE, BUILD_FILES, LET_IN, Aside
from mooring.domain.operations.backup import SCRATCH
from mooring.domain.operations.neutral import neutral_steps
from mooring.domain.operations.plan import OperationType, Plan, RunTask, Step, Take
from mooring.domain.work.codec import Document
from mooring.domain.work.filestore import FilestoreDrop
from mooring.domain.work.imports import ArchiveReceive, DatabaseCreate, DatabaseLoad, FilestoreLoad

__all__ = ["LET_IN", "LOAD", "RECEIVE", "plan_import"]

RECEIVE = "receive-archive"
LOAD = "load-database"


def plan_import(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    archive: ArchiveAccess,
    *,
    moves: bool,
    admin_user: str,
    replicas: tuple[tuple[str, int], ...],
    base_url: str | None = None,
    free_bytes: int | None = None,
) -> Plan:
    """Give `subject` what the archive holds.

    Args:
        operation: the operation's document.
        operation_id: its id: what is built and what is replaced carry it.
        moves: the data goes on here as the real one; else it is a copy.
        admin_user: role that may create databases.
        replicas: what has to be ready at the end.
        base_url: where users reach the instance, as far as it was seen.
        free_bytes: where the server keeps its data; None where nobody knows.
    """
    aside = Aside(
        operation, operation_id, subject, admin_user, "the archive", "its data is being replaced by an archive's"
    )
    instance, database = subject.identity.instance, subject.database
    receive = ArchiveReceive(
        fence=aside.fence,
        instance=instance,
        data_dir=DATA_DIR,
        database=database,
        source=archive.source,
        series=subject.release.facts.series,
    )
    drop = FilestoreDrop(
        fence=aside.fence,
        instance=instance,
        data_dir=DATA_DIR,
        database=database,
        roles=("building",),
        operation=operation_id,
    )
    create = DatabaseCreate(
        connection=aside.admin,
        fence=aside.fence,
        instance=instance,
        database=database,
        owner=subject.owner,
        free_bytes=free_bytes,
    )
    creating = admin_task(subject, aside.stem(BUILD), create)
    load = DatabaseLoad(
        connection=owner_connection(subject),
        fence=aside.fence,
        instance=instance,
        database=database,
        data_dir=DATA_DIR,
        scratch=SCRATCH,
    )
    files = FilestoreLoad(
        fence=aside.fence,
        instance=instance,
        data_dir=DATA_DIR,
        database=database,
        connection=owner_connection(subject),
    )
    receiving = filestore_task(subject, aside.stem(RECEIVE), receive)
    neutral = neutral_steps(operation, operation_id, aside.built, role="building", base_url=base_url)
    return aside.plan(
        OperationType.RESTORE,
        (
            Step(
                RECEIVE,
                "The archive is read to its end and checked, before anything is built from it.",
                replace(receiving, task=replace(archive.grant_reading(receiving.task), deadline=BUILD_DEADLINE)),
                undo=Step(
                    "drop-received",
                    "What was received is not wanted.",
                    filestore_task(subject, aside.stem("drop-received"), drop),
                    attempts=3,
                ),
                attempts=2,
            ),
            aside.build_database(
                "An empty database is made beside the present one.",
                replace(
                    creating,
                    takes=(
                        Take(("serverMajor",), RECEIVE, "serverMajor"),
                        Take(("dumpBytes",), RECEIVE, "dumpBytes"),
                    ),
                ),
            ),
            # Once only: what a stopped run left is not whole, and the whole operation is begun again for it.
            Step(
                LOAD,
                "The dump is loaded into it by the instance's own role; users work on meanwhile.",
                _with_volume(subject, aside.stem(LOAD), load),
            ),
            *(() if moves else neutral),
            aside.build_filestore(
                "The archive's files are put beside the present ones.",
                _with_volume(subject, aside.stem(BUILD_FILES), files),
            ),
        ),
        replicas=replicas,
    )


def _with_volume(subject: Subject, stem: str, document: Document) -> RunTask:
    """A task that sees the filestore and the database, as Odoo's user and as the owner."""
    facts = subject.release.facts
    base = owner_task(subject, stem, document)
    task = replace(
        base.task,
        user=(facts.uid, facts.gid),
        files=tuple(replace(file, uid=facts.uid, gid=facts.gid) for file in base.task.files),
        mounts=(filestore_mount(subject.release),),
        deadline=BUILD_DEADLINE,
    )
    return replace(base, task=task)
