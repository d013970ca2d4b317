# SPDX-License-Identifier: Apache-2.0
"""Time as a dependency: the system's clock here, a simulated one in tests."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What control and targets may know of time."""

    def now(self) -> datetime:
        """Aware, UTC: for records and schedules."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: for time-outs."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Give way for `seconds`."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Give way for `seconds`."""
        await asyncio.sleep(seconds)
