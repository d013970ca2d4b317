# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with archives that people bring, and with parts that they take out: MOOR-570 to MOOR-589."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, NotFoundError, Retry


class ArchiveUnreadable(FailedError):
    """What was given is no archive that can be read to its end."""

    code = "MOOR-570"
    reason = "ArchiveUnreadable"
    retry = Retry.NEVER
    default_resolution = "Compare it with where it came from, and get it again. Nothing was built from it."


class ArchiveRefused(FailedError):
    """The archive holds what no backup of Odoo holds: paths that lead elsewhere, links, devices, far too much."""

    code = "MOOR-571"
    reason = "ArchiveRefused"
    retry = Retry.NEVER
    default_resolution = "Do not use this archive before you know who made it. Nothing was built from it."


class ArchiveUnfit(FailedError):
    """The archive is sound, and does not fit here."""

    code = "MOOR-572"
    reason = "ArchiveUnfit"
    retry = Retry.NEVER
    default_resolution = "Import it where the message says that it can be."


class DumpRefused(FailedError):
    """A dump holds a command or a statement that `pg_dump` does not write."""

    code = "MOOR-573"
    reason = "DumpRefused"
    retry = Retry.NEVER
    default_resolution = "Make the dump with `pg_dump` alone, without --create; what was current is untouched."


class LoadFailed(FailedError):
    """A dump could not be loaded to its end; what was current is untouched."""

    code = "MOOR-574"
    reason = "LoadFailed"
    default_resolution = "Follow PostgreSQL's message, then import again; nothing was replaced."


class LoadInterrupted(ConflictError):
    """An earlier run was stopped in the middle of a dump; what it loaded is not whole and is dropped."""

    code = "MOOR-575"
    reason = "LoadInterrupted"
    retry = Retry.NEVER
    default_resolution = "Import again; nothing was replaced."


class ArchiveUnreachable(FailedError):
    """The archive cannot be fetched from where it is said to be."""

    code = "MOOR-576"
    reason = "ArchiveUnreachable"
    retry = Retry.AFTER
    default_resolution = "Follow the message; the address must lead to the archive itself, without a redirection."


class ManagerRefused(FailedError):
    """An Odoo's database manager hands out no backup."""

    code = "MOOR-577"
    reason = "ManagerRefused"
    retry = Retry.NEVER
    default_resolution = "Check the master password and the database's name there, and that `list_db` is on."


class AttachmentsLacking(FailedError):
    """The database names attachments, and no filestore came with it."""

    code = "MOOR-578"
    reason = "AttachmentsLacking"
    retry = Retry.NEVER
    default_resolution = "Give its filestore too (`--filestore DIR`); an empty folder says that there is none any more."


class PartMissing(NotFoundError):
    """The snapshot does not hold the part that was asked for."""

    code = "MOOR-579"
    reason = "PartMissing"
    default_resolution = "See what it holds with `mooring snapshots show ID --files`."
