# SPDX-License-Identifier: Apache-2.0
"""Divides a container's memory among Odoo's processes. Knows nothing of connections; `sizing` is its only caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mooring.domain.odoo.errors import Refusal

MIB: Final = 1024 * 1024

RESERVE: Final = 128 * MIB
"""Kept free in a container for the master process and page tables. Measured on 14.0: the master holds 86 MiB, most of it
shared with its workers."""

SOFT_MIN: Final = 256 * MIB
"""Least soft limit that works. Odoo counts virtual memory; a worker of 14.0 with `mail` alone has 208 MiB of it after
its first requests, and one above its limit is replaced after every request."""

SOFT_AUTO: Final = 512 * MIB
"""Least soft limit that workers are chosen for when nobody chose them: several business applications fit."""

SOFT_MAX: Final = 2048 * MIB
"""Odoo's own default (`--limit-memory-soft`), and the most that is set without being asked."""

HARD_MIN: Final = 1536 * MIB
"""Least hard limit, whatever the container's size. It bounds address space (RLIMIT_AS), which children inherit:
wkhtmltopdf 0.12.6 crashes below it (measured: 1280 MiB fails, 1536 MiB works) and every PDF report with it. Memory that is
really used is bounded by the container."""

MEMORY_MIN: Final = SOFT_MIN + RESERVE
"""Smallest container that an Odoo process is started in."""


@dataclass(frozen=True)
class MemoryLimits:
    """Limits of the processes of one container, in bytes.

    Attributes:
        soft: of a worker or a threaded process.
        hard: as above.
        soft_evented: of the evented process.
        hard_evented: as above.
    """

    soft: int
    hard: int
    soft_evented: int
    hard_evented: int

    @classmethod
    def of(
        cls,
        *,
        soft: int,
        hard: int | None = None,
        soft_evented: int | None = None,
        hard_evented: int | None = None,
        widen: bool = False,
    ) -> MemoryLimits:
        """Fills in what nobody chose; with `widen`, `hard` only raises the limit."""
        own = _hard(soft)
        chosen = own if hard is None else max(own, hard) if widen else hard
        light = soft if soft_evented is None else soft_evented
        return cls(
            soft=soft,
            hard=chosen,
            soft_evented=light,
            hard_evented=max(chosen, _hard(light)) if hard_evented is None else hard_evented,
        )


def _hard(soft: int) -> int:
    """The hard limit for a soft one: Odoo's own ratio (2560 to 2048 MiB), and room for wkhtmltopdf."""
    return max(soft * 5 // 4, HARD_MIN)


def decide_memory(
    name: str, memory: int, workers: int, options: Mapping[str, int], refusals: list[Refusal]
) -> MemoryLimits:
    """Limits of the processes of one container.

    Args:
        name: of the field that limits the container, for messages.
        memory: that limit, in bytes.
        workers: 0 for one threaded process.
        options: the user's limits, as numbers.
        refusals: what does not fit is appended here, so that all faults are reported at once.
    """
    usable = memory - RESERVE
    light = options.get("limit_memory_soft_gevent") if workers else None
    share = usable // (workers + 1) if light is None else (usable - light) // workers
    hard = options.get("limit_memory_hard")
    below_hard = SOFT_MAX if hard is None else hard * 4 // 5 // MIB * MIB
    soft = options.get("limit_memory_soft", min(share // MIB * MIB, SOFT_MAX, below_hard))
    result = MemoryLimits.of(
        soft=soft,
        hard=hard,
        soft_evented=light,
        hard_evented=options.get("limit_memory_hard_gevent"),
    )
    total = soft * workers + result.soft_evented if workers else soft
    if total > usable:
        refusals.append(
            Refusal(
                name,
                f"{workers or 'one threaded'} process(es) of {mib(soft)}"
                + (f" and an evented one of {mib(result.soft_evented)}" if workers else "")
                + f" need {mib(total)}; {mib(memory)} less {mib(RESERVE)} leave {mib(usable)}.",
            )
        )
    elif min(soft, result.soft_evented) < SOFT_MIN:
        refusals.append(
            Refusal(
                name,
                f"{workers} worker(s) in {mib(memory)} leave {mib(min(soft, result.soft_evented))} for a process; "
                f"below {mib(SOFT_MIN)} Odoo restarts it after every request.",
            )
        )
    if result.hard <= soft:
        refusals.append(
            Refusal("limit_memory_hard", f"{mib(result.hard)} is not above limit_memory_soft ({mib(soft)}) in {name}.")
        )
    if result.hard_evented <= result.soft_evented:
        refusals.append(
            Refusal("limit_memory_hard_gevent", f"{mib(result.hard_evented)} is not above its soft limit in {name}.")
        )
    return result


def mib(size: int) -> str:
    """Bytes for people, such as `640 MiB`."""
    return f"{size / MIB:g} MiB" if size % MIB == 0 else f"{size / MIB:.1f} MiB"
