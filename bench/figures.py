# SPDX-License-Identifier: Apache-2.0
"""What was measured, as values: pure, so that tests can hold them against a page."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One thing that was measured several times.

    Attributes:
        name: what it is, as a reader is told it.
        unit: of the samples: `ratio`, `s`, `MiB`, `%`, or what is counted.
        samples: every run that came to its end, slow ones too, in the order in which they ran.
        limit: the median must not be above it; None for what is only told.
        failed: why a run gave no sample, one text a run.
        note: what a reader has to know to judge it.
    """

    name: str
    unit: str
    samples: tuple[float, ...]
    limit: float | None = None
    failed: tuple[str, ...] = ()
    note: str = ""

    @property
    def median(self) -> float | None:
        """The middle of the samples; None without any."""
        return statistics.median(self.samples) if self.samples else None

    @property
    def verdict(self) -> str:
        """`met`, `missed`, `not measured`, or nothing where there is no limit."""
        if self.median is None:
            return "not measured"
        if self.limit is None:
            return ""
        return "met" if self.median <= self.limit else "missed"


@dataclass(frozen=True)
class Part:
    """One part of a run: its figures, and text for below the table.

    Attributes:
        load: of the machine before and after (one minute's average), as the kernel tells it.
        lists: title → lines.
    """

    title: str
    what: str
    figures: tuple[Figure, ...] = ()
    load: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)


def ratios(ours: tuple[float, ...], bare: tuple[float, ...]) -> tuple[float, ...]:
    """Each of ours by the bare one that ran beside it."""
    return tuple(a / b for a, b in zip(ours, bare, strict=True))
