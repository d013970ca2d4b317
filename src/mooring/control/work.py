# SPDX-License-Identifier: Apache-2.0
"""One instance during one pass: what is known of it, and what that means for the target.

`prepare` fills it from documents, secrets, the pinned release and the database server; the rest reads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mooring.api.enums import DeletionPolicy
from mooring.api.instance import OdooInstanceSpec
from mooring.control import operations as ops
from mooring.control.errors import SeriesMismatch
from mooring.control.outcomes import OUTCOME, dump_outcome
from mooring.control.releases import Choice, Pinning, choose_release, learn_release
from mooring.control.runner import REMOVE_OBJECTS
from mooring.control.servers import Access, access
from mooring.control.services import Services, update_status
from mooring.control.subjects import build_subject
from mooring.domain.instance.conditions import Before, Trouble, mark_trouble
from mooring.domain.instance.desired import decide_desired, nothing
from mooring.domain.instance.ledger import Ledger, dump_ledger
from mooring.domain.instance.memory import Memory, dump_memory
from mooring.domain.instance.outcome import place_of
from mooring.domain.instance.snapshot import take_snapshot
from mooring.domain.instance.subject import PinnedRelease, Subject
from mooring.domain.lifecycle import Snapshot, State, output
from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity
from mooring.domain.model.observed import Observed
from mooring.domain.model.secret import version_name
from mooring.domain.operations.accepted import Accepted
from mooring.domain.operations.conflicts import READS
from mooring.domain.operations.plan import Hold, OperationType
from mooring.drivers.documents import Document
from mooring.errors import MooringError, Retry


@dataclass
class Work:
    """The instance during one pass."""

    doc: Document
    spec: OdooInstanceSpec
    ledger: Ledger
    identity: Identity
    operations: Sequence[ops.Operation]
    subject: Subject | None = None
    access: Access | None = None
    pinned: PinnedRelease | None = None
    problem: MooringError | None = None

    @property
    def deleting(self) -> bool:
        """Whether deletion was asked for."""
        return self.doc.deleted_at is not None

    @property
    def purging(self) -> bool:
        """Whether its data goes with it: by a person's word, or by the manifest's."""
        return self.doc.meta.get("purge") is True or self.spec.deletion_policy is DeletionPolicy.DELETE

    @property
    def running(self) -> list[ops.Operation]:
        """Operations in progress, stuck ones included."""
        return [one for one in self.operations if one.phase == "Running"]

    @property
    def waiting(self) -> list[ops.Operation]:
        """Operations that were asked for and have not begun, oldest first."""
        return [one for one in self.operations if one.phase == "Pending"]

    def due(self, services: Services) -> list[ops.Operation]:
        """Those of them whose time has come."""
        now = services.clock.now()
        return [one for one in self.waiting if one.due(now)]


async def prepare(services: Services, work: Work) -> None:
    """Release, server, secrets. A new release that cannot be had does not disturb one that runs."""
    ref = work.doc.ref
    if work.deleting and not work.ledger.provisioned and not work.ledger.releases:
        return
    choice: Choice | MooringError
    try:
        # A person who asks for an upgrade means what the name stands for now.
        fresh = any(one.type is OperationType.UPGRADE for one in work.waiting)
        choice = await choose_release(services, ref, work.spec, work.ledger, fresh=fresh)
    except MooringError as error:
        await _note_release(services, work, error)
        choice = error
    # Asking an image what it is and keeping a server in shape are mostly waiting, and neither needs the other.
    learned, reached = await asyncio.gather(
        _learn(services, work, choice), access(services, ref, work.spec), return_exceptions=True
    )
    if isinstance(learned, MooringError):
        await _note_release(services, work, learned)
    elif isinstance(learned, BaseException):
        raise learned
    else:
        work.ledger, work.pinned = learned.ledger, learned.pinned
    current = work.ledger.release(work.ledger.runs) if work.ledger.runs else work.pinned
    if work.ledger.initialized and current is not None and work.pinned is not None:
        try:
            _check_series(current, work.pinned)
        except SeriesMismatch as error:
            work.problem, work.pinned = error, None
    try:
        if isinstance(reached, BaseException):
            raise reached
        work.access = reached
        if current is not None:
            work.subject = await build_subject(
                services, ref, work.identity, work.spec, work.ledger, current, work.access
            )
    except MooringError as error:
        if work.deleting and not work.purging:
            work.access = work.subject = None  # what cannot be reached is left as it is; its data stays anyhow
            return
        await note_problem(services, work, error)
        raise


async def _learn(services: Services, work: Work, choice: Choice | MooringError) -> Pinning:
    if isinstance(choice, MooringError):
        return Pinning(work.ledger, None)
    return await learn_release(services, work.doc.ref, work.identity, work.spec, work.ledger, choice)


async def _note_release(services: Services, work: Work, error: MooringError) -> None:
    """What is wrong with the wanted release: the end of the pass where none runs yet."""
    if not work.ledger.initialized and not work.deleting:
        await note_problem(services, work, error)
        raise error
    work.problem = error


def _check_series(current: PinnedRelease, wanted: PinnedRelease) -> None:
    if current.facts.series != wanted.facts.series:
        raise SeriesMismatch(
            f"The database is of Odoo {current.facts.series}, and {wanted.release.source} is Odoo "
            f"{wanted.facts.series}: `-u` cannot move it there."
        )


def trouble_of(error: MooringError) -> Trouble:
    """An error as the conditions tell it."""
    return Trouble(error.reason, f"{error.brief} {error.resolution}", error.retry is Retry.NEVER)


async def note_problem(services: Services, work: Work, error: MooringError) -> None:
    """Let status say what keeps the pass from going on."""

    def change(status: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            **status,
            "phase": status.get("phase", State.PROVISIONING.value),
            "problem": error.to_json(),
            OUTCOME: dump_outcome(generation=work.doc.generation, settled=error.retry is Retry.NEVER, error=error),
            "ledger": dump_ledger(work.ledger),
            "observedGeneration": work.doc.generation,
            "conditions": mark_trouble(
                trouble_of(error),
                Before(status.get("conditions", ()), work.doc.generation, services.clock.now()),
            ),
        }

    work.doc = await update_status(services, work.doc, change)


def snapshot_of(work: Work, seen: Observed, *, pending: bool) -> Snapshot:
    """What the lifecycle reads."""
    place = place_of_work(work)
    return take_snapshot(
        work.spec,
        work.ledger,
        seen,
        generation=work.doc.generation,
        deleting=work.deleting,
        server_ready=work.access is not None and work.access.ready,
        provisioned=bool(place) and work.ledger.provisioned == place,
        pending=pending,
    )


def place_of_work(work: Work) -> str:
    """Where the instance's database is to be; empty while that is not known."""
    if work.subject is None:
        return ""
    return place_of(Accepted(work.doc.ref, "", OperationType.PROVISION, {}, work.subject))


def is_rotated(work: Work) -> bool:
    """Whether the owner's password was changed here and Mooring is who changes it on the server."""
    subject = work.subject
    if subject is None or subject.server.admin is None or not work.ledger.owner_version:
        return False
    return subject.key(subject.owner_secret, "password").version != work.ledger.owner_version


def is_removal(work: Work) -> bool:
    """Whether a deletion has come to the point where everything but volumes goes."""
    return any(
        record.step == REMOVE_OBJECTS for one in work.running if one.type is OperationType.DELETE for record in one.log
    )


def desired_of(work: Work, *, asked_web: bool, asked_cron: bool, held: Hold) -> Desired | None:
    """What is wanted of the target now; None while too little is known to want anything.

    Args:
        asked_web: the lifecycle asks for web.
        asked_cron: the lifecycle asks for cron.
        held: what operations in progress forbid.
    """
    if work.subject is None:
        return Desired(work.doc.ref, work.identity, network=False) if work.deleting else None
    subject = work.subject
    if held.release and (fixed := work.ledger.release(held.release)) is not None:
        subject = replace(subject, release=fixed)
    if is_rotated(work):
        # Processes that run go on with the password that the server knows; they are rolled once it knows the other.
        name = version_name(subject.owner_secret, "password")
        subject = replace(subject, versions={**subject.versions, name: work.ledger.owner_version})
    asked = replace(output(State.RUNNING), web=asked_web, cron=asked_cron)
    desired = remembered(work, decide_desired(subject, asked, held))
    return nothing(desired) if is_removal(work) else desired


def remembered(work: Work, desired: Desired) -> Desired:
    """The same with what has to outlive the loss of the record."""
    busy = next((f"{one.type} {one.doc.ref.name}" for one in work.running if one.type not in READS), "")
    return replace(desired, memory=dump_memory(Memory(work.ledger, work.doc.generation, busy)))


async def save_ledger(services: Services, work: Work, ledger: Ledger) -> None:
    """Write the ledger now.

    Raises:
        VersionConflict: somebody wrote since the pass began; the next pass starts from that.
    """
    work.ledger = ledger
    work.doc = await update_status(services, work.doc, lambda status: {**status, "ledger": dump_ledger(ledger)})
