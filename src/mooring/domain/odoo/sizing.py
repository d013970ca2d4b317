# SPDX-License-Identifier: Apache-2.0
"""Decides how many processes an instance has, and how much memory and how many connections each may use.

Odoo's limits are per process. Memory: in every container (workers + cron) x soft + evented <= the container's limit, less
RESERVE for the master and what the kernel counts besides. Connections: all processes of all replicas x db_maxconn <= what
the server has to give. Where that cannot hold, it refuses with the figures; it never squeezes silently below what works.

Layout: a web container runs `workers` HTTP processes and one evented process (or one threaded process when workers is 0)
and no cron; a cron container is one threaded process without HTTP; a task and a probe are one process each. Called by
whoever decides workloads, before odoo.conf is rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mooring.domain.odoo.errors import ConnectionsRefused, Refusal, ResourcesRefused
from mooring.domain.odoo.facts import facts_for
from mooring.domain.odoo.memory import (
    HARD_MIN,
    MEMORY_MIN,
    RESERVE,
    SOFT_AUTO,
    SOFT_MAX,
    MemoryLimits,
    decide_memory,
    mib,
)
from mooring.domain.odoo.options import OptionValue, read_integer

CONNECTIONS_RESERVED: Final = 10
"""Connections of a server that no instance gets: administration, backups, checks."""

MAXCONN_MIN: Final = 4
"""Least db_maxconn: a request may hold several cursors at once (its own, the registry's, a sequence's, the bus's)."""

MAXCONN_WORKER: Final = 16
"""Most db_maxconn that is set without being asked where a process serves one request at a time."""

MAXCONN_THREADED: Final = 32
"""The same for a threaded process, which serves db_maxconn // 2 requests at a time (odoo/service/server.py)."""

SIZING_KEYS: Final = frozenset(
    {
        "db_maxconn",
        "db_maxconn_gevent",
        "limit_memory_hard",
        "limit_memory_hard_gevent",
        "limit_memory_soft",
        "limit_memory_soft_gevent",
        "max_cron_threads",
    }
)
"""Options of the user's that are decided here; rendering takes them from the result."""


@dataclass(frozen=True, kw_only=True)
class SizingInput:
    """What a size is decided from.

    Attributes:
        series: of the release, such as `18.0`.
        cpu_millicores: CPU limit of one web replica.
        memory_bytes: memory limit of one web replica.
        workers: processes in one web replica, 0 for threaded mode, None to choose.
        replicas: of web.
        cron_memory_bytes: memory limit of one cron replica; None for web's.
        cron_replicas: of cron.
        cron_threads: in one cron replica, unless the option `max_cron_threads` says otherwise (Odoo's default is 2).
        task_memory_bytes: memory limit of a task; None for web's.
        max_connections: what the database server is set to.
        other_processes: further Odoo processes beside web and cron that may be connected at once: a shell or a task.
        options: the user's odoo.conf options; those in SIZING_KEYS are read, the others ignored.
    """

    series: str
    cpu_millicores: int
    memory_bytes: int
    workers: int | None = None
    replicas: int = 1
    cron_memory_bytes: int | None = None
    cron_replicas: int = 1
    cron_threads: int = 2
    task_memory_bytes: int | None = None
    max_connections: int = 200
    other_processes: int = 1
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ProcessSizing:
    """The numbers of one container's odoo.conf. Memory in bytes; every limit is per process.

    Attributes:
        workers: HTTP processes; 0 is one threaded process.
        max_cron_threads: 0 everywhere but in the cron container.
        limit_memory_soft: a process above it is replaced after its request.
        limit_memory_hard: an allocation above it fails.
        limit_memory_soft_evented: the same for the evented process; another number only where the series has the option.
        limit_memory_hard_evented: as above.
        db_maxconn: connections of a process.
        db_maxconn_evented: connections of the evented process; another number only where the series has the option.
    """

    workers: int
    max_cron_threads: int
    limit_memory_soft: int
    limit_memory_hard: int
    limit_memory_soft_evented: int
    limit_memory_hard_evented: int
    db_maxconn: int
    db_maxconn_evented: int

    @property
    def has_evented(self) -> bool:
        """Whether there is an evented process, and so an evented port to route to."""
        return self.workers > 0

    @property
    def processes(self) -> int:
        """Processes that serve, without the master."""
        return self.workers + 1 if self.workers else 1

    @property
    def memory(self) -> int:
        """Bytes that the soft limits of all processes add up to."""
        if not self.workers:
            return self.limit_memory_soft
        return self.workers * self.limit_memory_soft + self.limit_memory_soft_evented

    @property
    def connections(self) -> int:
        """Connections that one replica may open."""
        if not self.workers:
            return self.db_maxconn
        return self.workers * self.db_maxconn + self.db_maxconn_evented


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The decision for an instance.

    Attributes:
        web: one web replica.
        cron: one cron replica.
        task: a task next to the data (`-i`, `-u`, shell).
        probe: a probe of data that is not yet released to users.
        connections: most that all processes together may open.
        connections_least: what they work with at least; the same as `connections` where the user chose `db_maxconn`.
        connections_allowed: what they may open.
        reasons: why the numbers are what they are, one sentence each, for `plan` and `status`.
    """

    web: ProcessSizing
    cron: ProcessSizing
    task: ProcessSizing
    probe: ProcessSizing
    connections: int
    connections_least: int
    connections_allowed: int
    reasons: tuple[str, ...]


def decide_sizing(wanted: SizingInput) -> Sizing:
    """The sizes of all processes of an instance.

    Raises:
        ResourcesRefused: memory, workers and options do not fit together; all faults at once.
        ConnectionsRefused: the database server has too few connections.
        UnknownSeries: the series is not in the table.
    """
    options, refusals = _read_options(wanted)
    cron_memory = wanted.memory_bytes if wanted.cron_memory_bytes is None else wanted.cron_memory_bytes
    task_memory = wanted.memory_bytes if wanted.task_memory_bytes is None else wanted.task_memory_bytes
    for name, memory in (
        ("resources.memory", wanted.memory_bytes),
        ("cron.resources.memory", cron_memory),
        ("the task's memory", task_memory),
    ):
        if memory < MEMORY_MIN:
            refusals.append(Refusal(name, f"{mib(memory)} is less than the {mib(MEMORY_MIN)} that Odoo needs."))
    if wanted.workers is not None and wanted.workers < 0:
        refusals.append(Refusal("workers", f"{wanted.workers} is less than 0."))
    if refusals:
        raise ResourcesRefused("The instance's resources cannot be divided among its processes.", refusals)

    workers, reasons = _decide_workers(wanted, options)
    web = decide_memory("resources.memory", wanted.memory_bytes, workers, options, refusals)
    cron = decide_memory("cron.resources.memory", cron_memory, 0, options, refusals)
    # A task runs to its end whatever it needs: the user's soft limit is for what serves, his hard limit only widens.
    alone = MemoryLimits.of(
        soft=min(task_memory - RESERVE, SOFT_MAX), hard=options.get("limit_memory_hard"), widen=True
    )
    if refusals:
        raise ResourcesRefused("The instance's resources cannot be divided among its processes.", refusals)

    allowed = wanted.max_connections - CONNECTIONS_RESERVED
    maxconn, evented = _decide_connections(wanted, workers, options, allowed)
    least = options.get("db_maxconn", min(MAXCONN_MIN, maxconn))
    threads = options.get("max_cron_threads", wanted.cron_threads)
    return Sizing(
        web=_sized(web, workers=workers, cron=0, maxconn=maxconn, evented=evented),
        cron=_sized(cron, workers=0, cron=threads, maxconn=maxconn, evented=maxconn),
        task=_sized(alone, workers=0, cron=0, maxconn=maxconn, evented=maxconn),
        probe=_sized(alone, workers=0, cron=0, maxconn=maxconn, evented=maxconn),
        connections=_connections(wanted, workers, maxconn, evented),
        connections_least=_connections(wanted, workers, least, options.get("db_maxconn_gevent", least)),
        connections_allowed=allowed,
        reasons=(
            *reasons,
            (
                f"limit_memory_soft {mib(web.soft)}: {mib(wanted.memory_bytes)} less {mib(RESERVE)}, shared by "
                f"{workers + 1 if workers else 1} process(es), at most {mib(SOFT_MAX)}."
            ),
            f"db_maxconn {maxconn}: at most {_connections(wanted, workers, maxconn, evented)} of {allowed} connections.",
            *_doubts(web),
        ),
    )


def _sized(limits: MemoryLimits, *, workers: int, cron: int, maxconn: int, evented: int) -> ProcessSizing:
    return ProcessSizing(
        workers=workers,
        max_cron_threads=cron,
        limit_memory_soft=limits.soft,
        limit_memory_hard=limits.hard,
        limit_memory_soft_evented=limits.soft_evented,
        limit_memory_hard_evented=limits.hard_evented,
        db_maxconn=maxconn,
        db_maxconn_evented=evented,
    )


def _doubts(web: MemoryLimits) -> tuple[str, ...]:
    if web.hard >= HARD_MIN:
        return ()
    return (f"limit_memory_hard {mib(web.hard)}, as asked: PDF reports fail below {mib(HARD_MIN)}.",)


def _read_options(wanted: SizingInput) -> tuple[dict[str, int], list[Refusal]]:
    """The user's options that are decided here, as numbers, and what is wrong with them."""
    facts = facts_for(wanted.series)
    options: dict[str, int] = {}
    refusals: list[Refusal] = []
    for key in sorted(SIZING_KEYS & {name.lower() for name in wanted.options}):
        raw = next(value for name, value in wanted.options.items() if name.lower() == key)
        number = read_integer(raw)
        if number is None or number < 1:
            refusals.append(Refusal(key, "must be a whole number above 0."))
        elif not facts.knows(key):
            refusals.append(Refusal(key, f"is no option of Odoo {wanted.series}, which would ignore it."))
        else:
            options[key] = number
    return options, refusals


def _decide_workers(wanted: SizingInput, options: Mapping[str, int]) -> tuple[int, tuple[str, ...]]:
    """Workers of a web replica, with the reason."""
    if wanted.workers is not None:
        return wanted.workers, (f"workers {wanted.workers}: as asked.",)
    # Odoo's deployment guide: (CPU * 2) + 1. Two at least: one alone would stand still while it serves a slow request.
    by_cpu = max(2, wanted.cpu_millicores * 2 // 1000 + 1)
    share = options.get("limit_memory_soft", SOFT_AUTO)
    evented = options.get("limit_memory_soft_gevent", share)
    by_memory = max(0, (wanted.memory_bytes - RESERVE - evented) // share)
    if by_memory < 2:
        reason = (
            f"workers 0 (threaded): {mib(wanted.memory_bytes)} is too little for two workers and an evented "
            f"process of {mib(share)} each."
        )
        return 0, (reason,)
    reason = (
        f"workers {min(by_cpu, by_memory)}: {by_cpu} for {wanted.cpu_millicores / 1000:g} CPU (twice and one), "
        f"{by_memory} fit into {mib(wanted.memory_bytes)} at {mib(share)} each."
    )
    return min(by_cpu, by_memory), (reason,)


def _connections(wanted: SizingInput, workers: int, maxconn: int, evented: int) -> int:
    """Connections that all processes of the instance may open."""
    per_web = workers * maxconn + evented if workers else maxconn
    return wanted.replicas * per_web + (wanted.cron_replicas + wanted.other_processes) * maxconn


def _decide_connections(wanted: SizingInput, workers: int, options: Mapping[str, int], allowed: int) -> tuple[int, int]:
    """`db_maxconn` of a process and of the evented process.

    Raises:
        ConnectionsRefused: they would exceed `allowed`.
    """
    chosen, light = options.get("db_maxconn"), options.get("db_maxconn_gevent")
    fixed = wanted.replicas * (light or 0) if workers else 0
    processes = wanted.replicas * (workers + (0 if light else 1) if workers else 1)
    processes += wanted.cron_replicas + wanted.other_processes
    most = MAXCONN_WORKER if workers else MAXCONN_THREADED
    maxconn = chosen if chosen is not None else min(most, (allowed - fixed) // max(1, processes))
    evented = light if light is not None else maxconn
    needed = _connections(wanted, workers, maxconn, evented)
    shape = (
        f"{wanted.replicas} web replica(s) with {workers or 1} worker(s)"
        f"{' and an evented process' if workers else ''}, {wanted.cron_replicas} cron, {wanted.other_processes} other"
    )
    limit = f"max_connections {wanted.max_connections} less {CONNECTIONS_RESERVED}"
    if chosen is None and maxconn < MAXCONN_MIN:
        raise ConnectionsRefused(
            f"The database server has too few connections: {allowed} ({limit}) for {processes} processes "
            f"({shape}) that need at least {MAXCONN_MIN} each."
        )
    if needed > allowed:
        raise ConnectionsRefused(
            f"The instance could open {needed} connections ({shape}, db_maxconn {maxconn}); "
            f"the server gives {allowed} ({limit})."
        )
    return maxconn, evented
