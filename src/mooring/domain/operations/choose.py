# SPDX-License-Identifier: Apache-2.0
"""Which operation begins next: one that a person asked for, or one that the state of things asks for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mooring.api.enums import Environment
from mooring.domain.instance.ledger import Ledger
from mooring.domain.lifecycle import Output
from mooring.domain.operations.build import BUILDERS
from mooring.domain.operations.conflicts import Verdict, decide_start
from mooring.domain.operations.plan import OperationType

NEEDS_DATA = frozenset(
    {
        OperationType.UPGRADE,
        OperationType.STOP,
        OperationType.START,
        OperationType.RESTART,
        OperationType.ROLLBACK,
        OperationType.BACKUP,
        OperationType.RELEASE_HOLD,
        OperationType.PROMOTE,
        OperationType.NEUTRALIZE,
        OperationType.VERIFY,
    }
)
# A task that mounts a volume makes it where it is missing: what was lost would look like an empty filestore.
NEEDS_WHOLE_DATA = NEEDS_DATA - {OperationType.STOP, OperationType.VERIFY} | {OperationType.INIT}
# They need no data that is there, only the place for it.
GIVES_DATA = frozenset({OperationType.RESTORE, OperationType.REFRESH})
# Their plans are made from the release; it is not known while the image is being asked what it is.
MAKES_DATA = frozenset({OperationType.PROVISION, OperationType.INIT})
HOLDS_UPGRADE_BACK = (OperationType.UPGRADE, OperationType.ROLLBACK)


@dataclass(frozen=True)
class Asked:
    """An operation that waits: the key of its document, its type, and whether the time it was asked for has come."""

    key: Any
    type: OperationType
    due: bool = True


@dataclass(frozen=True)
class Begin:
    """Begin this one that was asked for."""

    asked: Asked


@dataclass(frozen=True)
class Refuse:
    """End this one that was asked for, with the reason."""

    asked: Asked
    reason: str
    brief: str


@dataclass(frozen=True)
class Create:
    """Make and begin an operation that the state asks for."""

    type: OperationType
    spec: dict[str, Any] = field(default_factory=dict)


Choice = Begin | Refuse | Create | None


def decide_refusal(
    asked: Asked, ledger: Ledger, running: Sequence[OperationType], *, blocked: str = "", intact: bool = True
) -> Refuse | None:
    """Why `asked` cannot be carried out at all, if it cannot; `blocked` and `intact` as for `decide_next`."""
    if asked.type not in BUILDERS:
        return Refuse(asked, "NotSupported", f"{asked.type} is not carried out by this version of Mooring.")
    if (excluded := decide_exclusion(asked, running)) is not None:
        return excluded
    if asked.type in NEEDS_DATA and not ledger.initialized and not running:
        return Refuse(asked, "NotInitialized", f"{asked.type} needs a database that Odoo has initialized.")
    if asked.type is OperationType.ROLLBACK and ledger.previous is None:
        return Refuse(
            asked,
            "NothingToReturnTo",
            "There is no earlier release or data to return to. What a restore replaced is there for as long as "
            "spec.backup.keepPrevious says.",
        )
    if asked.type is OperationType.NEUTRALIZE and ledger.environment == Environment.PRODUCTION:
        return Refuse(asked, "ProductionData", "It is a Production instance: its data is what it acts with.")
    if asked.type is OperationType.PROMOTE and ledger.environment == Environment.PRODUCTION:
        return Refuse(asked, "NotStaging", "It is a Production instance already: there is nothing to promote.")
    if asked.type is OperationType.RELEASE_HOLD and not ledger.cron_held:
        return Refuse(asked, "NothingHeld", "Cron is not held back: there is nothing to release.")
    if asked.type is OperationType.INIT and ledger.initialized:
        return Refuse(asked, "AlreadyInitialized", "Odoo is in the database; only an empty one is initialized.")
    if asked.type in NEEDS_WHOLE_DATA and not intact:
        return Refuse(asked, "DataMissing", f"{asked.type} needs the data, and a volume of the instance is gone.")
    if asked.type is OperationType.UPGRADE and blocked:
        return Refuse(asked, "ReleaseNotAvailable", f"Upgrade cannot begin: {blocked}")
    return None


def decide_exclusion(asked: Asked, running: Sequence[OperationType]) -> Refuse | None:
    """Why `asked` cannot be carried out beside or after what runs, if it cannot."""
    if decide_start(running, asked.type) is not Verdict.REFUSE:
        return None
    return Refuse(asked, "OperationExcluded", f"{asked.type} is refused while {', '.join(running)} is in progress.")


def decide_next(
    *,
    ledger: Ledger,
    output: Output,
    running: Sequence[OperationType],
    stuck: bool,
    waiting: Sequence[Asked],
    place: str,
    rotated: bool,
    provisionable: bool,
    wanted: str,
    auto_upgrade: bool,
    generation: int,
    blocked: str = "",
    intact: bool = True,
    deletable: bool = True,
    copies: bool = False,
    scheduled: Create | None = None,
    expired: str = "",
) -> Choice:
    """The next operation, if one is to begin now.

    Args:
        ledger: of the instance.
        output: what the lifecycle's state asks for.
        running: types in progress.
        stuck: an operation could neither end nor be taken back; then nothing but a deletion begins.
        waiting: what was asked for, oldest first.
        place: where the database is to be.
        rotated: the owner role's password is another one than the server knows.
        provisionable: server and release are known and the server answers.
        wanted: digest of the release that the spec names; empty while it is not known.
        auto_upgrade: whether a new release is taken up by itself.
        generation: of the spec: a failure is latched for it.
        blocked: why the release that the spec names cannot be had; empty where nothing is known against it.
        intact: the volumes that the instance had are there.
        deletable: a deletion that failed may be tried again.
        copies: its first data is another instance's, and no empty Odoo's.
        scheduled: what a schedule asks for now.
        expired: id of the operation whose replaced pair was kept long enough; empty where there is none.
    """
    deleting = output.operation == OperationType.DELETE
    if stuck and not deleting:
        return None
    for asked in waiting:
        if deleting:
            return Refuse(asked, "Deleting", f"{asked.type} is refused: the instance is being deleted.")
        if not asked.due:
            continue
        refusal = decide_refusal(asked, ledger, running, blocked=blocked, intact=intact)
        if refusal is not None:
            return refusal
        if asked.type is OperationType.UPGRADE and not wanted:
            break  # the release is still being asked what it is
        if asked.type in MAKES_DATA and not place:
            break  # so it is here: one whose beginning was killed comes before that is known again
        if asked.type in GIVES_DATA and (not place or ledger.provisioned != place):
            break  # its role and server come first; data is not initialized to be replaced
        if decide_start(running, asked.type) is Verdict.PARALLEL:
            return Begin(asked)
        break
    if running:
        return None
    if deleting:
        return Create(OperationType.DELETE) if deletable else None
    if not intact:
        return None
    if provisionable and not ledger.initialized and ledger.provisioned != place:
        return Create(OperationType.PROVISION, {"returning": True} if ledger.runs else {})
    if provisionable and ledger.initialized and rotated and not output.operation:
        return Create(OperationType.PROVISION)
    if output.operation == OperationType.INIT and ledger.provisioned == place and not lacks_restore(ledger):
        return Create(OperationType.REFRESH if copies else OperationType.INIT)
    watch = ledger.watch
    if watch is not None and watch.sick and watch.returns and _leads_back(ledger, watch.operation) and provisionable:
        return Create(OperationType.ROLLBACK)
    latched = is_held_back(ledger, generation)
    if ledger.initialized and wanted and wanted != ledger.runs and auto_upgrade and not latched and provisionable:
        return Create(OperationType.UPGRADE)
    if scheduled is not None and ledger.initialized and provisionable:
        return scheduled
    if expired and provisionable:
        return Create(OperationType.EXPIRE, {"replacedBy": expired})
    return None


def _leads_back(ledger: Ledger, operation: str) -> bool:
    """Whether a rollback would return the release alone from what this upgrade brought."""
    previous = ledger.previous
    return previous is not None and previous.operation == operation and not previous.data


def lacks_restore(ledger: Ledger) -> bool:
    """Whether it was to get its data by a restore or as a copy, and that failed: an empty Odoo would be a surprise."""
    return not ledger.initialized and any(ledger.retries.get(kind.value, 0) > 0 for kind in GIVES_DATA)


def is_held_back(ledger: Ledger, generation: int) -> bool:
    """Whether the release that this spec names is not taken up by itself: it failed, or a person rolled it back."""
    return any(ledger.latched.get(kind.value) == generation for kind in HOLDS_UPGRADE_BACK)
