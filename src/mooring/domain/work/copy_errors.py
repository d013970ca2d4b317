# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a snapshot that is to become another instance's data: MOOR-531 to MOOR-533."""

from __future__ import annotations

from mooring.domain.work.backup_errors import SnapshotUnfit


class SeriesUnfit(SnapshotUnfit):
    """The snapshot is of another series of Odoo than the instance's release."""

    code = "MOOR-531"
    reason = "SeriesUnfit"
    default_resolution = "Give the instance a release of the snapshot's series."


class ServerTooOld(SnapshotUnfit):
    """The snapshot is of a newer PostgreSQL than the server: what it holds may mean nothing there."""

    code = "MOOR-532"
    reason = "ServerTooOld"
    default_resolution = "Restore it on a server of the snapshot's PostgreSQL or a newer one."


class ModeNotSaid(SnapshotUnfit):
    """A snapshot of this very instance was asked for as another's: is it to go on as the real data, or as a copy?"""

    code = "MOOR-533"
    reason = "ModeNotSaid"
    default_resolution = "Leave --from out to bring the instance's own data back, or say --mode copy."
