# SPDX-License-Identifier: Apache-2.0
"""Other data for an instance, built beside its own, tried there, and only then put in its place: the common plan. Pure.

Until the exchange users work on. What was replaced is kept as `previous`. The step `let-in` is the point of no return: from it
on users may write. Called by every operation that gives an instance other data; they differ in the steps that build.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from mooring.domain.instance.conf import WEB_PORT
from mooring.domain.instance.subject import DATA_DIR, Subject
from mooring.domain.instance.tasks import (
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
from mooring.domain.operations.exchange import READY_DEADLINE, ROLES, Half, Swaps, back_fence
from mooring.domain.operations.plan import Gone, Hold, Note, OperationType, Plan, Ready, RunTask, Step, Take
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.copies import DatabaseDrop
from mooring.domain.work.database import DatabaseVerify
from mooring.domain.work.filestore import FilestoreDrop
from mooring.domain.work.names import beside
from mooring.domain.work.serve_probe import render_odoo_argv, render_probe_argv

BUILD = "build-database"
BUILD_FILES = "build-filestore"
LET_IN = "let-in"
PROBE_DEADLINE = timedelta(minutes=10)
BUILD_DEADLINE = timedelta(hours=24)


@dataclass(frozen=True)
class Aside:
    """One operation's work beside an instance's data.

    Attributes:
        operation: the operation's document.
        operation_id: its id: what is built and what is replaced carry it.
        subject: the instance.
        admin_user: role that may create databases.
        source: what it comes from, as in "the snapshot": for people.
        hold_reason: what the instance waits for while its data is exchanged.
    """

    operation: Ref
    operation_id: str
    subject: Subject
    admin_user: str
    source: str
    hold_reason: str

    @property
    def fence(self) -> Fence:
        """Of every task of it."""
        return Fence(self.operation_id, 1)

    @property
    def admin(self) -> Connection:
        """The administrator's connection."""
        return admin_connection(self.subject, self.admin_user)

    @property
    def built(self) -> Subject:
        """The instance as it will be: with the database that is being built."""
        name = beside(self.subject.identity.instance, role="building", operation=self.operation_id)
        return replace(self.subject, database=name)

    @property
    def hold(self) -> Hold:
        """In force while data is exchanged."""
        return Hold(web=True, cron=True, release=self.subject.release.release.digest, reason=self.hold_reason)

    def stem(self, step: str) -> str:
        """The stem of a task's name."""
        return task_stem(self.operation, step)

    def build_database(self, reason: str, action: RunTask, *, deadline: timedelta = BUILD_DEADLINE) -> Step:
        """The step that builds the database; what it leaves is dropped when the operation is taken back."""
        drop = DatabaseDrop(
            connection=self.admin,
            fence=self.fence,
            instance=self.subject.identity.instance,
            roles=("building",),
            operation=self.operation_id,
        )
        undo = admin_task(self.subject, self.stem("drop-built"), drop)
        return Step(
            BUILD,
            reason,
            replace(action, task=replace(action.task, deadline=deadline)),
            undo=Step("drop-built", "What was built is not wanted.", undo, attempts=3),
            attempts=2,
        )

    def build_filestore(self, reason: str, action: RunTask, *, deadline: timedelta = BUILD_DEADLINE) -> Step:
        """The step that builds the filestore; what it leaves is removed when the operation is taken back."""
        drop = FilestoreDrop(
            fence=self.fence,
            instance=self.subject.identity.instance,
            data_dir=DATA_DIR,
            database=self.subject.database,
            roles=("building",),
            operation=self.operation_id,
        )
        undo = filestore_task(self.subject, self.stem("drop-built-files"), drop)
        return Step(
            BUILD_FILES,
            reason,
            replace(action, task=replace(action.task, deadline=deadline)),
            undo=Step("drop-built-files", "What was built is not wanted.", undo, attempts=3),
            attempts=2,
        )

    def trial(self, *, takes: tuple[Take, ...] = ()) -> tuple[Step, ...]:
        """What was built is looked at in SQL, and serves a page, before anything is replaced.

        Args:
            takes: what earlier steps say of how it has to be.
        """
        facts = self.subject.release.facts
        verify = DatabaseVerify(
            connection=owner_connection(self.subject),
            database=self.built.database,
            expect=("base",),
            series=facts.series,
        )
        serve = render_odoo_argv(facts.program, CONFIG_PATH, database=self.built.database, port=WEB_PORT)
        probe = render_probe_argv(serve, port=WEB_PORT, deadline_s=int(PROBE_DEADLINE.total_seconds()) - 60)
        return (
            Step(
                "verify",
                "What was built is whole, and of this Odoo.",
                replace(owner_task(self.subject, self.stem("verify"), verify), takes=takes),
            ),
            Step(
                "probe",
                "A page is served from what was built, before anything is replaced.",
                odoo_task(self.built, self.stem("probe"), probe, probe=True, deadline=PROBE_DEADLINE),
            ),
        )

    def exchange(self) -> tuple[Step, ...]:
        """Stop, put what was built in place, keep what was there; both halves can be taken back."""
        swaps = Swaps(self.operation, self.subject, self.admin_user)
        back = back_fence(self.operation_id)
        of = self.operation_id
        database = Half(
            "swap-database",
            f"The database of {self.source} becomes current; the present one is kept.",
            swaps.database("swap-database", self.fence),
            "swap-database-back",
            "The database of before becomes current again.",
            swaps.database("swap-database-back", back, take="previous", replaced_by=of, back_as="building", back_of=of),
        )
        filestore = Half(
            "swap-filestore",
            f"The files of {self.source} become current; the present ones are kept.",
            swaps.filestore("swap-filestore", self.fence),
            "swap-filestore-back",
            "The files of before become current again.",
            swaps.filestore(
                "swap-filestore-back", back, take="previous", replaced_by=of, back_as="building", back_of=of
            ),
        )
        return (
            Step("stop", "Nothing may write while data is exchanged.", Gone(ROLES), self.hold),
            database.step(self.hold),
            filestore.step(self.hold),
        )

    def plan(
        self,
        kind: OperationType,
        built: tuple[Step, ...],
        *,
        replicas: tuple[tuple[str, int], ...],
        takes: tuple[Take, ...] = (),
    ) -> Plan:
        """The whole plan.

        Args:
            kind: the operation's type.
            built: the steps that build, and make of what was built what may be tried.
            replicas: what has to be ready at the end: ((role, count), …).
            takes: as for `trial`.
        """
        web = tuple((role, count) for role, count in replicas if role == "web")  # cron may be held from here on
        return Plan(
            kind,
            steps=(
                *built,
                *self.trial(takes=takes),
                *self.exchange(),
                Step(LET_IN, f"The data is that of {self.source}.", Note(), self.hold),
                Step("start", "Users are let in.", Ready(web), deadline=READY_DEADLINE),
            ),
            point_of_no_return=LET_IN,
        )
