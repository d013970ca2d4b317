# SPDX-License-Identifier: Apache-2.0
"""What is remembered of an instance's verifications, how it changes when one ends, and what status says of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mooring.domain.operations.journal import StepRecord

SOUND = "Sound"
DAMAGED = "Damaged"
FAILED = "Failed"
# What a failed verification says about the backup itself; everything else says that it could not be carried out.
_DAMAGE = frozenset({"SnapshotDamaged", "ObjectDamaged", "RestoreFailed", "RestoreIncomplete", "NotNeutral"})
VERIFY = "verify-snapshot"


@dataclass(frozen=True)
class Verified:
    """The last verification; times as RFC 3339 text in UTC, empty for never.

    Attributes:
        since: when the schedule was first seen.
        began: when the last one that the schedule asked for began.
        ended: when the last one ended, however it was asked for.
        result: how: `Sound`, `Damaged`, or `Failed` where it could not be carried out.
        snapshot: id of the snapshot that was looked at; empty where none was found.
        scope: how deep it looked: `Structure`, `Data` or `Restore`.
        recovery_s: seconds that the restore of a drill took; 0 without one.
        message: what was wrong; empty where nothing was.
    """

    since: str = ""
    began: str = ""
    ended: str = ""
    result: str = ""
    snapshot: str = ""
    scope: str = ""
    recovery_s: int = 0
    message: str = ""


def verified(
    before: Verified,
    log: Sequence[StepRecord],
    *,
    at: str,
    spec: Mapping[str, Any],
    succeeded: bool,
    error: Mapping[str, str] | None,
    recovery_s: int = 0,
) -> Verified:
    """The memory after a verification's end.

    Args:
        log: its journal.
        at: when it ended, RFC 3339.
        spec: of its document.
        error: what failed, where it did not succeed.
        recovery_s: see `Verified`.
    """
    scope = "Restore" if spec.get("restore") else "Data" if spec.get("readData") else "Structure"
    found = next((one.result for one in reversed(log) if one.step == VERIFY and one.state == "done"), None)
    snapshot = str(found["snapshot"]) if isinstance(found, Mapping) else ""
    fault = error or {}
    result = SOUND if succeeded else DAMAGED if fault.get("reason") in _DAMAGE else FAILED
    message = "" if succeeded else str(fault.get("brief", "")) or "it says no more"
    return replace(
        before, ended=at, result=result, snapshot=snapshot, scope=scope, recovery_s=recovery_s, message=message
    )


def render_last_verify(last: Verified) -> Mapping[str, Any] | None:
    """`status.lastVerify`: {time, result, scope, snapshot, recoverySeconds, message}; None before the first one."""
    if not last.ended:
        return None
    value: dict[str, Any] = {"time": last.ended, "result": last.result, "scope": last.scope}
    rest = {"snapshot": last.snapshot, "recoverySeconds": last.recovery_s, "message": last.message}
    return value | {key: item for key, item in rest.items() if item}
