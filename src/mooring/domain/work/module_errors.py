# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in finding out which modules changed, and in checking a release behind the hold: MOOR-590 to MOOR-599."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, Retry


class ModulesLocked(ConflictError):
    """Another tool, such as click-odoo-update, is updating this database."""

    code = "MOOR-590"
    reason = "ModulesLocked"
    retry = Retry.AFTER
    default_resolution = "Wait for the other tool to end, or end it, then run the operation again."


class ModulesUnread(FailedError):
    """The release does not say what its modules' files are; its script says it itself."""

    code = "MOOR-591"
    reason = "ModulesUnread"
    default_resolution = (
        "Read the details: the release's own Python has to import Odoo and to read its add-ons' folders."
    )


class RequirementsMissing(FailedError):
    """Modules that would be updated need Python packages that the release does not hold; the script says it itself."""

    code = "MOOR-592"
    reason = "RequirementsMissing"
    retry = Retry.NEVER
    default_resolution = "Build the packages that the message names into the image, then upgrade to that image."


class EventedSilent(FailedError):
    """The evented process of a release does not answer; the probe's script says it itself."""

    code = "MOOR-593"
    reason = "EventedSilent"
    retry = Retry.NEVER
    default_resolution = "Read the end of the log; with workers above 0 chat and notifications need that process."


class PdfFails(FailedError):
    """A release has a wkhtmltopdf that prints no page; the probe's script says it itself."""

    code = "MOOR-594"
    reason = "PdfFails"
    retry = Retry.NEVER
    default_resolution = "Mend wkhtmltopdf in the image, or leave it out; reports of this release cannot be printed."
