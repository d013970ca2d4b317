# SPDX-License-Identifier: Apache-2.0
"""Holds what the instances of one database server need against what it gives: refused, warned of, or neither. Pure.

What a person chose (`db_maxconn`) counts in full. An instance that Mooring sized counts with the least that works: a process
opens connections as it needs them, and a server whose instances could open more together than it gives is only warned of.
Called when manifests are accepted, which `plan` does, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mooring.domain.odoo.errors import ConnectionsRefused, Refusal
from mooring.domain.odoo.sizing import CONNECTIONS_RESERVED

ASSUMED_MAX_CONNECTIONS: Final = 100
"""PostgreSQL's own default (its documentation, "Connection Settings"), until a task has asked an external server."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one instance takes of its server.

    Attributes:
        name: of the instance, for people.
        least: connections that it has to have: what was chosen, or what its processes work with.
        most: connections that its processes may open.
    """

    name: str
    least: int
    most: int


@dataclass(frozen=True, kw_only=True)
class ServerLimit:
    """What a server gives.

    Attributes:
        name: for people.
        max_connections: what it is set to.
        assumed: nobody has asked it yet.
        managed: Mooring runs it, and sets it.
    """

    name: str
    max_connections: int
    assumed: bool = False
    managed: bool = True

    @property
    def given(self) -> int:
        """Connections that all instances together may have."""
        return self.max_connections - CONNECTIONS_RESERVED

    @property
    def words(self) -> str:
        """The limit with where it comes from."""
        known = "assumed, PostgreSQL's default" if self.assumed else "as it is set"
        return f"max_connections {self.max_connections}, {known}, less {CONNECTIONS_RESERVED}"


def find_refusal(server: ServerLimit, shares: Sequence[Share]) -> ConnectionsRefused | None:
    """The error where the instances need more than the server gives; None where they do not."""
    needed = sum(one.least for one in shares)
    if needed <= server.given:
        return None
    named = ", ".join(f"{one.name} {one.least}" for one in shares)
    return ConnectionsRefused(
        f"The instances of {server.name} need {needed} connections ({named}); it gives {server.given} ({server.words}).",
        [Refusal(one.name, f"needs {one.least} connections.") for one in shares],
        resolution=_remedy(server),
    )


def find_warning(server: ServerLimit, shares: Sequence[Share]) -> str | None:
    """A sentence where the instances could open more than the server gives; None where they could not."""
    most = sum(one.most for one in shares)
    if most <= server.given:
        return None
    named = ", ".join(f"{one.name} {one.most}" for one in shares)
    return (
        f"Under full load the instances of {server.name} could open {most} connections ({named}); it gives {server.given} "
        f"({server.words}). {_remedy(server)}"
    )


def _remedy(server: ServerLimit) -> str:
    lower = "Lower configOptions.db_maxconn, workers or replicas of these instances"
    if server.managed:
        return (
            f"{lower}, raise max_connections in managed.parameters of the DatabaseServer, or give an instance a server of "
            "its own (database.managed)."
        )
    asked = " The first operation of an instance asks the server for its true value: begin with less, and raise it afterwards."
    return f"{lower}, or raise max_connections of the server.{asked if server.assumed else ''}"
