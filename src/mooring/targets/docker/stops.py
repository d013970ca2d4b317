# SPDX-License-Identifier: Apache-2.0
"""Stopping containers in the background: a database's grace period must not hold up a pass of converge.

A stop outlives the call that asked for it and ends before `close`. A kill of the controller in its middle leaves a container
that was signalled and does not restart by itself; the next pass asks again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from mooring.drivers.docker.engine import Engine
from mooring.errors import MooringError

logger = logging.getLogger(__name__)


class Stops:
    """The stops that go on. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}

    def stopping(self, container_id: str) -> bool:
        """Whether a stop of the container goes on."""
        with self._lock:
            return container_id in self._threads

    def begin(self, container_id: str, *, grace_s: int, remove: bool) -> None:
        """Stop a container with its grace period, then remove it if `remove`; nothing when that goes on already."""
        self._begin(container_id, lambda: self._stop(container_id, grace_s, remove))

    def _begin(self, container_id: str, work: Callable[[], None]) -> None:
        with self._lock:
            if container_id in self._threads:
                return
            thread = threading.Thread(target=work, name=f"stop-{container_id[:12]}", daemon=True)
            self._threads[container_id] = thread
        thread.start()

    def _stop(self, container_id: str, grace_s: int, remove: bool) -> None:
        try:
            self._engine.keep_stopped(container_id)
            self._engine.stop(container_id, grace_s=grace_s)
            if remove:
                self._engine.remove(container_id)
        except MooringError as fault:
            # The next pass sees the container and asks again; its own call then meets the same fault and raises it.
            logger.warning("could not stop a container", extra={"container": container_id, "fault": fault.details})
        finally:
            with self._lock:
                self._threads.pop(container_id, None)

    def close(self) -> None:
        """Wait for all of them."""
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join()
