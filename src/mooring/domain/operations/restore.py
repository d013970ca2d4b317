# SPDX-License-Identifier: Apache-2.0
"""Restore: a snapshot is built beside the running data, checked and tried there, and only then swapped in under a hold.

A copy is neutralized and proved neutral before anything of Odoo sees it; so is whatever comes into a Staging instance. The
pair that was replaced is kept: `rollback` returns to it, by `plan_return`. Where production's data went back in time cron stays
away after the end, since mail, charges and jobs of the time between would happen again; a copy's cron has nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mooring.api.enums import RestoreMode
from mooring.domain.instance.data_tasks import data_task
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import OWNER_PASSWORD_FILE, admin_task, owner_connection
from mooring.domain.model.identity import Ref
from mooring.domain.operations.aside import BUILD, BUILD_DEADLINE, BUILD_FILES, LET_IN, Aside
from mooring.domain.operations.backup import SCRATCH
from mooring.domain.operations.catch_up import NOT_BELOW, store_after, update_steps
from mooring.domain.operations.exchange import Half, Swaps, back_fence, plan_way_back
from mooring.domain.operations.neutral import neutral_steps
from mooring.domain.operations.plan import OperationType, Plan, Take
from mooring.domain.work.common import Fence
from mooring.domain.work.restore import DatabaseRestore, FilestoreRestore, SnapshotChoice

UPDATE = "update-modules"

__all__ = ["BUILD", "LET_IN", "decide_mode", "plan_restore", "plan_return"]


def decide_mode(spec: Mapping[str, Any]) -> RestoreMode:
    """Whether the data goes on as the real one: as asked, else only where a snapshot of the instance's own comes back.

    Args:
        spec: of the OdooRestoreJob, camelCase.
    """
    asked, source = spec.get("mode"), spec["source"]
    if asked is not None:
        return RestoreMode(asked)
    own = source.get("snapshot") is not None and source.get("snapshotOf") is None
    return RestoreMode.MOVE if own else RestoreMode.COPY


def plan_restore(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    repository: RepositoryAccess,
    *,
    snapshot: str,
    snapshot_of: str | None = None,
    mode: RestoreMode = RestoreMode.MOVE,
    mode_said: bool = True,
    admin_user: str,
    replicas: tuple[tuple[str, int], ...],
    base_url: str | None = None,
    free_bytes: int | None = None,
) -> Plan:
    """Bring a snapshot in place of the instance's data.

    Args:
        operation: the operation's document.
        operation_id: its id: what is built and what is replaced carry it.
        snapshot: its id, or `latest`.
        snapshot_of: id or name of the instance that it is of; None is this one.
        mode: a copy is neutralized; what is moved goes on as it is, but in a Staging instance.
        mode_said: a person chose it; else a snapshot of this very instance under another's name is refused.
        admin_user: role that may create databases.
        replicas: what has to be ready at the end.
        base_url: where users reach the instance, as far as it was seen.
        free_bytes: where the server keeps its data; None where nobody knows.
    """
    aside = Aside(operation, operation_id, subject, admin_user, "the snapshot", "its data is being restored")
    instance, database = subject.identity.instance, subject.database
    source = SnapshotChoice(instance=snapshot_of or instance, namespace=subject.ref.namespace, snapshot=snapshot)
    quiet = mode is RestoreMode.COPY or subject.staging
    neutral = neutral_steps(operation, operation_id, aside.built, role="building", base_url=base_url) if quiet else ()
    build = DatabaseRestore(
        connection=aside.admin,
        fence=aside.fence,
        instance=instance,
        database=database,
        owner=subject.owner,
        owner_password_file=OWNER_PASSWORD_FILE,
        repository=repository.settings(),
        source=source,
        scratch=SCRATCH,
        free_bytes=free_bytes,
        series=subject.release.facts.series,
        refuse_own=snapshot_of is not None and not mode_said,
        release=subject.release.release.digest,
    )
    building = admin_task(subject, aside.stem(BUILD), build, owner_password=True)
    files = FilestoreRestore(
        fence=aside.fence,
        instance=instance,
        data_dir=DATA_DIR,
        database=database,
        repository=repository.settings(),
        source=source,
        connection=owner_connection(subject),
    )
    filing = data_task(subject, aside.stem(BUILD_FILES), files, repository, deadline=BUILD_DEADLINE)
    update = update_steps(
        aside,
        neutral,
        name=UPDATE,
        reason="The snapshot is of another release: Odoo updates what differs, beside the present data.",
        takes=(Take(("select",), BUILD, "select"),),  # nothing where the release is the same
    )
    plan = aside.plan(
        OperationType.RESTORE,
        (
            aside.build_database(
                "The snapshot's database is built beside the present one, which goes on working.",
                replace(building, task=repository.grant(building.task)),
            ),
            *neutral,
            aside.build_filestore(
                "The snapshot's files are put beside the present ones.",
                # The same snapshot as the database's, also where a newer one has come since.
                replace(
                    filing,
                    takes=(
                        Take(("source", "snapshot"), BUILD, "snapshot"),
                        Take(("source", "instance"), BUILD, "origin"),
                    ),
                ),
            ),
            *update,
        ),
        replicas=replicas,
        takes=(NOT_BELOW,),
    )
    return store_after(plan, aside)


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
    swaps = Swaps(operation, subject, admin_user)
    fence, back = Fence(operation_id, 1), back_fence(operation_id)
    return plan_way_back(
        subject,
        Half(
            "swap-database",
            "The database of before the restore becomes current; the present one is kept.",
            swaps.database("swap-database", fence, take="previous", replaced_by=replaced_by),
            "swap-database-back",
            "The present database stays: its files could not be exchanged with it.",
            swaps.database(
                "swap-database-back",
                back,
                take="previous",
                replaced_by=operation_id,
                back_as="previous",
                back_of=replaced_by,
            ),
        ),
        Half(
            "swap-filestore",
            "The files of before the restore become current; the present ones are kept.",
            swaps.filestore("swap-filestore", fence, take="previous", replaced_by=replaced_by),
            "swap-filestore-back",
            "The present files stay.",
            swaps.filestore(
                "swap-filestore-back",
                back,
                take="previous",
                replaced_by=operation_id,
                back_as="previous",
                back_of=replaced_by,
            ),
        ),
        mark_reason="The data is what it was before.",
        release=release,
        replicas=replicas,
    )
