# SPDX-License-Identifier: Apache-2.0
"""What can go wrong when a running instance is copied into another: MOOR-550 to MOOR-559."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, Retry, UsageError


class SourceUnfit(FailedError):
    """The source cannot be copied as it is."""

    code = "MOOR-550"
    reason = "SourceUnfit"
    retry = Retry.NEVER
    default_resolution = "Nothing was changed. Correct what the message says of the source, then ask again."


class CopyIncomplete(FailedError):
    """What was built is not what the source held; what was current is untouched."""

    code = "MOOR-551"
    reason = "CopyIncomplete"
    default_resolution = "Nothing was replaced. Ask again; if it comes back, copy from a snapshot instead."


class SourceFilesUnreadable(FailedError):
    """The source's filestore cannot be read."""

    code = "MOOR-552"
    reason = "SourceFilesUnreadable"
    default_resolution = (
        "Nothing was replaced. Let both instances use images with the same user, or copy from a snapshot instead."
    )


class NotRefreshable(UsageError):
    """Only a Staging instance is refreshed: on a Production instance it would replace the real data."""

    code = "MOOR-553"
    reason = "NotRefreshable"
    default_resolution = (
        "Name a Staging instance. To put other data into a Production instance, restore a snapshot of its own."
    )


class SourceNotNamed(UsageError):
    """A refresh needs a source, and neither it nor the instance names one."""

    code = "MOOR-554"
    reason = "SourceNotNamed"
    default_resolution = "Give --from SOURCE, or set spec.stagingOf of the instance."


class SourceUnavailable(ConflictError):
    """The instance to copy from cannot be copied now."""

    code = "MOOR-555"
    reason = "SourceUnavailable"
    retry = Retry.AFTER
    default_resolution = (
        "Wait until `mooring status SOURCE` says that it is there and nothing is in progress, then ask again."
    )


class SourceNewer(UsageError):
    """The source is of a release that this instance's cannot take the data of."""

    code = "MOOR-556"
    reason = "SourceNewer"
    default_resolution = "Give the instance an image of the source's series; `-u` cannot move data to another one."


class SourceOutOfReach(UsageError):
    """The instance to copy from is where this one may not, or cannot, read it."""

    code = "MOOR-557"
    reason = "SourceOutOfReach"
    default_resolution = "Copy from a snapshot of the source: `mooring refresh NAME --from-snapshot`."
