# SPDX-License-Identifier: Apache-2.0
"""Simulated time: it passes only when somebody sleeps or a test says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


class SimClock:
    """A `Clock` for tests. Sleeping takes no real time and gives way to other tasks of the loop."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed = timedelta()

    def now(self) -> datetime:
        """The simulated time, UTC."""
        return self._start + self._passed

    def monotonic(self) -> float:
        """Simulated seconds since the start."""
        return self._passed.total_seconds()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._passed += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass, and others run."""
        self.advance(max(seconds, 0.0))
        await asyncio.sleep(0)
