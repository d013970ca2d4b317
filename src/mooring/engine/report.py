# SPDX-License-Identifier: Apache-2.0
"""What a task says: JSON lines on its standard output, by the protocol of `mooring.domain.task`.

A thread of its own repeats the last progress when nothing was said for a while, so that silence means a dead task. SIGTERM
and SIGINT become `TaskStopped` in the main thread; if that does not get through, the process ends itself with the same line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mooring.domain.task import PROTOCOL
from mooring.domain.work.errors import TaskStopped
from mooring.errors import MooringError

HEARTBEAT_S = 10.0
STOP_GRACE_S = 7.0


class Reporter:
    """Writes the lines. Any thread may call it.

    Args:
        write: takes one whole line with its end; has to flush.
        heartbeat_s: seconds of silence after which the last progress is said again.
    """

    def __init__(self, write: Callable[[str], None], *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._write = write
        self._heartbeat_s = heartbeat_s
        self._lock = threading.RLock()
        self._last: dict[str, Any] = {"step": "start", "done": 0, "total": 0}
        self._spoke = threading.Event()
        self._over = False

    def progress(self, step: str, done: int = 0, total: int = 0) -> None:
        """Say how far the task is; `total` 0 is unknown."""
        with self._lock:
            self._last = {"step": step, "done": done, "total": total}
            self._line({"type": "progress", **self._last})

    def result(self, result: Mapping[str, Any]) -> None:
        """Say the result: the last line."""
        self._end({"type": "result", "result": result})

    def error(self, fault: MooringError) -> None:
        """Say why there is no result: the last line."""
        self._end({"type": "error", "error": fault.to_json()})

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Keep talking while the body runs."""
        thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._over = True
            self._spoke.set()
            thread.join(timeout=1)

    def _end(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._line(message)
            self._over = True

    def _line(self, message: dict[str, Any]) -> None:
        if not self._over:
            self._write(json.dumps({"v": PROTOCOL, **message}, ensure_ascii=False) + "\n")
            self._spoke.set()

    def _beat(self) -> None:
        while not self._over:
            if self._spoke.wait(self._heartbeat_s):
                self._spoke.clear()
                continue
            with self._lock:
                try:
                    self._line({"type": "progress", **self._last})
                except OSError:
                    # Nobody listens any more; the main thread finds out with its own next line.
                    return


def write_stdout(line: str) -> None:
    """One line to standard output, at once."""
    sys.stdout.write(line)
    sys.stdout.flush()


@contextmanager
def stop_on_signal(report: Reporter, *, grace_s: float = STOP_GRACE_S) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `TaskStopped`, raised in the main thread; a second signal changes nothing.

    Args:
        report: says the error when the main thread does not come out in time.
        grace_s: seconds that it has, before the process ends itself with exit code 1.
    """
    stopped = threading.Event()

    def give_up() -> None:
        report.error(TaskStopped("The task was asked to stop and was ended in the middle of a call."))
        os._exit(1)

    def handle(number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            return
        stopped.set()
        timer = threading.Timer(grace_s, give_up)
        timer.daemon = True
        timer.start()
        timers.append(timer)
        raise TaskStopped(f"The task was stopped by {signal.Signals(number).name}.")

    timers: list[threading.Timer] = []
    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for timer in timers:
            timer.cancel()
