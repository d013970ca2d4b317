# SPDX-License-Identifier: Apache-2.0
"""The connection to one container engine, and what the calls of all kinds of objects need.

Called by the modules beside it that hold the calls; everybody else has a `mooring.drivers.docker.engine.Engine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mooring.drivers.docker.faults import mapped
from mooring.drivers.docker.find import EngineAddress, open_client


class Connection:
    """A connected engine.

    Args:
        address: where it is.
        timeout_s: seconds that one call may take; stops and pulls have their own.
    """

    def __init__(self, address: EngineAddress, *, timeout_s: float = 60.0) -> None:
        self.address = address
        # The library's own annotations are partial and those from outside name private types.
        self._client: Any = open_client(address, timeout_s=timeout_s)
        self._podman: bool | None = None

    @property
    def podman(self) -> bool:
        """It is Podman."""
        if self._podman is None:
            with mapped("ask the engine for its version"):
                components = self._client.version().get("Components") or []
            self._podman = any("podman" in str(part.get("Name", "")).lower() for part in components)
        return self._podman

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()


def labelled(items: Iterable[dict[str, Any]], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Those that have all `labels` (`key` or `key=value`): Podman 4.3 gives volumes that have one of them."""
    wanted = [label.partition("=") for label in labels]
    return [
        item
        for item in items
        if all(
            key in (found := item.get("Labels") or {}) and (not equals or found[key] == value)
            for key, equals, value in wanted
        )
    ]
