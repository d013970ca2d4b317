# SPDX-License-Identifier: Apache-2.0
"""Finds the archive that an operation reads or writes, with the slots of its secrets. Touches nothing. Called by `begin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mooring.api.jobs import BackupDestination, RestoreSource
from mooring.control.repositories import credential_keys, find_slot
from mooring.control.servers import secret_ref
from mooring.control.services import Services
from mooring.domain.instance.archive import ArchiveAccess
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.operations.plan import OperationType


async def find_archive(
    services: Services, namespace: str, kind: OperationType, spec: Mapping[str, Any]
) -> ArchiveAccess | None:
    """The archive that an operation names; None where it names none.

    Args:
        namespace: of the instance; its secrets are there.
        spec: the operation's, camelCase.

    Raises:
        MissingSecret, EmptySecret: a secret that it names is not there.
    """
    if kind is OperationType.BACKUP and "destination" in spec:
        place = BackupDestination.model_validate(spec["destination"])
        keys = await _credentials(services, namespace, place)
        return ArchiveAccess(place.url, place.endpoint, keys)
    if kind is not OperationType.RESTORE:
        return None
    source = RestoreSource.model_validate(spec["source"])
    if source.odoo is not None:
        given = source.odoo.master_password_secret_ref
        ref = SecretRef(namespace, f"file:{given.file}" if given.file is not None else given.name or "")
        password = await find_slot(services, ref, "value" if given.file is not None else given.key or "")
        return ArchiveAccess(source.odoo.url, database=source.odoo.database, password=password)
    if source.url is not None:
        keys = await _credentials(services, namespace, source)
        return ArchiveAccess(source.url, source.endpoint, keys, filestore=source.filestore)
    return None


async def _credentials(
    services: Services, namespace: str, given: BackupDestination | RestoreSource
) -> tuple[SecretKey, ...]:
    if given.credentials_secret_ref is None:
        return ()
    ref = secret_ref(namespace, given.credentials_secret_ref)
    return tuple([await find_slot(services, ref, key) for key in credential_keys(given.url or "")])
