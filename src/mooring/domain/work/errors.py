# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in a task: MOOR-400 to MOOR-449.

400-409  the task itself: document, secret files, being stopped
410-419  PostgreSQL cannot be used
420-431  an instance's database
432-439  an instance's filestore
440-449  an instance's release
"""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, NotFoundError, Retry, TimeoutExceeded, UsageError


class InvalidDocument(UsageError):
    """A task's document cannot be read."""

    code = "MOOR-400"
    reason = "InvalidDocument"
    default_resolution = "Use the same version of Mooring for the program and its engine image."


class UnknownTask(UsageError):
    """There is no task of that name."""

    code = "MOOR-401"
    reason = "UnknownTask"
    default_resolution = "Use the same version of Mooring for the program and its engine image."


class TaskStopped(FailedError):
    """A task was asked to stop before its end."""

    code = "MOOR-402"
    reason = "TaskStopped"
    retry = Retry.NOW
    default_resolution = "Run the operation again: the task continues where it stopped."


class TaskCrashed(FailedError):
    """A task met an error that it does not know."""

    code = "MOOR-403"
    reason = "TaskCrashed"
    default_resolution = "Report this with the output of `mooring report`."


class SecretUnreadable(FailedError):
    """A file that holds a secret is missing, empty or cannot be read."""

    code = "MOOR-404"
    reason = "SecretUnreadable"
    default_resolution = "Check the secret that the message names; it must exist and hold one line."


class ServerUnreachable(FailedError):
    """No PostgreSQL answers at the address."""

    code = "MOOR-410"
    reason = "DatabaseUnreachable"
    retry = Retry.AFTER
    default_resolution = "Check host, port and network of the database server, then run the operation again."


class PasswordRefused(FailedError):
    """PostgreSQL does not take the password."""

    code = "MOOR-411"
    reason = "DatabasePasswordRefused"
    default_resolution = "Put the right password into the secret that the manifest names for this server."


class TlsRefused(FailedError):
    """The encrypted connection that is asked for cannot be had."""

    code = "MOOR-412"
    reason = "DatabaseTlsRefused"
    default_resolution = "Match `sslMode` and the certificate authority with what the server offers."


class ServerTooOld(FailedError):
    """The server's major version is below what this Odoo needs."""

    code = "MOOR-413"
    reason = "DatabaseTooOld"
    default_resolution = "Use a server of at least the version that the message names."


class ServerReadOnly(FailedError):
    """The server takes no writes: a standby, or set read-only."""

    code = "MOOR-414"
    reason = "DatabaseReadOnly"
    default_resolution = "Name the primary server, not a standby."


class ServerRefused(FailedError):
    """PostgreSQL answers, but lets this role not in."""

    code = "MOOR-415"
    reason = "DatabaseRefused"
    retry = Retry.AFTER
    default_resolution = "Follow the server's message: its pg_hba.conf, connection limits or start-up."


class DatabaseMissing(NotFoundError):
    """The database does not exist."""

    code = "MOOR-416"
    reason = "DatabaseMissing"
    default_resolution = "Create the database, or let Mooring make it with an administrator's secret."


class RightsMissing(FailedError):
    """The role may not do what the task needs."""

    code = "MOOR-417"
    reason = "DatabaseRightsMissing"
    default_resolution = "Have an administrator of the server grant what the message names."


class SqlFailed(FailedError):
    """PostgreSQL refused a statement; `state` is its SQLSTATE."""

    code = "MOOR-418"
    reason = "SqlFailed"
    state: str = ""
    default_resolution = "Look at the server's message and its log, then run the operation again."


class ConnectionLost(FailedError):
    """The connection to PostgreSQL ended in the middle."""

    code = "MOOR-419"
    reason = "DatabaseConnectionLost"
    retry = Retry.NOW
    default_resolution = "Run the operation again: the task continues where it stopped."


class DatabaseForeign(ConflictError):
    """The database belongs to another instance."""

    code = "MOOR-420"
    reason = "DatabaseForeign"
    retry = Retry.NEVER
    default_resolution = "Choose another database name, or remove the other instance with its data first."


class DatabaseNotEmpty(ConflictError):
    """The database has content and does not say whose."""

    code = "MOOR-421"
    reason = "DatabaseNotEmpty"
    retry = Retry.NEVER
    default_resolution = "Choose another database name, or run `mooring adopt` to take this database over."


class ExtensionMissing(FailedError):
    """An extension that Odoo needs is missing and the role may not create it."""

    code = "MOOR-422"
    reason = "DatabaseExtensionMissing"
    default_resolution = "Have an administrator of the server run the statements that the message names."


class LockHeld(ConflictError):
    """Another process works on this instance's data."""

    code = "MOOR-423"
    reason = "DataLocked"
    default_resolution = "Wait for the other task to end, then run the operation again."


class StaleAttempt(ConflictError):
    """A later attempt of the same step has been here."""

    code = "MOOR-424"
    reason = "StaleAttempt"
    retry = Retry.NEVER
    default_resolution = "Nothing: the later attempt goes on; `mooring operations` shows it."


class DatabaseInUse(TimeoutExceeded):
    """Sessions use a database that has to be free."""

    code = "MOOR-425"
    reason = "DatabaseInUse"
    default_resolution = "End the sessions that the message names, then run the operation again."


class NotEnoughSpace(FailedError):
    """There is no room for a copy."""

    code = "MOOR-426"
    reason = "NotEnoughSpace"
    default_resolution = "Free or add the space that the message names, then run the operation again."


class NoRoomLeft(NotEnoughSpace):
    """There is no room for a copy, and the copies of earlier operations went in vain: no rollback leads to them."""

    code = "MOOR-431"
    reason = "NoRoomLeft"


class SafetyCopyMissing(NotFoundError):
    """There is no complete safety copy of this operation."""

    code = "MOOR-427"
    reason = "SafetyCopyMissing"
    default_resolution = "Nothing was changed. Restore from a backup if the data has to go back."


class VerificationFailed(FailedError):
    """The database is not as an Odoo run had to leave it."""

    code = "MOOR-428"
    reason = "VerificationFailed"
    default_resolution = "Correct the modules or the add-ons that the message names; the log of the Odoo run says more."


class NotInitialized(FailedError):
    """The database holds no Odoo."""

    code = "MOOR-429"
    reason = "NotInitialized"
    retry = Retry.NEVER
    default_resolution = "Initialize the instance first."


class FinishInitFailed(FailedError):
    """What the manifest asks for a new database is not in it."""

    code = "MOOR-430"
    reason = "FinishInitFailed"
    default_resolution = "Correct `init.language` or `init.country` in the manifest."


class FilestoreForeign(ConflictError):
    """The volume belongs to another instance."""

    code = "MOOR-432"
    reason = "FilestoreForeign"
    retry = Retry.NEVER
    default_resolution = "Give this instance a volume of its own."


class FilestoreFailed(FailedError):
    """A file or folder of the volume cannot be read or written."""

    code = "MOOR-433"
    reason = "FilestoreFailed"
    default_resolution = "Follow the message: space, owner and rights of the volume; then run the operation again."


class NotOdoo(UsageError):
    """The release holds no Odoo that starts."""

    code = "MOOR-440"
    reason = "NotOdoo"
    default_resolution = "Name an image that holds Odoo, such as `odoo:17.0`."


class ProbeFailed(FailedError):
    """A release does not serve a database; the probe's script says it itself."""

    code = "MOOR-441"
    reason = "ProbeFailed"
    default_resolution = "Read the end of the log; the release does not serve this database."
