# SPDX-License-Identifier: Apache-2.0
"""One container engine, one blocking method a verb. Says what the engine says; decides nothing.

Called from threads by `mooring.targets.docker`; one instance serves all of them. JSON objects are those of Docker's API
1.41, which Podman 4 speaks too. The calls of each kind of object are in a module of their own beside this one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from mooring.drivers.docker.containers import Containers
from mooring.drivers.docker.faults import mapped
from mooring.drivers.docker.find import open_client
from mooring.drivers.docker.images import Images
from mooring.drivers.docker.networks import Networks
from mooring.drivers.docker.processes import Processes
from mooring.drivers.docker.stream import Stream
from mooring.drivers.docker.volumes import Volumes


class Engine(Containers, Processes, Networks, Volumes, Images):
    """A connected engine."""

    def info(self) -> dict[str, Any]:
        """What the engine says of itself and its machine."""
        with mapped("ask the engine about itself"):
            return dict(self._client.info())

    @functools.cached_property
    def data_root(self) -> str:
        """Folder of the engine's machine where it keeps its data; empty when it does not say."""
        return str(self.info().get("DockerRootDir") or "")

    def events(self, *, labels: Sequence[str], since: int) -> Stream[dict[str, Any]]:
        """Events of objects with all `labels` since a Unix time, as they happen. Ends when the engine closes it."""
        # A client of its own, without a time-out: a quiet engine is not a dead one, and a dead one closes the connection.
        client: Any = open_client(self.address, timeout_s=60)
        client.timeout = None
        with mapped("follow events"):
            data = client.events(since=since, filters={"label": list(labels)}, decode=True)
        return Stream(data, "follow events", client.close)
