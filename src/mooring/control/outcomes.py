# SPDX-License-Identifier: Apache-2.0
"""What the last pass came to, as it stands in the record: for whoever follows a pass that another process makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mooring.errors import MooringError

OUTCOME = "outcome"


class Recorded(MooringError):
    """An error that another process met and wrote down; it keeps that error's code, reason and exit code."""

    code = "MOOR-618"
    reason = "Recorded"

    def __init__(self, value: Mapping[str, Any]) -> None:
        super().__init__(
            str(value.get("brief", "")),
            details=str(value.get("details", "")),
            resolution=str(value.get("resolution") or "") or None,
        )
        # Attributes of this one error, over those of the class.
        self.__dict__.update(
            code=str(value.get("code", self.code)),
            reason=str(value.get("reason", self.reason)),
            exit_code=int(value.get("exitCode", self.exit_code)),
        )


def dump_outcome(*, generation: int, settled: bool, error: MooringError | None) -> dict[str, Any]:
    """The `outcome` of a status: {generation, settled, error: {…, exitCode} or absent}."""
    value: dict[str, Any] = {"generation": generation, "settled": settled}
    if error is not None:
        value["error"] = {**error.to_json(), "exitCode": error.exit_code}
    return value


def recorded_error(status: Mapping[str, Any]) -> Recorded | None:
    """The error of the last pass, if it ended with one."""
    value = (status.get(OUTCOME) or {}).get("error")
    return None if value is None else Recorded(value)
