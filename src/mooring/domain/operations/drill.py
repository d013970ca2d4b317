# SPDX-License-Identifier: Apache-2.0
"""A drill: a snapshot is restored on a scratch server of its own, neutralized, compared, tried, and all of it removed. Pure.

The scratch server is a managed PostgreSQL under a place of the operation's own, with a volume of its own; so is the restored
filestore. Nothing of it touches the instance, its server or its volumes: it is planned as a restore into another instance,
which only this plan knows. Called by `build`, as the second half of Verify with `restore`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mooring.api.common import ManagedPostgres
from mooring.api.enums import Environment, RestoreMode
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.instance.subject import ServerAccess, Subject
from mooring.domain.instance.verified import VERIFY
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.operations.aside import BUILD
from mooring.domain.operations.journal import StepRecord
from mooring.domain.operations.plan import NO_HOLD, OperationType, Plan, RunTask, ScratchGone, ScratchServer, Step, Take
from mooring.domain.operations.provision import plan_provision
from mooring.domain.operations.restore import plan_restore
from mooring.domain.operations.verify import verify_step
from mooring.domain.postgres.bootstrap import SUPERUSER
from mooring.domain.server.desired import ServerSubject, server_host
from mooring.domain.work.restore import SnapshotChoice

PLACE, SERVER = "Drill", "DrillServer"
SERVE, REMOVE = "serve-scratch", "remove-scratch"
PROBE = "probe"
CONNECTIONS = 100
SERVE_DEADLINE = timedelta(minutes=15)
REMOVE_DEADLINE = timedelta(minutes=15)


@dataclass(frozen=True)
class Scratch:
    """What a scratch server is made of: an image of PostgreSQL, its major, and (uid, gid) of the image's `postgres`."""

    image: ResolvedRelease
    major: int
    user: tuple[int, int]


def dump_scratch(scratch: Scratch) -> dict[str, Any]:
    """JSON of it."""
    image = {"source": scratch.image.source, "reference": scratch.image.reference, "digest": scratch.image.digest}
    return {"image": image, "major": scratch.major, "user": list(scratch.user)}


def load_scratch(value: Mapping[str, Any]) -> Scratch:
    """What `dump_scratch` wrote."""
    uid, gid = value["user"]
    return Scratch(ResolvedRelease(**value["image"]), int(value["major"]), (int(uid), int(gid)))


def scratch_server(operation: Ref, operation_id: str, subject: Subject, scratch: Scratch) -> ServerSubject:
    """The server of a drill; its superuser's password is one that only the drill has."""
    return ServerSubject(
        ref=replace(operation, kind=SERVER),
        identity=Identity(subject.identity.installation, operation_id),
        spec=ManagedPostgres(version=scratch.major),
        image=scratch.image,
        user=scratch.user,
        password=SecretKey(_secret(operation), "password"),
    )


def scratch_subject(operation: Ref, operation_id: str, subject: Subject) -> Subject:
    """The instance as it would be, were it on the scratch server under a place of the drill's."""
    identity, secret = Identity(subject.identity.installation, operation_id), _secret(operation)
    where = replace(operation, kind=SERVER)
    return replace(
        subject,
        ref=replace(operation, kind=PLACE),
        identity=identity,
        environment=Environment.PRODUCTION.value,  # no mail sink stands beside it; the steps neutralize all the same
        server=ServerAccess(
            ref=where,
            identity=identity,
            host=server_host(where),
            admin=secret,
            max_connections=CONNECTIONS,
            sslmode="disable",
        ),
        owner_secret=secret,
    )


def plan_drill(
    operation: Ref,
    operation_id: str,
    subject: Subject,
    repository: RepositoryAccess,
    scratch: Scratch,
    *,
    snapshot: str,
    read_percent: int,
    free_bytes: int | None,
) -> Plan:
    """Verify where it lies, then restore aside.

    Args:
        operation: the operation's document.
        operation_id: its id: what is made for the drill carries it.
        subject: the instance whose snapshot it is.
        scratch: what the server is made of.
        snapshot: its id, or `latest`.
        read_percent: share of its content that is read where it lies, before.
        free_bytes: where data is kept; None where nobody knows.
    """
    ours, server = subject.identity.instance, scratch_server(operation, operation_id, subject, scratch)
    source = SnapshotChoice(instance=ours, namespace=subject.ref.namespace, snapshot=snapshot)
    trial = scratch_subject(operation, operation_id, subject)
    place = plan_provision(operation, operation_id, trial, SUPERUSER, adopt=False)
    restore = plan_restore(
        operation,
        operation_id,
        trial,
        repository,
        snapshot=snapshot,
        snapshot_of=ours,
        mode=RestoreMode.COPY,
        admin_user=SUPERUSER,
        replicas=(),
        free_bytes=free_bytes,
    )
    names = [step.name for step in restore.steps]
    made = (*place.steps, *restore.steps[: names.index(PROBE) + 1])
    gone = ScratchGone(server, trial.ref)
    return Plan(
        OperationType.VERIFY,
        (
            verify_step(operation, subject, repository, source, read_percent=read_percent),
            Step(
                SERVE,
                "A PostgreSQL server for this drill alone, which nothing else knows.",
                ScratchServer(server),
                undo=Step("remove-scratch", "Nothing of a drill stays.", gone, deadline=REMOVE_DEADLINE, attempts=3),
                deadline=SERVE_DEADLINE,
            ),
            *(_within(step) for step in made),
            Step(REMOVE, "Nothing of a drill stays.", gone, deadline=REMOVE_DEADLINE),
        ),
    )


def recovery_seconds(log: Sequence[StepRecord]) -> int:
    """How long the restore took, from its first step to the page that it served; 0 where it did not come so far."""
    begun = _first(log, BUILD)
    served = next((one.at for one in reversed(log) if one.step == PROBE and one.state == "done"), None)
    return 0 if begun is None or served is None else max(1, round((served - begun).total_seconds()))


def _first(log: Sequence[StepRecord], step: str) -> datetime | None:
    return next((one.at for one in reversed(log) if one.step == step and one.state == "intended"), None)


def _within(step: Step) -> Step:
    """The step on the scratch: it holds nobody back, and its undo is that the whole scratch goes."""
    action = step.action
    if step.name == BUILD and isinstance(action, RunTask):
        action = replace(action, takes=(*action.takes, Take(("source", "snapshot"), VERIFY, "snapshot")))
    return replace(step, action=action, hold=NO_HOLD, undo=None, attempts=max(step.attempts, 3))


def _secret(operation: Ref) -> SecretRef:
    return SecretRef(operation.namespace, f"{operation.name}-drill")
