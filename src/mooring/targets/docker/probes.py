# SPDX-License-Identifier: Apache-2.0
"""Whether replicas serve: the probe's command run inside them, several at once, remembered for two seconds.

That one does not serve yet is remembered for a moment only: somebody waits for the end of that.
The engine's own health checks are not used: Podman 4 needs systemd for them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mooring.drivers.clock import Clock
from mooring.drivers.docker.engine import Engine
from mooring.drivers.errors import EngineUnreachable
from mooring.errors import MooringError
from mooring.targets.docker import labels as tag

REMEMBERED_S = 2.0
NOT_YET_S = 0.2
AT_ONCE = 8


class Probes:
    """The probes of one engine. Safe to use from several threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, bool]] = {}
        self._begun: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe")

    def check(self, containers: Sequence[Mapping[str, Any]], *, live: bool) -> dict[str, bool]:
        """Name of each running container and whether it is ready."""
        answers = dict(self._pool.map(lambda item: self._one(item, live=live), containers))
        # While one took its time to answer, another that did not serve yet may have begun to.
        again = [item for item in containers if not answers[str(item["Name"]).lstrip("/")]]
        return answers | dict(self._pool.map(lambda item: self._one(item, live=False), again))

    def close(self) -> None:
        """Release the threads; waits for probes that run."""
        self._pool.shutdown()

    def _one(self, item: Mapping[str, Any], *, live: bool) -> tuple[str, bool]:
        name = str(item["Name"]).lstrip("/")
        text = ((item.get("Config") or {}).get("Labels") or {}).get(tag.PROBE)
        if not text:
            return name, True
        key = (str(item["Id"]), str(item["State"].get("StartedAt")))
        with self._lock:
            known = self._known.get(key)
        if known is not None and not live:
            age = self._clock.monotonic() - known[0]
            if age < (REMEMBERED_S if known[1] else NOT_YET_S):
                return name, known[1]
        probe = json.loads(text)
        answer = self._run(key[0], probe["argv"], float(probe["timeout_s"]))
        with self._lock:
            self._known = {
                old: value for old, value in self._known.items() if self._clock.monotonic() - value[0] < REMEMBERED_S
            }
            self._known[key] = (self._clock.monotonic(), answer)
        return name, answer

    def _run(self, container: str, argv: Sequence[str], timeout_s: float) -> bool:
        earlier = self._begun.get(container)
        if earlier is not None and self._engine.exec_running(earlier) and not self._engine.podman:
            # It hangs. Another one beside it would pile up processes inside the replica.
            return False
        begun: list[str] = []
        try:
            code, _ = self._engine.run(container, argv, timeout_s=timeout_s, begun=begun.append)
        except EngineUnreachable:
            raise
        except MooringError:
            # The container ended between the listing and the probe: it is not ready, which is the answer.
            return False
        if code is None and begun:
            self._begun[container] = begun[0]
        else:
            self._begun.pop(container, None)
        return code == 0
