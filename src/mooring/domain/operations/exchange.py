# SPDX-License-Identifier: Apache-2.0
"""Two pairs of database and filestore change places under a hold: the shape that restores and rollbacks share. Pure.

Each half has its way back, so that a failure between the two leaves the pair of before. Called by the plans of operations
that put other data in an instance's place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import admin_connection, admin_task, filestore_task, task_stem
from mooring.domain.model.identity import Ref
from mooring.domain.operations.plan import Gone, Hold, Note, OperationType, Plan, Ready, RunTask, Step
from mooring.domain.work.common import Fence
from mooring.domain.work.restore import BackAs, DatabaseSwap, FilestoreSwap, Take

MARK = "mark"
ROLES = ("web", "cron")
READY_DEADLINE = timedelta(minutes=15)


@dataclass(frozen=True)
class Half:
    """One half of an exchange: the database's or the filestore's.

    Attributes:
        name: of the step.
        reason: why it is done.
        task: puts the other one in place and keeps what was there.
        back: name of the step that takes it back.
        back_reason: why that is done.
        back_task: puts back what was there.
    """

    name: str
    reason: str
    task: RunTask
    back: str
    back_reason: str
    back_task: RunTask

    def step(self, hold: Hold) -> Step:
        """The step with its undo, both under `hold`."""
        undo = Step(self.back, self.back_reason, self.back_task, hold, attempts=3)
        return Step(self.name, self.reason, self.task, hold, undo=undo, attempts=3)


@dataclass(frozen=True)
class Swaps:
    """Makes the tasks that exchange one instance's data.

    Attributes:
        operation: the operation's document.
        admin_user: role that may rename databases.
    """

    operation: Ref
    subject: Subject
    admin_user: str

    def database(
        self,
        step: str,
        fence: Fence,
        *,
        take: Take = "building",
        replaced_by: str | None = None,
        back_as: BackAs | None = None,
        back_of: str | None = None,
    ) -> RunTask:
        """The task `database-swap`; the arguments are the document's."""
        document = DatabaseSwap(
            connection=admin_connection(self.subject, self.admin_user),
            **self._both(fence, take, replaced_by, back_as, back_of),
        )
        return admin_task(self.subject, task_stem(self.operation, step), document)

    def filestore(
        self,
        step: str,
        fence: Fence,
        *,
        take: Take = "building",
        replaced_by: str | None = None,
        back_as: BackAs | None = None,
        back_of: str | None = None,
    ) -> RunTask:
        """The task `filestore-swap`; the arguments are the document's."""
        document = FilestoreSwap(data_dir=DATA_DIR, **self._both(fence, take, replaced_by, back_as, back_of))
        return filestore_task(self.subject, task_stem(self.operation, step), document)

    def _both(
        self, fence: Fence, take: Take, replaced_by: str | None, back_as: BackAs | None, back_of: str | None
    ) -> Mapping[str, Any]:
        return {
            "fence": fence,
            "instance": self.subject.identity.instance,
            "database": self.subject.database,
            "take": take,
            "replaced_by": replaced_by,
            "back_as": back_as,
            "back_of": back_of,
        }


def back_fence(operation_id: str) -> Fence:
    """The fence of what takes an exchange back: one of its own, since it comes after the exchange's last attempt."""
    return Fence(f"{operation_id}-back", 1)


def plan_way_back(
    subject: Subject,
    database: Half,
    filestore: Half,
    *,
    mark_reason: str,
    release: str,
    replicas: tuple[tuple[str, int], ...],
) -> Plan:
    """Return to a pair that was kept, by a person's word; the present pair is kept in its place.

    Args:
        mark_reason: of the step from which on nothing is taken back.
        release: digest of the release that the pair belongs to.
        replicas: what has to be ready at the end: ((role, count), …).
    """
    hold = Hold(web=True, cron=True, release=subject.release.release.digest, reason="it returns to what was before")
    return Plan(
        OperationType.ROLLBACK,
        (
            Step("stop", "Nothing may write while data is exchanged.", Gone(ROLES), hold),
            database.step(hold),
            filestore.step(hold),
            Step(MARK, mark_reason, Note(), hold),
            Step("start", "Every replica answers.", Ready(replicas), Hold(release=release), deadline=READY_DEADLINE),
        ),
        point_of_no_return=MARK,
    )
