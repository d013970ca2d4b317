# SPDX-License-Identifier: Apache-2.0
"""How the ledger changes when an operation's step is done, or the operation is over. Pure, and safe to apply twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mooring.api.enums import Environment
from mooring.domain.instance.data_outcome import backed_up, let_in, not_to_return, returned
from mooring.domain.instance.health import Watch
from mooring.domain.instance.kept import forget_kept
from mooring.domain.instance.ledger import Ledger, Previous
from mooring.domain.instance.module_tasks import HASH, TOUCHED
from mooring.domain.instance.refreshed import refreshed
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.instance.verified import verified
from mooring.domain.operations.accepted import Accepted
from mooring.domain.operations.backup import BACK_UP
from mooring.domain.operations.drill import recovery_seconds
from mooring.domain.operations.exchange import MARK
from mooring.domain.operations.expire import FORGET
from mooring.domain.operations.init import SERVE
from mooring.domain.operations.journal import StepRecord
from mooring.domain.operations.moves import Finished
from mooring.domain.operations.plan import OperationType
from mooring.domain.operations.provision import PROVISION
from mooring.domain.operations.restore import LET_IN
from mooring.domain.operations.upgrade import COPIES, START, SWITCH
from mooring.domain.work.errors import NoRoomLeft

LATCHING = frozenset({OperationType.INIT, OperationType.UPGRADE})


def note_done(ledger: Ledger, accepted: Accepted, step: str, *, at: str, log: Sequence[StepRecord] = ()) -> Ledger:
    """The ledger after the step `step` of an operation was done; applied before it is recorded as done.

    Args:
        at: when, RFC 3339.
        log: the operation's journal so far.
    """
    match accepted.type, step:
        case OperationType.UPGRADE, name if name == SWITCH and accepted.to is not None and accepted.subject is not None:
            before = accepted.subject.release.release.digest
            after = accepted.to.release.digest
            moved = replace(ledger, runs=after, previous=Previous(before, accepted.id, data=not _untouched(log)))
            if ledger.wanted_source == accepted.to.release.source:
                moved = replace(moved, wanted=after)  # a name that moved since is not moved back
            return moved.with_release(accepted.to)
        case OperationType.INIT, name if name == SERVE and accepted.subject is not None:
            return replace(ledger, initialized=True, runs=accepted.subject.release.release.digest)
        case OperationType.ROLLBACK, name if name == MARK and accepted.to is not None:
            return returned(ledger, accepted, accepted.to, at=at)
        case OperationType.RESTORE | OperationType.REFRESH, name if name == LET_IN:
            return let_in(ledger, accepted, at=at)
        case OperationType.RELEASE_HOLD, name if name == MARK:
            return replace(ledger, cron_held="", cron_held_since="")
        case OperationType.EXPIRE, name if name == FORGET:
            return not_to_return(ledger, str(accepted.spec["replacedBy"]))
        case OperationType.PROMOTE, name if name == MARK:
            # What an upgrade or a refresh replaced is a copy's: production never returns to it.
            return replace(ledger, environment=Environment.PRODUCTION.value, previous=None)
        case OperationType.STOP, name if name == MARK:
            return replace(ledger, stopped=True)
        case OperationType.START, name if name == MARK:
            return replace(ledger, stopped=False)
        case _:
            return ledger


def _untouched(log: Sequence[StepRecord]) -> bool:
    """Whether an upgrade left the data as it was: no module was to be updated or installed."""
    found = next((one.result for one in reversed(log) if one.step == HASH and one.state == "done"), None)
    return isinstance(found, Mapping) and not found.get(TOUCHED)


def finish(
    ledger: Ledger, accepted: Accepted, outcome: Finished, log: Sequence[StepRecord], *, generation: int
) -> Ledger:
    """The ledger after the operation's end.

    Args:
        generation: of the instance's spec now, for an operation that did not write down its own: a failure is latched for
            the spec that failed, so that one that was corrected meanwhile is tried.
    """
    if outcome.outcome == "stuck" or accepted.id in ledger.done:
        return ledger
    ledger = ledger.finished(accepted.id)
    kind = accepted.type.value
    generation = accepted.generation or generation
    if accepted.type is OperationType.BACKUP and accepted.archive is None:  # an archive elsewhere is no backup of ours
        ledger = backed_up(ledger, log, succeeded=outcome.outcome == "succeeded")
    if accepted.type is OperationType.VERIFY and log and outcome.outcome != "cancelled":
        last = verified(
            ledger.verified,
            log,
            at=rfc3339(log[-1].at),
            spec=accepted.spec,
            succeeded=outcome.outcome == "succeeded",
            error=outcome.error,
            recovery_s=recovery_seconds(log),
        )
        ledger = replace(ledger, verified=last)
    if accepted.type is OperationType.REFRESH and log and outcome.outcome != "cancelled":
        source = accepted.source.ref.name if accepted.source is not None else ""
        fault = None if outcome.outcome == "succeeded" else outcome.error or {}
        ledger = replace(
            ledger, refreshed=refreshed(ledger.refreshed, log, at=rfc3339(log[-1].at), source=source, error=fault)
        )
    taken = [number for number, one in enumerate(log, 1) if one.step == BACK_UP and one.state == "done"]
    if accepted.type is OperationType.UPGRADE and taken:
        ledger = backed_up(ledger, log[: taken[0]], succeeded=True)
    if accepted.type is OperationType.UPGRADE and (watch := _watch(ledger, accepted, outcome, log)) is not None:
        ledger = replace(ledger, watch=watch)
    if outcome.outcome != "succeeded":
        tries = {**ledger.retries, kind: ledger.retries.get(kind, 0) + 1}
        ledger = replace(ledger, retries=tries, previous=_previous(ledger, accepted, log))
        return ledger.latch(kind, generation) if accepted.type in LATCHING else ledger
    ledger = replace(ledger, retries={key: count for key, count in ledger.retries.items() if key != kind})
    match accepted.type:
        case OperationType.PROVISION if accepted.subject is not None:
            return _provisioned(ledger, accepted, log)
        case OperationType.INIT if accepted.subject is not None:
            ran = replace(ledger, initialized=True, runs=accepted.subject.release.release.digest)
            return ran.unlatch("Init")
        case OperationType.EXPIRE:
            return replace(ledger, kept=forget_kept(ledger.kept, str(accepted.spec["replacedBy"])))
        case OperationType.UPGRADE:
            return ledger.unlatch("Upgrade").unlatch("Rollback")
        case OperationType.ROLLBACK:
            # The spec still names the release that was left: it is not taken up again until the spec changes.
            proved_bad = ledger.watch is not None and ledger.watch.returns and bool(ledger.watch.sick)
            ledger = replace(ledger, watch=None)
            if proved_bad:
                return ledger.latch("Upgrade", generation).latch("Rollback", generation)
            return ledger.unlatch("Upgrade").latch("Rollback", generation)
        case _:
            return ledger


def _watch(ledger: Ledger, accepted: Accepted, outcome: Finished, log: Sequence[StepRecord]) -> Watch | None:
    """What is watched after an upgrade that let users into another release, also where that did not come up."""
    subject, previous = accepted.subject, ledger.previous
    entered = any(one.step == START for one in log)
    if not entered or subject is None or previous is None or previous.operation != accepted.id:
        return None
    done = next((one for one in log if one.step == START and one.state == "done"), log[-1])
    rule = subject.spec.auto_upgrade.rollback
    returns = rule.enabled and not previous.data
    sick = "" if outcome.outcome == "succeeded" else str((outcome.error or {}).get("brief", "")) or "it did not come up"
    return Watch(accepted.id, rfc3339(done.at), rfc3339(done.at + rule.window.timedelta), returns, sick.rstrip("."))


def _previous(ledger: Ledger, accepted: Accepted, log: Sequence[StepRecord]) -> Previous | None:
    """What a rollback returns to after a failure: nothing, when the copies of before were dropped to make room."""
    previous = ledger.previous
    if previous is None or accepted.type is not OperationType.UPGRADE or previous.operation == accepted.id:
        return previous
    gone = any(record.step in COPIES and _made_room(record.result) for record in log)
    return None if gone else previous


def _made_room(result: Any) -> bool:
    """Whether the copies of before were dropped, with or without success."""
    return isinstance(result, Mapping) and (bool(result.get("dropped")) or result.get("reason") == NoRoomLeft.reason)


def place_of(accepted: Accepted) -> str:
    """Where the database is: changes only when it moves."""
    subject = accepted.subject
    if subject is None:
        return ""
    server = str(subject.server.ref) if subject.server.ref else f"{subject.server.host}:{subject.server.port}"
    return f"{server}/{subject.database}"


def _provisioned(ledger: Ledger, accepted: Accepted, log: Sequence[StepRecord]) -> Ledger:
    subject = accepted.subject
    if subject is None:
        return ledger
    found: Mapping[str, Any] = next(
        (one.result for one in reversed(log) if one.step == PROVISION and isinstance(one.result, Mapping)), {}
    )
    settled = replace(
        ledger,
        provisioned=place_of(accepted),
        owner_version=subject.key(subject.owner_secret, "password").version,
        database=subject.database,
        environment=subject.environment,
    )
    # Data that comes back was whole enough to run before it was retained.
    whole = found.get("initialized") is True and (bool(settled.runs) or not found.get("pendingModules"))
    if whole and not settled.initialized:
        return replace(settled, initialized=True, runs=subject.release.release.digest)
    return settled
