# SPDX-License-Identifier: Apache-2.0
"""Refresh and clone: a running instance is copied beside another's data, neutralized, tried, and only then swapped in. Pure.

The source is only read. Until the exchange the instance serves what it had; what was replaced is kept, and `rollback` returns
to it. Where its release is another one than the source's, modules whose files differ are updated before it is tried, by an
Odoo that works on neutral data only, and what an update brings to life is neutralized once more. Where it is an older one, a
module would have to go back: that is refused, and nothing is replaced.
"""

from __future__ import annotations

from mooring.domain.instance.live_tasks import copy_database_task, copy_files_task
from mooring.domain.instance.subject import Subject
from mooring.domain.instance.tasks import owner_connection
from mooring.domain.model.identity import Ref
from mooring.domain.operations.aside import BUILD, BUILD_DEADLINE, BUILD_FILES, LET_IN, Aside
from mooring.domain.operations.backup import SCRATCH
from mooring.domain.operations.catch_up import NOT_BELOW, store_after, update_steps
from mooring.domain.operations.neutral import neutral_steps
from mooring.domain.operations.plan import OperationType, Plan
from mooring.domain.work.live_copy_errors import SourceNewer, SourceOutOfReach

__all__ = ["BUILD", "BUILD_FILES", "LET_IN", "UPDATE", "code_of", "plan_refresh"]

UPDATE = "update-copy"


def plan_refresh(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    source: Subject,
    *,
    kind: OperationType = OperationType.REFRESH,
    admin_user: str,
    replicas: tuple[tuple[str, int], ...],
    base_url: str | None = None,
    skip_files: bool = False,
    free_bytes: int | None = None,
) -> Plan:
    """Give `subject` a neutral copy of what `source` holds now.

    Args:
        operation: the operation's document.
        operation_id: its id: what is built and what is replaced carry it.
        source: the instance that is copied, as it was when the operation was accepted.
        kind: of the operation: a refresh, or a restore from an instance.
        admin_user: role that may create databases.
        replicas: what has to be ready at the end.
        base_url: where users reach the instance, as far as it was seen.
        skip_files: no file is copied; the instance goes on with those that it has.
        free_bytes: where the server keeps its data; None where nobody knows.

    Raises:
        SourceNewer: the source's Odoo is of another series.
        SourceOutOfReach: the source is in another namespace, or on a server that a task here cannot reach as well.
    """
    _check(subject, source)
    aside = Aside(
        operation, operation_id, subject, admin_user, source.ref.name, f"it becomes a copy of {source.ref.name}"
    )
    built = aside.built
    database = copy_database_task(
        subject,
        aside.stem(BUILD),
        source,
        admin=aside.admin,
        fence=aside.fence,
        scratch=SCRATCH,
        deadline=BUILD_DEADLINE,
        free_bytes=free_bytes,
    )
    files = copy_files_task(
        subject,
        aside.stem(BUILD_FILES),
        source,
        fence=aside.fence,
        owner=owner_connection(subject),
        skip=skip_files,
        deadline=BUILD_DEADLINE,
    )
    neutral = neutral_steps(operation, operation_id, built, role="building", base_url=base_url)
    steps = (
        aside.build_database(
            f"What {source.ref.name} holds now is copied; it goes on working, and so does this.", database
        ),
        *neutral,
        aside.build_filestore("The files that the copy names are put beside the present ones.", files),
    )
    if code_of(subject) == code_of(source):
        return aside.plan(kind, steps, replicas=replicas, takes=(NOT_BELOW,))
    update = update_steps(
        aside,
        neutral,
        name=UPDATE,
        reason=f"{source.ref.name} runs {source.release.release.source}: Odoo updates what differs in "
        f"{subject.release.release.source}.",
    )
    return store_after(aside.plan(kind, (*steps, *update), replicas=replicas, takes=(NOT_BELOW,)), aside)


def code_of(subject: Subject) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """What decides whether a copy has to be updated: the release, and the custom add-ons."""
    folders = tuple(folder.digest for folder in subject.folders)
    return subject.release.release.digest, folders, subject.addon_volumes


def _check(subject: Subject, source: Subject) -> None:
    if source.ref.namespace != subject.ref.namespace:
        raise SourceOutOfReach(f"{source.ref} is in another namespace than {subject.ref}: its data is not handed out.")
    theirs, ours = source.release.facts.series, subject.release.facts.series
    if theirs != ours:
        raise SourceNewer(f"{source.ref} is Odoo {theirs}, and {subject.ref} has a release of Odoo {ours}.")
