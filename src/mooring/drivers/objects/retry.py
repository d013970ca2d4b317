# SPDX-License-Identifier: Apache-2.0
"""Repeats requests that may succeed later: exponential back-off with full jitter, until the patience is over.

One loop for all stores, so that requests are counted where they are sent. It decides nothing about errors: `faults` says
which of them pass. Used by `remote.RemoteObjects`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from mooring.drivers.objects.faults import Passing
from mooring.errors import MooringError

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How long to insist.

    Attributes:
        patience_s: from the first failure; a store may be gone for a minute and more.
        first_s: upper bound of the first pause; doubled each time.
        longest_s: upper bound of every pause.
    """

    patience_s: float = 180.0
    first_s: float = 0.2
    longest_s: float = 15.0


@dataclass
class Bandwidth:
    """A token bucket for what is sent and received: waits until the bytes are paid for.

    A request is paid for before it is sent, whole; the rate is kept over a time longer than one object's.
    """

    bytes_per_s: int
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _free_at: float = 0.0

    def take(self, count: int) -> None:
        """Wait for the turn of `count` bytes."""
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._free_at)
            self._free_at = begin + count / self.bytes_per_s
        if begin > now:
            time.sleep(begin - now)


def insist(
    attempt: Callable[[int], Result],
    *,
    policy: RetryPolicy,
    on_repeat: Callable[[MooringError], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Call `attempt(number)` until it returns, raises something that does not pass, or the patience is over.

    Raises:
        MooringError: the last one, unwrapped.
    """
    began: float | None = None
    number = 0
    while True:
        try:
            return attempt(number)
        except Passing as fault:
            now = time.monotonic()
            began = now if began is None else began
            pause = random.uniform(0, min(policy.longest_s, policy.first_s * 2**number))  # noqa: S311
            if now + pause - began > policy.patience_s:
                raise fault.error from fault.error.__cause__
            on_repeat(fault.error)
            sleep(pause)
            number += 1
