# SPDX-License-Identifier: Apache-2.0
"""How the ledger changes when a backup ended or a restore let users in. Pure, and safe to apply twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mooring.domain.instance.backups import COMPLETE, FAILED
from mooring.domain.instance.kept import forget_kept, keep_also
from mooring.domain.instance.ledger import Ledger, Previous
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.instance.subject import PinnedRelease
from mooring.domain.instance.verified import verified
from mooring.domain.operations.accepted import Accepted
from mooring.domain.operations.backup import BACK_UP
from mooring.domain.operations.journal import StepRecord
from mooring.domain.operations.plan import OperationType
from mooring.domain.operations.restore import BUILD
from mooring.errors import MooringError


def backed_up(ledger: Ledger, log: Sequence[StepRecord], *, succeeded: bool) -> Ledger:
    """The ledger after a backup's end; `good` moves with a complete one only."""
    if not log:
        return ledger
    before, ended = ledger.backups, rfc3339(log[-1].at)
    result = _result(log, BACK_UP)
    if not succeeded or result is None:
        return replace(ledger, backups=replace(before, ended=ended, result=FAILED))
    state = str(result["state"])
    good = ended if state == COMPLETE else before.good
    backups = replace(
        before,
        ended=ended,
        result=state,
        snapshot=str(result["snapshot"]),
        good=good,
        external=int(result.get("external", 0)),
    )
    return replace(ledger, backups=backups)


def not_begun(ledger: Ledger, at: str) -> Ledger:
    """The ledger after a backup that the schedule asked for could not even begin, as without its repository."""
    return replace(ledger, backups=replace(ledger.backups, ended=at, result=FAILED))


def not_verified(ledger: Ledger, at: str, spec: Mapping[str, Any], error: MooringError) -> Ledger:
    """The ledger after a verification that could not even begin."""
    last = verified(ledger.verified, (), at=at, spec=spec, succeeded=False, error=error.to_json())
    return replace(ledger, verified=last)


def let_in(ledger: Ledger, accepted: Accepted, *, at: str) -> Ledger:
    """The ledger when the restored data is current: what ran before can be returned to, and cron waits for a person.

    Args:
        at: now, RFC 3339.
    """
    subject = accepted.subject
    if subject is None:
        return ledger
    digest = subject.release.release.digest
    previous: Previous | None = None
    if accepted.initialized:
        previous = Previous(ledger.runs, accepted.id, OperationType.RESTORE, ledger.cron_held, ledger.cron_held_since)
    held = ""
    # A copy is neutral: what it held to be sent was cancelled.
    if subject.environment == "Production" and not accepted.neutral:
        came = accepted.spec["source"].get("snapshot") or "an archive"
        held = f"its data came back from {came}"
    if ledger.previous is not None and ledger.previous.operation == accepted.id:
        previous = ledger.previous
    since = at if held else ""
    kept = keep_also(ledger.kept, accepted.id, at) if accepted.initialized else ledger.kept
    return replace(
        ledger, initialized=True, runs=digest, previous=previous, cron_held=held, cron_held_since=since, kept=kept
    )


def returned(ledger: Ledger, accepted: Accepted, to: PinnedRelease, *, at: str) -> Ledger:
    """The ledger when a rollback's data is current.

    Where production's data went back in time cron waits: back to before an upgrade, or to before a restore whose cron ran
    since. Where it did not run, it is as it was before the restore.

    Args:
        at: now, RFC 3339.
    """
    previous = ledger.previous
    if previous is None or previous.operation != accepted.previous:
        return ledger  # this was written down already
    held, since = previous.cron_held, previous.cron_held_since
    if ledger.environment == "Production" and not held and previous.data:
        if previous.kind is OperationType.UPGRADE:
            held = "its data went back to before the upgrade"
        elif not ledger.cron_held:
            held = "its data went back to before the restore"
        since = at if held else ""
    kept = forget_kept(ledger.kept, previous.operation)
    if previous.data:
        # Returning to an upgrade's copies leaves the pair under the upgrade's name.
        kept = keep_also(kept, previous.operation if previous.kind is OperationType.UPGRADE else accepted.id, at)
    return replace(ledger, runs=to.release.digest, previous=None, cron_held=held, cron_held_since=since, kept=kept)


def not_to_return(ledger: Ledger, replaced_by: str) -> Ledger:
    """The ledger when the pair that `replaced_by` replaced is about to go: nobody returns to half of it."""
    previous = ledger.previous
    return ledger if previous is None or previous.operation != replaced_by else replace(ledger, previous=None)


def restored_from(log: Sequence[StepRecord]) -> str | None:
    """Id of the snapshot that a restore built from, as far as it came; None where it came from an archive."""
    result = _result(log, BUILD)
    return None if result is None or "snapshot" not in result else str(result["snapshot"])


def _result(log: Sequence[StepRecord], step: str) -> Mapping[str, Any] | None:
    found = next((one.result for one in reversed(log) if one.step == step and one.state == "done"), None)
    return found if isinstance(found, Mapping) else None
