# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in neutralizing a copy, in proving it, and in what waits to be sent: MOOR-490 to MOOR-499."""

from __future__ import annotations

from mooring.errors import ConflictError, FailedError, Retry, UsageError


class ReleaseUnread(FailedError):
    """The release does not say which add-ons it holds and what they neutralize; its script says it itself."""

    code = "MOOR-490"
    reason = "ReleaseUnread"
    default_resolution = (
        "Read the details: the release's own Python has to import Odoo and to read its add-ons' folders."
    )


class ModulesWithoutCode(FailedError):
    """Modules are installed in a copy whose code the release does not hold, so that nothing neutralizes them."""

    code = "MOOR-491"
    reason = "ModulesWithoutCode"
    default_resolution = "Give the instance the add-ons that the message names, or uninstall them at the source."


class NeutralizeFailed(FailedError):
    """A statement that neutralizes was refused; nothing of the copy was changed."""

    code = "MOOR-492"
    reason = "NeutralizeFailed"
    default_resolution = "Correct the add-on's SQL or the entry of `neutralize.sql` that the message names."


class NotNeutral(FailedError):
    """A copy could still act on the world outside."""

    code = "MOOR-493"
    reason = "NotNeutral"
    default_resolution = "Add SQL to `neutralize.sql` of the manifest for what the message names, and run it again."


class NeverNeutralized(ConflictError):
    """The instance's present data was never neutralized: it may be production's."""

    code = "MOOR-494"
    reason = "NeverNeutralized"
    retry = Retry.NEVER
    default_resolution = "Neutralize a copy of it instead, such as a staging instance."


class NothingToCancel(UsageError):
    """What is to be cancelled cannot be cancelled by Mooring."""

    code = "MOOR-495"
    reason = "NothingToCancel"
    default_resolution = "Name kinds that can be cancelled; the documentation lists them."
