# SPDX-License-Identifier: Apache-2.0
"""The world of `SimTarget`: processes, data and tasks that go on while controllers come and go.

It outlives every `SimTarget`, as the real one outlives every controller. Time passes with its `SimClock`; what was due by
then (a stop, a task's end) has happened whenever anybody looks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from mooring.domain.model.desired import Policy, Workload, fingerprint
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.task import Progress, TaskSpec
from tests.support.sim_clock import SimClock

Json = Any


@dataclass(frozen=True)
class Outcome:
    """How a task ends.

    Attributes:
        seconds: how long it runs; None never ends by itself.
        effect: what it does to the world at its end, and only then.
        files: what it leaves in its own file system, by path.
    """

    exit_code: int = 0
    result: Json = field(default_factory=dict)
    error: dict[str, str] | None = None
    seconds: float | None = 1.0
    log: str = ""
    progress: Progress | None = None
    effect: Callable[[SimWorld, TaskSpec], None] | None = None
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """What a command inside a replica says and how it ends, by what it is given and whether it has a terminal."""

    said: Callable[[bytes, bool], bytes] = lambda _given, _tty: b""
    complained: bytes = b""
    exit_code: int = 0


@dataclass(frozen=True)
class Moment:
    """Something that happened: `what` at `at`."""

    at: datetime
    what: Literal["started", "ended", "task-started", "task-ended", "volume-removed"]
    ref: Ref
    role: str
    name: str
    release: str = ""


@dataclass
class SimContainer:
    """A replica. `gone_at` is when a stop that goes on will have removed it."""

    name: str
    ref: Ref
    role: str
    index: int
    identity: Identity | None
    workload: Workload
    fingerprint: str
    started_at: datetime | None
    exit_code: int | None = None
    gone_at: datetime | None = None
    edited: bool = False
    linked: bool = True
    lines: list[str] = field(default_factory=list)


@dataclass
class SimVolume:
    """Data. `data` is for tests' effects."""

    name: str
    ref: Ref
    role: str
    identity: Identity | None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass
class SimNetwork:
    """An owner's network."""

    name: str
    ref: Ref
    identity: Identity | None
    policy: Policy


@dataclass
class SimRelay:
    """The way out of a task that may reach a few places; there from before its start until its end was seen."""

    name: str
    task: str
    ref: Ref
    identity: Identity


@dataclass
class SimTask:
    """A task's process or what is left of it."""

    spec: TaskSpec
    outcome: Outcome
    started_at: datetime
    ends_at: datetime | None
    ended: bool = False
    cancelled: bool = False
    late: bool = False


class SimWorld:
    """Everything there is.

    Args:
        clock: its time.
        boot_s: seconds from a replica's start until its probe answers.
        stop_s: seconds that a polite stop takes.
    """

    def __init__(self, clock: SimClock | None = None, *, boot_s: float = 1.0, stop_s: float = 1.0) -> None:
        self.clock = clock or SimClock()
        self.boot_s = boot_s
        self.stop_s = stop_s
        self.containers: dict[str, SimContainer] = {}
        self.volumes: dict[str, SimVolume] = {}
        self.networks: dict[str, SimNetwork] = {}
        self.tasks: dict[str, SimTask] = {}
        self.relays: dict[str, SimRelay] = {}
        self.ports: dict[tuple[Ref, str], int] = {}
        self.endpoints: dict[tuple[Ref, str], str] = {}
        self.memories: dict[Ref, tuple[Identity, tuple[tuple[str, str], ...], str]] = {}
        self.images: dict[str, str] = {}
        self.timeline: list[Moment] = []
        self.rules: list[tuple[Callable[[TaskSpec], bool], Callable[[TaskSpec], Outcome]]] = []
        self.programs: dict[tuple[str, ...], Program] = {}
        self.broken: list[Callable[[Workload], bool]] = []
        self.changed: list[Ref] = []
        self.effects: list[str] = []

    # Looking

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        now = self.clock.now()
        for box in [box for box in self.containers.values() if box.gone_at is not None and box.gone_at <= now]:
            self.drop(box.name, at=box.gone_at or now)
        for name, task in self.tasks.items():
            if task.ended or task.ends_at is None or task.ends_at > now:
                continue
            task.ended = True
            self.note("task-ended", task.spec.place, "task", name, at=task.ends_at)
            if task.outcome.effect is not None and not task.cancelled and not task.late:
                task.outcome.effect(self, task.spec)

    def running(self, ref: Ref, role: str | None = None) -> list[SimContainer]:
        """Replicas with a process now, those that are stopping included."""
        self.settle()
        return [
            box
            for box in self.containers.values()
            if box.ref == ref and role in {None, box.role} and box.started_at is not None and box.exit_code is None
        ]

    def running_tasks(self, ref: Ref | None = None) -> list[TaskSpec]:
        """Tasks with a process now."""
        self.settle()
        return [task.spec for task in self.tasks.values() if not task.ended and ref in {None, task.spec.place}]

    def spans(self, ref: Ref, role: str) -> list[tuple[datetime, datetime | None]]:
        """When each process of a role (`task` for tasks) ran; None for one that still does."""
        self.settle()
        began: dict[str, datetime] = {}
        found: list[tuple[datetime, datetime | None]] = []
        for moment in sorted(self.timeline, key=lambda item: item.at):
            if moment.ref != ref or moment.role != role:
                continue
            if moment.what in {"started", "task-started"}:
                began[moment.name] = moment.at
            elif moment.name in began:
                found.append((began.pop(moment.name), moment.at))
        return found + [(start, None) for start in began.values()]

    def ready(self, box: SimContainer) -> bool:
        """Whether a replica's probe answers."""
        if box.started_at is None or box.exit_code is not None or box.gone_at is not None:
            return False
        probe = box.workload.probe
        if probe is None:
            return True
        booted = self.clock.now() - box.started_at >= timedelta(seconds=self.boot_s)
        return booted and probe.argv != ("false",) and not any(rule(box.workload) for rule in self.broken)

    # Changing, by the target and by hand

    def note(
        self,
        what: Literal["started", "ended", "task-started", "task-ended", "volume-removed"],
        ref: Ref,
        role: str,
        name: str,
        *,
        at: datetime | None = None,
        release: str = "",
    ) -> None:
        """Write down that something happened."""
        self.timeline.append(Moment(at or self.clock.now(), what, ref, role, name, release))
        self.changed.append(ref)

    def boot(self, box: SimContainer) -> None:
        """Start a replica's process."""
        box.started_at, box.exit_code = self.clock.now(), None
        self.note("started", box.ref, box.role, box.name, release=box.workload.image.reference)
        if box.workload.argv == ("false",):
            box.exit_code = 1
            self.note("ended", box.ref, box.role, box.name)

    def end(self, name: str, exit_code: int = 137) -> None:
        """End a replica's process without removing it."""
        box = self.containers[name]
        if box.exit_code is None and box.started_at is not None:
            box.exit_code = exit_code
            self.note("ended", box.ref, box.role, name)

    def drop(self, name: str, *, at: datetime | None = None) -> None:
        """Remove a replica."""
        box = self.containers.pop(name)
        if box.exit_code is None and box.started_at is not None:
            self.note("ended", box.ref, box.role, name, at=at)

    def reboot(self) -> None:
        """The machine restarts: tasks end, replicas that were wanted come back, stops are done."""
        self.settle()
        for task in self.tasks.values():
            if not task.ended:
                task.ended, task.cancelled = True, True
                self.note("task-ended", task.spec.place, "task", task.spec.name)
        for box in list(self.containers.values()):
            if box.gone_at is not None:
                self.drop(box.name)
            else:
                self.end(box.name)
                self.boot(box)

    def add_stranger(self, kind: Literal["container", "volume", "network"], name: str, ref: Ref) -> None:
        """An object that carries no identity, under a name of ours."""
        image = Workload("", 1, ResolvedRelease("", "", ""), (), (1, 1))
        match kind:
            case "container":
                self.containers[name] = SimContainer(name, ref, "", 0, None, image, "", None)
            case "volume":
                self.volumes[name] = SimVolume(name, ref, "", None)
            case "network":
                self.networks[name] = SimNetwork(name, ref, None, Policy())

    def volume(self, ref: Ref, role: str) -> SimVolume:
        """The volume of a role.

        Raises:
            KeyError: there is none.
        """
        return self.volumes[child(ref, role)]


def replica_fingerprint(workload: Workload, policy: Policy) -> str:
    """What a replica is made from; the number of replicas does not count."""
    image = dataclasses.replace(workload.image, source="", pull_secret=None)
    plain = dataclasses.replace(workload, replicas=1, image=image)
    return f"{fingerprint(plain)}-{policy_text(policy)}"


def policy_text(policy: Policy) -> str:
    """What counts of a policy; `allow` means nothing where everything is open."""
    return policy.egress if policy.egress == "open" else f"none but {policy.allow}"
