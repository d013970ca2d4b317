# SPDX-License-Identifier: Apache-2.0
"""Which templates of a server go: too old, or too many. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Aged:
    """A template and when it was last used, ISO 8601 with a zone; empty counts as never."""

    id: str
    used: str


def decide_dropped(
    templates: Sequence[Aged], *, keep: int | None, max_age_s: int | None, now: datetime, spare: str = ""
) -> tuple[str, ...]:
    """Ids of those that go, the longest unused first.

    Args:
        keep: how many stay, the last used ones; None keeps all.
        max_age_s: seconds since the last use after which one goes; None keeps all.
        spare: id of one that stays, and counts as the last used.
    """
    ordered = sorted(templates, key=lambda one: (one.id == spare, one.used, one.id), reverse=True)
    going: list[str] = []
    for number, one in enumerate(ordered):
        if one.id == spare:
            continue
        old = max_age_s is not None and (
            not one.used or now - datetime.fromisoformat(one.used) > timedelta(seconds=max_age_s)
        )
        if old or (keep is not None and number >= keep):
            going.append(one.id)
    return tuple(reversed(going))
