# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a staging copy's refreshes, how it changes when one ends, and what status says of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mooring.domain.operations.aside import BUILD, BUILD_FILES, LET_IN
from mooring.domain.operations.journal import StepRecord

SUCCEEDED = "Succeeded"
FAILED = "Failed"


@dataclass(frozen=True)
class Refreshed:
    """The last refresh; times as RFC 3339 text in UTC, empty for never.

    Attributes:
        since: when the schedule was first seen.
        began: when the last one that the schedule asked for began.
        ended: when the last one ended, however it was asked for.
        result: how: `Succeeded` or `Failed`.
        source: name of the instance that was copied; empty where it is not known.
        data: of when the data is that is in use: the copy of the last one that succeeded was taken then.
        copied: files that came from the source.
        absent: files that the data names, and that the source did not have.
        message: what was wrong; empty where nothing was.
    """

    since: str = ""
    began: str = ""
    ended: str = ""
    result: str = ""
    source: str = ""
    data: str = ""
    copied: int = 0
    absent: int = 0
    message: str = ""


def refreshed(
    before: Refreshed, log: Sequence[StepRecord], *, at: str, source: str, error: Mapping[str, Any] | None
) -> Refreshed:
    """The memory after a refresh's end.

    Args:
        log: its journal.
        at: when it ended, RFC 3339.
        source: name of the instance that was copied.
        error: what failed; None where nothing did.
    """
    last = replace(before, ended=at, source=source, result=FAILED if error is not None else SUCCEEDED, message="")
    if error is not None:
        last = replace(last, message=str(error.get("brief", "")) or "it says no more")
    if not any(one.step == LET_IN and one.state == "done" for one in log):
        return last
    taken = next((one.at.isoformat() for one in log if one.step == BUILD and one.state == "intended"), at)
    files = next((one.result for one in log if one.step == BUILD_FILES and one.state == "done"), None)
    found = files if isinstance(files, Mapping) else {}
    return replace(last, data=taken, copied=int(found.get("copied", 0)), absent=int(found.get("absent", 0)))


def render_last_refresh(last: Refreshed) -> Mapping[str, Any] | None:
    """`status.lastRefresh`: {time, result, source, data, copied, absent, message}; None before the first one."""
    if not last.ended:
        return None
    value: dict[str, Any] = {"time": last.ended, "result": last.result}
    rest = {
        "source": last.source,
        "data": last.data,
        "copied": last.copied,
        "absent": last.absent,
        "message": last.message,
    }
    return value | {key: item for key, item in rest.items() if item}
