# SPDX-License-Identifier: Apache-2.0
"""What can go wrong where backups are verified, tried and told of: MOOR-560 to MOOR-569."""

from __future__ import annotations

from mooring.errors import FailedError, Retry


class SnapshotDamaged(FailedError):
    """Something of a snapshot, or of what it needs, is missing or is not what was written."""

    code = "MOOR-560"
    reason = "SnapshotDamaged"
    retry = Retry.NEVER
    default_resolution = (
        "Take a backup now: what is damaged is stored anew. `mooring repository check NAME --repair` makes damaged indexes "
        "again, and names the snapshots that stay hurt."
    )


class DrillUnready(FailedError):
    """The scratch database server of a drill does not answer."""

    code = "MOOR-561"
    reason = "DrillUnready"
    default_resolution = "See the end of its log and the free memory and disk, then ask for the drill again."
