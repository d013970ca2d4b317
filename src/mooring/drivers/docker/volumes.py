# SPDX-License-Identifier: Apache-2.0
"""Volumes of an engine. One blocking method a verb.

A part of `mooring.drivers.docker.engine.Engine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mooring.drivers.docker.connection import Connection, labelled
from mooring.drivers.docker.faults import mapped
from mooring.drivers.errors import NoSuchObject


class Volumes(Connection):
    """The calls that concern volumes; their content is reached through a container."""

    def volumes(self, *, labels: Sequence[str] = (), name: str | None = None) -> list[dict[str, Any]]:
        """Volumes that have all `labels` and `name` in their name."""
        filters: dict[str, Any] = {}
        if labels:
            filters["label"] = list(labels)
        if name is not None:
            filters["name"] = [name]
        with mapped("list volumes"):
            return labelled(self._client.volumes(filters=filters).get("Volumes") or [], labels)

    def volume(self, name: str) -> dict[str, Any] | None:
        """All about a volume; None if there is none."""
        try:
            with mapped(f"inspect volume {name}"):
                return dict(self._client.inspect_volume(name))
        except NoSuchObject:
            return None

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a volume; the one of that name stays as it is."""
        with mapped(f"create volume {name}"):
            self._client.create_volume(name, labels=dict(labels))

    def remove_volume(self, name: str) -> None:
        """Remove it with its data; nothing when it is gone."""
        try:
            with mapped(f"remove volume {name}"):
                self._client.remove_volume(name)
        except NoSuchObject:
            return
