# SPDX-License-Identifier: Apache-2.0
"""Errors of the decisions about Odoo (MOOR-200 to MOOR-219). Raised by the modules beside this one; never caught here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mooring.errors import UsageError


@dataclass(frozen=True)
class Refusal:
    """One thing that was refused.

    Attributes:
        key: what the user wrote, such as `list_db`; the name only, never the value of a secret.
        reason: one sentence: which rule it breaks.
        instead: one sentence: what to write in its place; may be empty.
    """

    key: str
    reason: str
    instead: str = ""

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}" + (f" {self.instead}" if self.instead else "")


class RefusedError(UsageError):
    """Several things were refused at once; each stands in `refusals` and on a line of `details`."""

    code = "MOOR-219"
    reason = "Refused"

    def __init__(self, brief: str, refusals: Sequence[Refusal] = (), *, resolution: str | None = None) -> None:
        super().__init__(brief, details="\n".join(map(str, refusals)), resolution=resolution)
        self.refusals = tuple(refusals)


class UnknownSeries(UsageError):
    """The Odoo series is not in the table of facts."""

    code = "MOOR-200"
    reason = "UnknownSeries"
    default_resolution = "Choose a series that Mooring knows (14.0 to 20.0), or update Mooring."


class UnreadableVersion(UsageError):
    """A version text names no stable Odoo series."""

    code = "MOOR-201"
    reason = "UnreadableVersion"
    default_resolution = (
        "Use a release of a stable series, such as 18.0; intermediate (saas) releases are not supported."
    )


class ResourcesRefused(RefusedError):
    """Memory limits, workers and options do not fit together."""

    code = "MOOR-202"
    reason = "ResourcesRefused"
    default_resolution = "Raise resources.memory, lower workers, or remove the options that are named."


class ConnectionsRefused(RefusedError):
    """An instance, or all instances of a server together, would need more connections than the server has to give."""

    code = "MOOR-203"
    reason = "ConnectionsRefused"
    default_resolution = "Lower workers, replicas or db_maxconn, or raise max_connections of the database server."


class ConfigRefused(RefusedError):
    """Options of odoo.conf would break a safety rule or cannot be written down."""

    code = "MOOR-204"
    reason = "ConfigRefused"
    default_resolution = "Remove the options that are named, or use the fields that are named in their place."


class ModuleNameInvalid(RefusedError):
    """A module name cannot be one."""

    code = "MOOR-205"
    reason = "ModuleNameInvalid"
    default_resolution = "Write technical module names (letters, digits, underscores), such as sale_management."


class SecretUnusable(UsageError):
    """A secret cannot stand in odoo.conf; the message names the secret, never its value."""

    code = "MOOR-206"
    reason = "SecretUnusable"
    default_resolution = "Set another value of one line, without blanks at its ends, and not True or False."


class CommandUnavailable(UsageError):
    """This series of Odoo has no such command."""

    code = "MOOR-207"
    reason = "CommandUnavailable"
    default_resolution = "Use a series that has the command, or leave the step to Mooring's own SQL."


class LanguageInvalid(UsageError):
    """A language code cannot be one."""

    code = "MOOR-208"
    reason = "LanguageInvalid"
    default_resolution = "Write a code such as fr_FR, es_419 or sr@latin."
