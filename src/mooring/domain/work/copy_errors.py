# SPDX-License-Identifier: Apache-2.0
"""Why a snapshot does not become another instance's data, and who is never neutralized: MOOR-531 to MOOR-535."""

from __future__ import annotations

from mooring.domain.work.backup_errors import SnapshotUnfit
from mooring.errors import ConflictError, Retry, UsageError


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
    """A snapshot of this very instance was asked for as another's, and whether it is the real data or a copy was not said."""

    code = "MOOR-533"
    reason = "ModeNotSaid"
    default_resolution = "Leave --from out to bring the instance's own data back, or say --mode copy."


class ProductionData(UsageError):
    """Production's data is not neutralized: its mail, its jobs and its payments would end."""

    code = "MOOR-534"
    reason = "ProductionData"
    retry = Retry.NEVER
    default_resolution = "Name a Staging instance, or restore a copy into another instance: copies are neutral."


class SourceRuns(ConflictError):
    """The instance whose data is to be moved runs here: both would send the same mail and charge the same cards."""

    code = "MOOR-535"
    reason = "SourceRuns"
    retry = Retry.NEVER
    default_resolution = (
        "Stop it with `mooring stop`, for good, then ask again; or leave --mode out for a neutral copy."
    )
