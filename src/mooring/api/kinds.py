# SPDX-License-Identifier: Apache-2.0
"""All kinds that can be written, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mooring.api.instance import OdooInstance
from mooring.api.jobs import OdooBackupJob, OdooInitJob, OdooRestoreJob, OdooStagingRefreshJob, OdooUpgradeJob
from mooring.api.meta import Resource
from mooring.api.operation import OdooOperation
from mooring.api.repository import BackupRepository
from mooring.api.server import DatabaseServer

Manifest = (
    OdooInstance
    | DatabaseServer
    | BackupRepository
    | OdooInitJob
    | OdooUpgradeJob
    | OdooBackupJob
    | OdooRestoreJob
    | OdooStagingRefreshJob
    | OdooOperation
)

KINDS: Mapping[str, type[Resource]] = MappingProxyType(
    {
        "OdooInstance": OdooInstance,
        "DatabaseServer": DatabaseServer,
        "BackupRepository": BackupRepository,
        "OdooInitJob": OdooInitJob,
        "OdooUpgradeJob": OdooUpgradeJob,
        "OdooBackupJob": OdooBackupJob,
        "OdooRestoreJob": OdooRestoreJob,
        "OdooStagingRefreshJob": OdooStagingRefreshJob,
        "OdooOperation": OdooOperation,
    }
)

OPERATIONS: frozenset[str] = frozenset(KINDS) - {"OdooInstance", "DatabaseServer", "BackupRepository"}
"""The kinds that are one operation each."""
