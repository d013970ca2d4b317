# SPDX-License-Identifier: Apache-2.0
"""What an operation is made of: steps, each with its reason, its hold and its undo.

A plan is a value. It is made once from what was known when the operation was accepted, is the same when it is made again
after a kill, and `advance` leads through it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from mooring.domain.model.desired import File
from mooring.domain.model.identity import Ref
from mooring.domain.server.desired import ServerSubject
from mooring.domain.task import DOCUMENT_PATH, TaskSpec
from mooring.domain.work.codec import Document


class OperationType(StrEnum):
    """Every bounded change of an instance's data, release or running."""

    PROVISION = "Provision"
    INIT = "Init"
    UPGRADE = "Upgrade"
    BACKUP = "Backup"
    RESTORE = "Restore"
    REFRESH = "Refresh"
    MIGRATE = "Migrate"
    STOP = "Stop"
    START = "Start"
    RESTART = "Restart"
    ROLLBACK = "Rollback"
    PROMOTE = "Promote"
    RELEASE_HOLD = "ReleaseHold"
    VERIFY = "Verify"
    NEUTRALIZE = "Neutralize"
    DEPLOY = "Deploy"
    EXPIRE = "Expire"
    DELETE = "Delete"


PHASES: dict[OperationType, str] = {
    OperationType.PROVISION: "Provisioning",
    OperationType.INIT: "Initializing",
    OperationType.UPGRADE: "Upgrading",
    OperationType.BACKUP: "BackingUp",
    OperationType.RESTORE: "Restoring",
    OperationType.REFRESH: "Refreshing",
    OperationType.MIGRATE: "Migrating",
    OperationType.STOP: "Stopping",
    OperationType.START: "Starting",
    OperationType.RESTART: "Restarting",
    OperationType.ROLLBACK: "RollingBack",
    OperationType.PROMOTE: "Promoting",
    OperationType.RELEASE_HOLD: "ReleasingHold",
    OperationType.VERIFY: "Verifying",
    OperationType.NEUTRALIZE: "Neutralizing",
    OperationType.DEPLOY: "Deploying",
    OperationType.EXPIRE: "Expiring",
    OperationType.DELETE: "Deleting",
}


@dataclass(frozen=True)
class Hold:
    """What an operation in progress forbids.

    Attributes:
        web: web replicas are kept away.
        cron: cron replicas are kept away.
        release: digest of the release that has to run meanwhile; empty leaves it to the spec.
        reason: for people.
    """

    web: bool = False
    cron: bool = False
    release: str = ""
    reason: str = ""

    def __bool__(self) -> bool:
        return self.web or self.cron or bool(self.release)


NO_HOLD = Hold()
NO_RESULTS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Take:
    """A field of a task's document that an earlier step's result decides.

    Attributes:
        field: path in the document, camelCase.
        step: the earlier step.
        key: of its result; empty takes the whole result.
    """

    field: tuple[str, ...]
    step: str
    key: str = ""


@dataclass(frozen=True)
class Option:
    """An option of a command whose words an earlier step's result decides; left out where there are none.

    Attributes:
        name: such as `--update`.
        step: the earlier step.
        key: of its result; a list of words, written behind one another with commas.
    """

    name: str
    step: str
    key: str


@dataclass(frozen=True)
class RunTask:
    """Run a task to its end.

    Attributes:
        task: everything but the attempt; `task.name` is a stem.
        document: what it reads, without its attempt; None for a task that reads none.
        takes: fields of the document that earlier steps decide.
        options: the end of its command that earlier steps decide.
    """

    task: TaskSpec
    document: Document | None = None
    takes: tuple[Take, ...] = ()
    options: tuple[Option, ...] = ()

    def name(self, number: int) -> str:
        """The name of this attempt's task."""
        return f"{self.task.name}-{number}"

    def attempt(self, number: int, results: Mapping[str, Any] = NO_RESULTS) -> TaskSpec:
        """The task of this attempt: its own name, and a fence that refuses those before it.

        Args:
            results: what the steps that are done gave, by their names.

        Raises:
            KeyError: a step that it takes from gave no such result.
        """
        given = ((option.name, results[option.step][option.key]) for option in self.options)
        argv = (*self.task.argv, *(f"{name}={','.join(map(str, words))}" for name, words in given if words))
        task = replace(self.task, name=self.name(number), fence=number, argv=argv)
        if self.document is None:
            return task
        value = self.document.to_json()
        for take in self.takes:
            inner = value
            for part in take.field[:-1]:
                inner = inner[part]
            found = results[take.step]
            inner[take.field[-1]] = found[take.key] if take.key else found
        if "fence" in value:
            value["fence"]["attempt"] = number
        text = json.dumps(value, sort_keys=True)
        uid, gid = task.user
        return replace(task, files=(*task.files, File(DOCUMENT_PATH, (text,), uid=uid, gid=gid)))


@dataclass(frozen=True)
class Gone:
    """Wait until no process of these roles is left; read live, after the hold was converged."""

    roles: tuple[str, ...]


@dataclass(frozen=True)
class Ready:
    """Wait until these many replicas of each role, as they are wanted now, answer: ((role, replicas), …)."""

    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RemoveVolumes:
    """Delete the owner's volumes. The last step of a purge."""


@dataclass(frozen=True)
class ScratchServer:
    """Have this server, which the operation alone knows, and wait until it answers. Later tasks find it so again."""

    server: ServerSubject


@dataclass(frozen=True)
class ScratchGone:
    """Remove a scratch server, the place beside it, their volumes and their secret; what is gone is gone."""

    server: ServerSubject
    place: Ref


@dataclass(frozen=True)
class Note:
    """Nothing to do outside: the record itself is the effect; control acts on its name."""


Action = RunTask | Gone | Ready | RemoveVolumes | Note | ScratchServer | ScratchGone


@dataclass(frozen=True)
class When:
    """Whether a step is carried out at all: only where an earlier step's result has something under a key.

    Attributes:
        step: the earlier step; never one that may be left out itself.
        key: of its result.
    """

    step: str
    key: str

    def left_out(self, results: Mapping[str, Any]) -> bool:
        """Whether it is known that the step is not carried out; `results` are those of the steps that are done."""
        if self.step not in results:
            return False
        found = results[self.step]
        return not (isinstance(found, Mapping) and found.get(self.key))


@dataclass(frozen=True)
class Step:
    """The smallest resumable part of an operation.

    Attributes:
        name: unique in its plan, kebab-case.
        reason: why it is done, for people.
        action: what is done.
        hold: in force from this step's intention until a later step's.
        undo: what takes it back; None when there is nothing to take back.
        attempts: how often a failed task may be tried.
        deadline: for barriers; a task has its own.
        after_success: of a cleanup: left out where the operation failed.
        when: left out where this says so; None is always carried out.
    """

    name: str
    reason: str
    action: Action
    hold: Hold = NO_HOLD
    undo: Step | None = None
    attempts: int = 1
    deadline: timedelta = timedelta(minutes=10)
    after_success: bool = False
    when: When | None = None


@dataclass(frozen=True)
class Plan:
    """Steps in order.

    Attributes:
        cleanup: steps that run after success or after a completed undo; their failure is reported, and does not change
            the outcome.
        point_of_no_return: name of the step whose record as done forbids undo: users were let in.
    """

    type: OperationType
    steps: tuple[Step, ...]
    cleanup: tuple[Step, ...] = ()
    point_of_no_return: str | None = None
