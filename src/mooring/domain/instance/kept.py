# SPDX-License-Identifier: Apache-2.0
"""Which replaced pairs of database and filestore are kept, until when, and which is the next to go. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Kept:
    """A pair that was replaced: id of the operation that replaced it, and when it did, RFC 3339 in UTC."""

    operation: str
    since: str


def keep_also(kept: Sequence[Kept], operation: str, at: str) -> tuple[Kept, ...]:
    """The pairs with that of `operation`; the time when it was first said stays."""
    if any(one.operation == operation for one in kept):
        return tuple(kept)
    return (*kept, Kept(operation, at))


def forget_kept(kept: Sequence[Kept], operation: str) -> tuple[Kept, ...]:
    """The pairs without that of `operation`."""
    return tuple(one for one in kept if one.operation != operation)


def until(one: Kept, keep: timedelta) -> datetime:
    """When its time is over."""
    return datetime.fromisoformat(one.since) + keep


def next_to_go(kept: Sequence[Kept]) -> Kept | None:
    """The one whose time is over first; None where nothing is kept."""
    return min(kept, key=lambda one: one.since, default=None)
