# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in a backup or a restore: MOOR-470 to MOOR-489. See `mooring.domain.work.errors` for other tasks."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, Retry


class ClientMissing(FailedError):
    """No program of PostgreSQL's is there that fits the server."""

    code = "MOOR-470"
    reason = "ClientMissing"
    retry = Retry.NEVER
    default_resolution = (
        "Use an engine image, or a machine, with PostgreSQL's clients of the server's major or a newer one."
    )


class DumpFailed(FailedError):
    """`pg_dump` ended with an error: there is no backup."""

    code = "MOOR-471"
    reason = "DumpFailed"
    default_resolution = "Follow pg_dump's message, then back up again."


class DumpBlocked(FailedError):
    """A dump made others wait for its locks, again and again, and was cancelled."""

    code = "MOOR-472"
    reason = "DumpBlocked"
    retry = Retry.AFTER
    default_resolution = "Back up again when nobody installs or updates modules."


class ScratchTooSmall(FailedError):
    """The folder for temporary files has no room."""

    code = "MOOR-473"
    reason = "ScratchTooSmall"
    default_resolution = "Give tasks more temporary space, then back up again."


class FilesChanging(FailedError):
    """Files of the filestore kept disappearing while they were backed up."""

    code = "MOOR-474"
    reason = "FilesChanging"
    retry = Retry.AFTER
    default_resolution = "See what removes files of the filestore besides Odoo, then back up again."


class ArchiveFailed(FailedError):
    """An archive could not be written."""

    code = "MOOR-475"
    reason = "ArchiveFailed"
    default_resolution = "Follow the message: space and rights where the archive goes; then back up again."


class ReadRightsMissing(FailedError):
    """The role, or the task's user, may not read all that a backup reads; nothing was dumped."""

    code = "MOOR-476"
    reason = "ReadRightsMissing"
    retry = Retry.NEVER
    default_resolution = (
        "Have an administrator run what the details say, or make the role the owner (ALTER … OWNER TO …) as Odoo needs it "
        "for updates; then back up again."
    )


class SnapshotNewer(FailedError):
    """What comes is of a newer release than the one that runs: `-u` cannot take a module back."""

    code = "MOOR-644"
    reason = "SnapshotNewer"
    retry = Retry.NEVER
    default_resolution = (
        "Set spec.image of the instance to the release that the snapshot, or the source, is of; apply, then ask again."
    )


class SnapshotUnfit(FailedError):
    """The snapshot cannot be restored here."""

    code = "MOOR-481"
    reason = "SnapshotUnfit"
    retry = Retry.NEVER
    default_resolution = "Restore it where the message says that it can be."


class RestoreFailed(FailedError):
    """`pg_restore` ended with an error; what was current is untouched."""

    code = "MOOR-482"
    reason = "RestoreFailed"
    default_resolution = "Follow pg_restore's message, then restore again; nothing was replaced."


class RestoreIncomplete(FailedError):
    """What was restored is not what the snapshot says; what was current is untouched."""

    code = "MOOR-483"
    reason = "RestoreIncomplete"
    default_resolution = (
        "Check the repository with `mooring repository check --read-data`, then restore another snapshot."
    )


class NothingBuilt(ConflictError):
    """There is no whole restored copy of this operation to swap in."""

    code = "MOOR-484"
    reason = "NothingBuilt"
    retry = Retry.NEVER
    default_resolution = "Nothing was changed. Restore first."
