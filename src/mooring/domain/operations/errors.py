# SPDX-License-Identifier: Apache-2.0
"""Why an operation fails when no task says it: MOOR-230 to MOOR-239.

`advance` never raises them: it records their JSON in the journal, where status and people find it.
"""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, Retry, TimeoutExceeded, UsageError


class TaskFailed(FailedError):
    """A task ended badly and left no error: killed, or its image does not start."""

    code = "MOOR-230"
    reason = "TaskFailed"
    retry = Retry.AFTER
    default_resolution = "Look at the end of its log, mend the cause, then `mooring operations retry`."


class ReplicaDies(FailedError):
    """A process ends again and again after its start."""

    code = "MOOR-231"
    reason = "ReplicaDies"
    retry = Retry.AFTER
    default_resolution = "The end of its log says why; correct the release or the configuration."


class StepTooSlow(TimeoutExceeded):
    """A step waited in vain for processes to come or go."""

    code = "MOOR-232"
    reason = "StepTooSlow"
    default_resolution = "Look at `mooring logs`, mend the cause, then `mooring operations retry`."


class OperationOverdue(TimeoutExceeded):
    """The operation took longer than its `deadline`; what it had begun is taken back."""

    code = "MOOR-234"
    reason = "OperationOverdue"
    retry = Retry.NEVER
    default_resolution = "Look at what took so long, or give it a longer deadline, and ask for it again."


class OperationCancelled(ConflictError):
    """A person cancelled the operation; what it had begun is taken back."""

    code = "MOOR-233"
    reason = "Cancelled"
    retry = Retry.NEVER
    default_resolution = "Ask for it again when it is wanted."


class ReturnTimeUnknown(UsageError):
    """What is older than the return is to be cancelled, and the time of the return was not written down."""

    code = "MOOR-642"
    reason = "ReturnTimeUnknown"
    retry = Retry.NEVER
    default_resolution = "Cancel in Odoo what was sent already, then release the hold with --keep."


class RepositoryNotNamed(UsageError):
    """An operation needs a backup repository, and none is named."""

    code = "MOOR-235"
    reason = "RepositoryNotNamed"
    retry = Retry.NEVER
    default_resolution = "Name one with --repository, or set spec.backup.repository of the instance."
