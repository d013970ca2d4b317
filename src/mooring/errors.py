# SPDX-License-Identifier: Apache-2.0
"""The root of every error that Mooring raises.

An error says what happened and what to do. Each class has a code that never changes its meaning and never serves two
classes (a test holds this), so that the trouble-shooting page, scripts and people can refer to it. Libraries raise;
only the operation runner and the command line catch.

    MooringError
    ├── UsageError          exit 2   what the user wrote cannot be carried out
    ├── NotFoundError       exit 3   what was named does not exist
    ├── ConflictError       exit 4   somebody or something else is in the way
    ├── TimeoutExceeded     exit 5   the world did not follow in time
    └── FailedError         exit 1   it was tried and failed
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar


class Retry(Enum):
    """Whether trying the same again can help."""

    NEVER = "never"
    NOW = "now"
    AFTER = "after"


class MooringError(Exception):
    """Base of all errors.

    Args:
        brief: one sentence: what happened, with the names involved; never a secret.
        details: further lines, such as the end of a log; may be empty.
        resolution: one sentence: what to do. Defaults to the class's `default_resolution`.

    Class attributes:
        code: `MOOR-` and three digits, unique and stable.
        reason: CamelCase; becomes the reason of a condition.
        exit_code: what the command line exits with.
        retry: whether the runner may try again.
        default_resolution: what to do when the raiser knows nothing better.
    """

    code: ClassVar[str] = "MOOR-000"
    reason: ClassVar[str] = "Error"
    exit_code: ClassVar[int] = 1
    retry: ClassVar[Retry] = Retry.NEVER
    default_resolution: ClassVar[str] = "Run the command again with --debug and report what it prints."

    def __init__(self, brief: str, *, details: str = "", resolution: str | None = None) -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution or self.default_resolution

    def to_json(self) -> dict[str, Any]:
        """The error object of `-o json`: {code, reason, brief, details, resolution, retry}, all strings."""
        return {
            "code": self.code,
            "reason": self.reason,
            "brief": self.brief,
            "details": self.details,
            "resolution": self.resolution,
            "retry": self.retry.value,
        }


class UsageError(MooringError):
    """What the user wrote cannot be carried out; nothing was changed."""

    code = "MOOR-002"
    reason = "Invalid"
    exit_code = 2
    default_resolution = "Correct what is named and run the command again; nothing was changed."


class NotFoundError(MooringError):
    """What was named does not exist."""

    code = "MOOR-003"
    reason = "NotFound"
    exit_code = 3
    default_resolution = "Check the name and the namespace; `mooring list` shows what there is."


class ConflictError(MooringError):
    """Somebody or something else is in the way; nothing was changed."""

    code = "MOOR-004"
    reason = "Conflict"
    exit_code = 4
    retry = Retry.AFTER
    default_resolution = "Wait for the other one to finish, then run the command again."


class TimeoutExceeded(MooringError):
    """The world did not follow in time."""

    code = "MOOR-005"
    reason = "DeadlineExceeded"
    exit_code = 5
    retry = Retry.AFTER
    default_resolution = "Look at `mooring status` and `mooring logs`, then run the command again: it resumes."


class FailedError(MooringError):
    """It was tried and failed."""

    code = "MOOR-001"
    reason = "Failed"
    exit_code = 1
    default_resolution = "Look at `mooring status` and `mooring logs` for the cause, then run the command again."


class SeveralErrors(MooringError):
    """More than one thing is wrong, or more than one instance failed; each error is shown by itself.

    Attributes:
        errors: at least two.
    """

    code = "MOOR-703"
    reason = "SeveralErrors"
    default_resolution = "Look at each; what succeeded stays."

    def __init__(self, errors: Sequence[MooringError]) -> None:
        super().__init__(f"{len(errors)} errors.")
        self.errors = tuple(errors)

    def to_json(self) -> dict[str, Any]:
        """The error object with `errors`: a list of error objects."""
        return {**super().to_json(), "errors": [one.to_json() for one in self.errors]}


def raise_all(errors: Sequence[MooringError]) -> None:
    """Raise one error, or several as one; nothing when there is none."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralErrors(errors)
