# SPDX-License-Identifier: Apache-2.0
"""What control refuses, and what it could not bring about."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, NotFoundError, Retry, UsageError


class UnknownInstance(NotFoundError):
    """There is no such instance."""

    code = "MOOR-600"
    reason = "UnknownInstance"


class UnknownServer(NotFoundError):
    """There is no such database server."""

    code = "MOOR-601"
    reason = "UnknownServer"
    default_resolution = "Apply a DatabaseServer of that name, or leave database.server out."


class FieldUnsupported(UsageError):
    """A field is set that this target, or this version of Mooring, cannot honour."""

    code = "MOOR-602"
    reason = "FieldUnsupported"
    default_resolution = "Remove the field: leaving it in would promise something that does not happen."


class ImmutableField(UsageError):
    """A field is changed that cannot change once it is set."""

    code = "MOOR-603"
    reason = "ImmutableField"
    default_resolution = "Set it back to what it was; another value needs another instance."


class SharedResource(ConflictError):
    """Two instances would use one host, one port or one database, or two servers be the default of one namespace."""

    code = "MOOR-604"
    reason = "SharedResource"
    retry = Retry.NEVER
    default_resolution = "Give one of them another one."


class SeriesMismatch(UsageError):
    """The release is of another Odoo series than the data or the manifest says."""

    code = "MOOR-605"
    reason = "SeriesMismatch"
    default_resolution = "Use a release of the same series; `-u` cannot move a database to another one."


class NamespaceNotAllowed(UsageError):
    """A server does not serve this namespace."""

    code = "MOOR-606"
    reason = "NamespaceNotAllowed"
    default_resolution = "Add the namespace to the server's allowedNamespaces."


class OperationFailed(FailedError):
    """An operation ended without success; the instance is as it was before, or says otherwise."""

    code = "MOOR-607"
    reason = "OperationFailed"
    default_resolution = "Correct the cause; then apply the corrected manifest, or `mooring operations retry`."


class OperationStuck(FailedError):
    """An operation could not be taken back either; the instance is held until a person decides."""

    code = "MOOR-608"
    reason = "OperationStuck"
    default_resolution = "Mend what the error names, then `mooring operations retry`; nothing is lost meanwhile."


class UnknownOperation(NotFoundError):
    """There is no such operation."""

    code = "MOOR-609"
    reason = "UnknownOperation"
    default_resolution = "`mooring operations list NAME` shows those there are."


class NothingToReturnTo(UsageError):
    """There is no earlier release with its data."""

    code = "MOOR-610"
    reason = "NothingToReturnTo"
    default_resolution = "A rollback is possible after an upgrade, until the next one."


class NotInitialized(ConflictError):
    """The operation needs a database that Odoo has initialized."""

    code = "MOOR-611"
    reason = "NotInitialized"
    default_resolution = "Wait for `mooring status` to say Running, then ask again."


class NameNotConfirmed(UsageError):
    """Data is thrown away only when its name is given again."""

    code = "MOOR-612"
    reason = "NameNotConfirmed"
    default_resolution = "Give the instance's name with --purge; without --purge the data stays."


class ForeignData(ConflictError):
    """Volumes of this name belong to another installation of Mooring."""

    code = "MOOR-613"
    reason = "ForeignData"
    retry = Retry.NEVER
    default_resolution = "Choose another name, or take them over with `mooring adopt`."


class OperationExcluded(ConflictError):
    """Another operation of this instance excludes this one."""

    code = "MOOR-614"
    reason = "OperationExcluded"


class ServerFailed(FailedError):
    """The database server does not come up."""

    code = "MOOR-615"
    reason = "ServerFailed"
    retry = Retry.AFTER
    default_resolution = "The end of its log says why; `mooring logs --server` shows all of it."


class InstancePaused(UsageError):
    """The instance is paused: Mooring looks at it and touches nothing."""

    code = "MOOR-619"
    reason = "InstancePaused"
    default_resolution = "Set spec.paused to false and apply the manifest, then ask again."


class NoAdministrator(UsageError):
    """A second database is needed beside the present one, and nobody here may create one on that server."""

    code = "MOOR-620"
    reason = "NoAdministrator"
    default_resolution = (
        "Give database.external.adminSecretRef, or adminSecretRef of the external DatabaseServer: a role that may create "
        "databases. Or use a DatabaseServer that Mooring runs. Replacing the data in place (`inPlace`) is not carried out by "
        "this version."
    )


class AddonsMissing(UsageError):
    """A folder of add-ons is not there, or holds none."""

    code = "MOOR-616"
    reason = "AddonsMissing"
    default_resolution = (
        "Correct addons[].path: a folder of the machine that has Mooring's state directory; its subfolders are modules."
    )


class NotStaging(UsageError):
    """Something was asked for that only a Staging instance has."""

    code = "MOOR-540"
    reason = "NotStaging"
    retry = Retry.NEVER
    default_resolution = "Name a Staging instance; `mooring list` shows which ones are."


class UnknownRepository(NotFoundError):
    """There is no such backup repository."""

    code = "MOOR-640"
    reason = "UnknownRepository"
    default_resolution = "Apply a BackupRepository of that name, or correct the name."


class OutgoingUnknown(FailedError):
    """What waits to be sent could not be counted; nothing was changed, and cron stays held."""

    code = "MOOR-643"
    reason = "OutgoingUnknown"
    retry = Retry.AFTER
    default_resolution = "Correct the cause, and ask again."


class RepositoryTaskFailed(FailedError):
    """A task on a backup repository ended with an error; the repository is as it was, or says otherwise."""

    code = "MOOR-641"
    reason = "RepositoryTaskFailed"
    default_resolution = "Read what it says, correct the cause, and ask again."
