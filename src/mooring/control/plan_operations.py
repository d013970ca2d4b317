# SPDX-License-Identifier: Apache-2.0
"""Which operations would begin, one after another, if each succeeded: asked of the rules that begin them.

Pure apart from the clock of `services`. Called by `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mooring.api.enums import UpgradeModules
from mooring.control.services import Services
from mooring.control.work import Work, is_rotated, place_of_work
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.snapshot import take_snapshot
from mooring.domain.lifecycle import Snapshot, next_state, output
from mooring.domain.model.observed import Observed
from mooring.domain.operations.choose import Asked, Begin, Create, Refuse, decide_next
from mooring.domain.operations.plan import OperationType

# The digest of a release that was not looked up: another one than all that are known.
NOT_LOOKED_UP = "not looked up"
MAX_OPERATIONS = 20
CONSEQUENCES = {
    OperationType.UPGRADE: "downtime",
    OperationType.ROLLBACK: "data",
    OperationType.STOP: "downtime",
    OperationType.RESTART: "restart",
}


@dataclass(frozen=True)
class PlannedOperation:
    """An operation that would begin, and what it means for users."""

    type: str
    reason: str
    consequence: str


def plan_operations(services: Services, work: Work, seen: Observed) -> tuple[PlannedOperation, ...]:
    """The operations in their order.

    Args:
        work: the instance as its record would be; `subject` is None while nothing is known of its release, `pinned` while
            the release that it names was not looked up.
    """
    ledger, rotated = work.ledger, is_rotated(work)
    place = place_of_work(work) or work.ledger.provisioned or "somewhere"
    wanted = work.pinned.release.digest if work.pinned is not None else NOT_LOOKED_UP
    waiting = [Asked(one.doc.ref.name, one.type, one.due(services.clock.now())) for one in work.waiting]
    intact = _snapshot(work, ledger, seen, place).data_present
    planned: list[PlannedOperation] = []
    for one in work.running:
        if not one.stuck:
            reason = f"{one.doc.ref.name} is in progress, and goes on"
            planned.append(PlannedOperation(one.type.value, reason, CONSEQUENCES.get(one.type, "none")))
            ledger = _after(ledger, one.type, place=place, wanted=wanted)
    while len(planned) < MAX_OPERATIONS:
        choice = decide_next(
            ledger=ledger,
            output=output(next_state(ledger.state, _snapshot(work, ledger, seen, place))),
            running=(),
            stuck=any(one.stuck for one in work.running),
            waiting=waiting,
            place=place,
            rotated=rotated,
            provisionable=True,
            wanted=wanted,
            auto_upgrade=work.spec.auto_upgrade.enabled,
            generation=work.doc.generation,
            intact=intact,
            copies=work.spec.staging_of is not None,
        )
        if choice is None:
            break
        if not isinstance(choice, Create):
            waiting = [one for one in waiting if one != choice.asked]
        if isinstance(choice, Refuse):
            continue
        kind = choice.asked.type if isinstance(choice, Begin) else choice.type
        asked = f"{choice.asked.key} was asked for" if isinstance(choice, Begin) else ""
        reason = asked or _reason(services, work, kind, ledger)
        planned.append(PlannedOperation(kind.value, reason, CONSEQUENCES.get(kind, "none")))
        rotated = rotated and kind is not OperationType.PROVISION
        ledger = _after(ledger, kind, place=place, wanted=wanted)
    return tuple(planned)


def _snapshot(work: Work, ledger: Ledger, seen: Observed, place: str) -> Snapshot:
    return take_snapshot(
        work.spec,
        ledger,
        seen,
        generation=work.doc.generation,
        deleting=False,
        server_ready=True,
        provisioned=ledger.provisioned == place,
        pending=False,
    )


def _after(ledger: Ledger, kind: OperationType, *, place: str, wanted: str) -> Ledger:
    match kind:
        case OperationType.PROVISION:
            return replace(ledger, provisioned=place)
        case OperationType.INIT | OperationType.REFRESH:
            return replace(ledger, initialized=True, runs=wanted)
        case OperationType.UPGRADE:
            return replace(ledger, runs=wanted)
        case OperationType.ROLLBACK:
            return replace(ledger, previous=None)
        case _:
            return ledger


def _reason(services: Services, work: Work, kind: OperationType, ledger: Ledger) -> str:
    wanted = work.spec.image or services.defaults.image
    match kind:
        case OperationType.PROVISION if ledger.initialized:
            return "the password of its role changed"
        case OperationType.PROVISION:
            return "role and database are made"
        case OperationType.REFRESH if work.spec.staging_of is not None:
            return f"it becomes a copy of {work.spec.staging_of.name}"
        case OperationType.INIT:
            return f"Odoo installs {', '.join(work.spec.init.modules)}"
        case OperationType.UPGRADE:
            runs = ledger.release(ledger.runs)
            before = runs.release.source if runs is not None else "what runs"
            again = " (its name stands for another image now)" if before == wanted else ""
            what = "all" if work.spec.auto_upgrade.modules is UpgradeModules.ALL else "of what changed"
            return f"{before} becomes {wanted}{again}, -u {what}"
        case _:
            return "the state of the instance asks for it"
