# SPDX-License-Identifier: Apache-2.0
"""A target without a world outside: passes the contract suite, and simulates whole operations in no time.

A `SimTarget` is one life of a controller; its `SimWorld` goes on when that life ends:

    world = SimWorld()
    sim = SimTarget(world)
    sim.on_task(lambda task: task.name.endswith("upgrade-1"), Outcome(exit_code=1))
    sim.crash_after(3)                       # the third effect from now ends this life with SimCrash
    ...
    sim = SimTarget(world)                   # the next life

Faults: `crash_after`, `stale_reads`, `duplicates`, `unreachable`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta

from mooring.domain.model.desired import Desired, Destination, Endpoint, Workload
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.observed import (
    Change,
    EndpointSeen,
    Found,
    ObjectSeen,
    Observed,
    Replica,
    VolumeSeen,
    WorkloadSeen,
)
from mooring.domain.model.release import ENGINE_RELEASE, Release, ResolvedRelease
from mooring.domain.model.secret import SecretKey, version_name
from mooring.domain.task import TaskSpec, TaskState, tail
from mooring.drivers.errors import NoSuchObject
from mooring.targets.base import Capabilities, SecretReader
from mooring.targets.errors import (
    AddressNotRelayed,
    EngineUnreachable,
    Foreign,
    ImageNotFound,
    NotRunning,
    TaskBusy,
    TaskDeadline,
    TaskFailed,
    TaskInterrupted,
)
from tests.support.sim_world import (
    Outcome,
    SimContainer,
    SimNetwork,
    SimRelay,
    SimTask,
    SimVolume,
    SimWorld,
    policy_text,
    replica_fingerprint,
)

FIRST_PORT = 18069


class SimCrash(BaseException):
    """This life of the controller ended, as by kill -9."""


class SimTarget:
    """One life of a controller over a `SimWorld`.

    Args:
        world: what there is; a new one by default.
        secrets: read for every slot of a file that is written; None reads nothing.
        installation: id of this Mooring.
    """

    capabilities = Capabilities(name="sim")

    def __init__(
        self, world: SimWorld | None = None, *, secrets: SecretReader | None = None, installation: str = "sim"
    ) -> None:
        self.world = world or SimWorld()
        self.installation = installation
        self.duplicates = False
        self.unreachable = False
        self._secrets = secrets
        self._crash_in: int | None = None
        self._crash_applied = False
        self._stale = 0
        self._before: dict[Ref, Observed] = {}

    # Scripts and faults

    def on_task(self, predicate: Callable[[TaskSpec], bool], outcome: Outcome | Callable[[TaskSpec], Outcome]) -> None:
        """Decide how matching tasks end; the latest matching rule counts. Without one a task succeeds after a second."""
        make = outcome if callable(outcome) else lambda _task, fixed=outcome: fixed
        self.world.rules.append((predicate, make))

    def crash_after(self, effects: int, *, applied: bool = True) -> None:
        """End this life at the `effects`-th effect from now: just after it, or just before it unless `applied`."""
        self._crash_in, self._crash_applied = effects, applied

    def stale_reads(self, count: int) -> None:
        """Answer the next `count` observations that are not live with what the last one saw."""
        self._stale = count

    def _effect(self, what: str, apply: Callable[[], None]) -> None:
        """Every change of the world goes through here."""
        if self._crash_in is not None:
            self._crash_in -= 1
            if self._crash_in <= 0:
                if self._crash_applied:
                    self.world.effects.append(what)
                    apply()
                raise SimCrash(what)
        self.world.effects.append(what)
        apply()

    def _answer(self) -> None:
        if self.unreachable:
            raise EngineUnreachable("the simulated engine does not answer")
        self.world.settle()

    # Target

    async def observe(self, ref: Ref, *, live: bool = False) -> Observed:
        """See `Target.observe`."""
        await asyncio.sleep(0)
        self._answer()
        if not live and self._stale > 0 and ref in self._before:
            self._stale -= 1
            return self._before[ref]
        self._before[ref] = seen = self._observe(ref, live=live)
        return seen

    def _observe(self, ref: Ref, *, live: bool) -> Observed:
        world = self.world
        roles: dict[str, list[Replica]] = {}
        objects: dict[str, ObjectSeen] = {}
        for box in sorted(world.containers.values(), key=lambda item: (item.role, item.index)):
            if box.ref != ref:
                continue
            running = box.started_at is not None and box.exit_code is None
            ready = world.ready(box)
            state = "stopping" if box.gone_at is not None else "running" if running else "exited"
            detail = {
                "role": box.role,
                "index": str(box.index),
                "state": state,
                "ready": "yes" if ready else "no",
                "drift": "its file was changed" if box.edited and live else "",
                "linked": "yes" if box.linked else "no",
            }
            key = f"container {box.name}"
            objects[key] = ObjectSeen("container", box.name, box.fingerprint, box.identity, detail)
            if box.identity is not None:
                log = tail("\n".join(box.lines)) if box.exit_code else ""
                replica = Replica(box.name, running, ready, box.started_at, 0, box.exit_code, box.fingerprint, log)
                roles.setdefault(box.role, []).append(replica)
        for net in world.networks.values():
            if net.ref == ref:
                key = f"network {net.name}"
                objects[key] = ObjectSeen("network", net.name, policy_text(net.policy), net.identity)
        for relay in world.relays.values():
            if relay.ref == ref:
                key = f"relay {relay.name}"
                objects[key] = ObjectSeen("relay", relay.name, "", relay.identity, {"task": relay.task})
        if (kept := world.memories.get(ref)) is not None:
            objects["memory"] = ObjectSeen("memory", "memory", f"{kept[1]}{kept[2]}", kept[0])
        volumes: dict[str, VolumeSeen] = {}
        for volume in world.volumes.values():
            if volume.ref == ref:
                objects[f"volume {volume.name}"] = ObjectSeen("volume", volume.name, "", volume.identity)
                volumes[volume.role] = VolumeSeen(volume.role, volume.name, volume.identity)
        return Observed(
            ref=ref,
            at=world.clock.now(),
            live=live,
            workloads={role: WorkloadSeen(role, tuple(found)) for role, found in roles.items()},
            volumes=volumes,
            endpoints={
                name: EndpointSeen(name, url, world.ports.get((owner, name)))
                for (owner, name), url in world.endpoints.items()
                if owner == ref
            },
            objects=objects,
            tasks=tuple(sorted(task.name for task in world.running_tasks(ref))),
        )

    def selector(self, ref: Ref, *, role: str) -> str:
        """See `Target.selector`."""
        return f"owner={ref},role={role}"

    def diff(self, want: Desired, seen: Observed) -> Sequence[Change]:
        """See `Target.diff`."""
        refused = list(_refusals(want, seen))
        return refused or [change for change, _ in self._plan(want, seen)]

    async def converge(self, want: Desired, seen: Observed) -> Sequence[Change]:
        """See `Target.converge`."""
        await asyncio.sleep(0)
        self._answer()
        refused = [*_refusals(want, seen), *_refusals(want, self._observe(want.ref, live=True))]
        if refused:
            raise Foreign("; ".join(f"{item.object}: {item.reason}" for item in refused))
        done: list[Change] = []
        for _ in range(2 if self.duplicates else 1):
            for change, apply in self._plan(want, seen):
                if apply is not None:
                    if change.action in {"create", "replace"}:
                        await self._read_secrets(want)
                    self._effect(f"{change.action} {change.object}", apply)
                    done.append(change)
        return done

    def _plan(self, want: Desired, seen: Observed) -> Iterator[tuple[Change, Callable[[], None] | None]]:
        """Each difference, with what mends it; None where that has to wait."""
        boxes = {item.name: item for item in seen.objects.values() if item.kind == "container"}
        wanted = {_name(want.ref, item.role, i): (item, i) for item in want.workloads for i in range(item.replicas)}
        for name, item in boxes.items():
            if name not in wanted:
                change = Change("stop", f"container {name}", "it is no longer wanted", "downtime")
                yield change, None if item.detail["state"] == "stopping" else _bind(self._stop, name)
        yield from self._plan_memory(want, seen)
        for item in seen.objects.values():
            if item.kind == "relay" and item.detail["task"] not in seen.tasks:
                change = Change("remove", f"container {item.name}", "its task does not run")
                yield change, _bind(self._close, item.detail["task"])
        yield from self._plan_network(want, seen, boxes)
        for volume in want.volumes:
            name = child(want.ref, volume.role)
            if f"volume {name}" not in seen.objects:
                change = Change("create", f"volume {name}", "it is missing")
                yield change, _bind(self._make_volume, name, want.ref, want.identity, volume.role)
        for workload in want.workloads:
            yield from self._plan_workload(want, workload, boxes)
        for endpoint in want.endpoints:
            if endpoint.name not in seen.endpoints:
                change = Change("create", f"endpoint {endpoint.name}", "it is missing")
                yield change, _bind(self._publish, want.ref, endpoint)
        for name in seen.endpoints:
            if name not in {endpoint.name for endpoint in want.endpoints}:
                change = Change("remove", f"endpoint {name}", "it is no longer wanted")
                yield change, _bind(self._unpublish, want.ref, name)

    def _plan_memory(self, want: Desired, seen: Observed) -> Iterator[tuple[Change, Callable[[], None] | None]]:
        known = seen.objects.get("memory")
        stamp = fingerprint_of(want)
        if stamp and (known is None or known.fingerprint != stamp):
            change = Change("create", "memory", "what is wanted and known is written down", beside=True)
            yield change, _bind(self._remember, want)
        elif not stamp and known is not None and known.identity == want.identity:
            yield Change("remove", "memory", "nothing is wanted", beside=True), _bind(self._forget, want.ref)

    def _plan_network(
        self, want: Desired, seen: Observed, boxes: dict[str, ObjectSeen]
    ) -> Iterator[tuple[Change, Callable[[], None] | None]]:
        name = child(want.ref, "network")
        item = seen.objects.get(f"network {name}")
        if want.network and item is None:
            yield Change("create", f"network {name}", "it is missing"), _bind(self._make_network, name, want)
        elif want.network and item is not None and item.fingerprint != policy_text(want.policy):
            change = Change("replace", f"network {name}", "its policy changed", "downtime")
            yield change, _bind(self._make_network, name, want)
        elif not want.network and item is not None:
            change = Change("remove", f"network {name}", "it is no longer wanted")
            yield change, None if boxes or seen.tasks else lambda: _discard(self.world.networks, name)

    def _plan_workload(
        self, want: Desired, workload: Workload, boxes: dict[str, ObjectSeen]
    ) -> Iterator[tuple[Change, Callable[[], None] | None]]:
        stamp = replica_fingerprint(workload, want.policy)
        outdated: list[tuple[bool, str]] = []
        blocked = False
        for index in range(workload.replicas):
            name = _name(want.ref, workload.role, index)
            item = boxes.get(name)
            if item is None:
                change = Change("create", f"container {name}", "it is missing")
                yield change, _bind(self._make, name, want, workload, index)
                blocked = True
            elif item.fingerprint != stamp or item.detail["drift"]:
                outdated.append((item.detail["ready"] == "yes", name))
            elif item.detail["state"] == "stopping":
                yield Change("start", f"container {name}", "it is stopping, and wanted", "restart"), None
                blocked = True
            elif item.detail["state"] != "running":
                yield Change("start", f"container {name}", "it is not running"), _bind(self._start, name)
                blocked = True
            elif item.detail["linked"] == "no":
                change = Change("replace", f"container {name}", "it was taken off its network", "restart")
                yield change, _bind(self._stop, name)
                blocked = True
            elif item.detail["ready"] == "no" and workload.probe is not None:
                blocked = True
        for _, name in sorted(outdated):
            change = Change("replace", f"container {name}", "what it is made from changed", "restart")
            state = boxes[name].detail["state"]
            if blocked or state == "stopping":
                yield change, None
            elif state == "running":
                yield change, _bind(self._stop, name)
            else:
                yield change, _bind(self._remake, name, want, workload)
            blocked = True

    # Effects; each is safe to repeat

    def _remember(self, want: Desired) -> None:
        self.world.memories[want.ref] = (want.identity, want.notes, want.memory)

    def _forget(self, ref: Ref) -> None:
        self.world.memories.pop(ref, None)

    def _stop(self, name: str) -> None:
        box = self.world.containers.get(name)
        if box is None or box.gone_at is not None:
            return
        if box.exit_code is not None or box.started_at is None:
            self.world.drop(name)
            return
        box.gone_at = self.world.clock.now() + timedelta(seconds=self.world.stop_s)

    def _start(self, name: str) -> None:
        box = self.world.containers.get(name)
        if box is not None and box.exit_code is not None:
            self.world.boot(box)

    def _make(self, name: str, want: Desired, workload: Workload, index: int) -> None:
        if name in self.world.containers:
            return
        for mount in workload.mounts:
            if not mount.foreign and not mount.machine:
                self._make_volume(child(want.ref, mount.volume), want.ref, want.identity, mount.volume)
        stamp = replica_fingerprint(workload, want.policy)
        box = SimContainer(name, want.ref, workload.role, index, want.identity, workload, stamp, None)
        self.world.containers[name] = box
        self.world.boot(box)

    def _remake(self, name: str, want: Desired, workload: Workload) -> None:
        index = self.world.containers[name].index
        self.world.drop(name)
        self._make(name, want, workload, index)

    def _make_volume(self, name: str, ref: Ref, identity: Identity, role: str) -> None:
        self.world.volumes.setdefault(name, SimVolume(name, ref, role, identity))

    def _make_network(self, name: str, want: Desired) -> None:
        self.world.networks[name] = SimNetwork(name, want.ref, want.identity, want.policy)

    def _publish(self, ref: Ref, endpoint: Endpoint) -> None:
        world = self.world
        if endpoint.hosts:
            scheme = "http" if endpoint.tls.mode == "none" else "https"
            world.endpoints[ref, endpoint.name] = f"{scheme}://{endpoint.hosts[0]}"
            return
        kept = world.ports.get((ref, endpoint.name))
        free = next(port for port in range(FIRST_PORT, FIRST_PORT + 500) if port not in world.ports.values())
        port = endpoint.port or kept or free
        world.ports[ref, endpoint.name] = port
        world.endpoints[ref, endpoint.name] = f"http://127.0.0.1:{port}"

    def _unpublish(self, ref: Ref, name: str) -> None:
        self.world.endpoints.pop((ref, name), None)

    async def _read_secrets(self, want: Desired) -> None:
        if self._secrets is None:
            return
        for spec in want.secrets:
            for name in spec.keys:
                await self._secrets.value(SecretKey(spec.ref, name))
        for workload in want.workloads:
            for file in workload.files:
                for key in file.secrets():
                    await self._secrets.value(key)

    # Tasks

    async def start(self, task: TaskSpec) -> None:
        """See `Target.start`."""
        await asyncio.sleep(0)
        self._answer()
        known = self.world.tasks.get(task.name)
        if known is None and task.name in self.world.containers:
            raise Foreign(f"the name {task.name} is taken by a container")
        if known is not None:
            if (known.spec.place, known.spec.identity, known.spec.fence) != (task.place, task.identity, task.fence):
                raise Foreign(f"the name {task.name} is taken by another task")
            return
        if self._secrets is not None:
            for file in task.files:
                for key in file.secrets():
                    await self._secrets.value(key)
        if task.allow and not task.egress:
            self._check_allow(task.allow)
            self._effect(f"open the way of task {task.name}", lambda: self._open(task))
        self._effect(f"start task {task.name}", lambda: self._run(task))

    def _check_allow(self, allow: tuple[Destination, ...]) -> None:
        """As a target that stands in between: an address is pointed elsewhere only with the help of a variable."""
        for item in allow:
            with contextlib.suppress(ValueError):
                ipaddress.ip_address(item.host)
                if not item.address_variable:
                    raise AddressNotRelayed(f"{item.host}:{item.port} cannot be the only one that is reached")

    def _open(self, task: TaskSpec) -> None:
        name = f"{task.name}-relay-0"
        self.world.relays[name] = SimRelay(name, task.name, task.place, task.identity)

    def _close(self, task: str) -> None:
        self.world.relays.pop(f"{task}-relay-0", None)

    def _run(self, task: TaskSpec) -> None:
        outcome = next((make(task) for matches, make in reversed(self.world.rules) if matches(task)), Outcome())
        now = self.world.clock.now()
        ends = None if outcome.seconds is None else now + timedelta(seconds=outcome.seconds)
        limit = now + task.deadline
        late = ends is None or ends > limit
        self.world.tasks[task.name] = SimTask(task, outcome, now, limit if late else ends, late=late)
        for mount in task.mounts:
            if not mount.foreign and not mount.machine:
                self._make_volume(child(task.place, mount.volume), task.place, task.identity, mount.volume)
        self.world.note("task-started", task.place, "task", task.name)

    async def task(self, name: str) -> TaskState:
        """See `Target.task`."""
        await asyncio.sleep(0)
        self._answer()
        known = self.world.tasks.get(name)
        if known is None:
            return TaskState("absent")
        outcome = known.outcome
        if not known.ended:
            return TaskState("running", progress=outcome.progress, log_tail=tail(outcome.log))
        self._close(name)
        good = outcome.exit_code == 0 and (outcome.result is not None or known.spec.image is not None)
        if good and not known.cancelled and not known.late:
            return TaskState("succeeded", 0, outcome.progress, outcome.result, None, tail(outcome.log))
        if known.cancelled:
            fault = TaskInterrupted(f"the task {name} was stopped before its end").to_json()
            code = 143
        elif known.late:
            fault = TaskDeadline(f"the task {name} ran longer than it may and was stopped").to_json()
            code = 137
        else:
            fault = TaskFailed(f"the task {name} ended with exit code {outcome.exit_code}").to_json()
            fault = outcome.error or fault
            code = outcome.exit_code
        error = {key: str(value) for key, value in fault.items()}
        return TaskState("failed", code, outcome.progress, None, error, tail(outcome.log))

    async def cancel(self, name: str) -> None:
        """See `Target.cancel`."""
        await asyncio.sleep(0)
        self._answer()
        known = self.world.tasks.get(name)
        if known is None or known.ended or known.cancelled:
            return

        def stop() -> None:
            known.cancelled = True
            known.ends_at = self.world.clock.now() + timedelta(seconds=self.world.stop_s)

        self._effect(f"cancel task {name}", stop)

    async def forget(self, name: str) -> None:
        """See `Target.forget`."""
        await asyncio.sleep(0)
        self._answer()
        known = self.world.tasks.get(name)
        if known is None:
            return
        if not known.ended:
            raise TaskBusy(f"the task {name} still runs")
        self._close(name)
        self._effect(f"forget task {name}", lambda: _discard(self.world.tasks, name))

    # The rest

    async def read_task_file(self, name: str, path: str) -> AsyncIterator[bytes]:
        """See `Target.read_task_file`; what a task leaves is what its outcome says."""
        await asyncio.sleep(0)
        self._answer()
        task = self.world.tasks.get(name)
        content = task.outcome.files.get(path) if task is not None else None
        if content is None:
            raise NoSuchObject(f"the task {name} left no {path}")
        yield content

    async def resolve(self, release: Release, *, pull_secret: SecretKey | None = None) -> ResolvedRelease:
        """See `Target.resolve`. Any image is here unless `world.images` is filled, name to digest."""
        await asyncio.sleep(0)
        self._answer()
        source = release.display
        if self.world.images and source not in self.world.images:
            raise ImageNotFound(f"no registry has {source}")
        digest = self.world.images.get(source, f"sha256:sim-{source}")
        return ResolvedRelease(source, digest, digest)

    async def read_image_file(
        self, image: ResolvedRelease, path: str, *, place: Ref, identity: Identity
    ) -> bytes | None:
        """See `Target.read_image_file`; images are names here, with nothing to read in them."""
        await asyncio.sleep(0)
        self._answer()
        return None

    async def remove_volumes(self, ref: Ref, identity: str) -> Sequence[str]:
        """See `Target.remove_volumes`."""
        await asyncio.sleep(0)
        self._answer()
        found = sorted((item for item in self.world.volumes.values() if item.ref == ref), key=lambda item: item.name)
        foreign = [item.name for item in found if item.identity != Identity(self.installation, identity)]
        if foreign:
            raise Foreign(f"volumes of {ref} carry another identity: {', '.join(foreign)}")
        for item in found:
            self._effect(f"remove volume {item.name}", _bind(self._remove_volume, item))
        return [item.name for item in found]

    def _remove_volume(self, item: SimVolume) -> None:
        del self.world.volumes[item.name]
        self.world.note("volume-removed", item.ref, item.role, item.name)

    async def inventory(self) -> Sequence[Found]:
        """See `Target.inventory`."""
        await asyncio.sleep(0)
        self._answer()
        boxes_and_volumes: list[SimContainer | SimVolume] = [
            *self.world.containers.values(),
            *self.world.volumes.values(),
        ]
        keys = {(item.ref, item.identity) for item in boxes_and_volumes if item.identity is not None}
        keys |= {(ref, kept[0]) for ref, kept in self.world.memories.items()}
        found: list[Found] = []
        for ref, identity in sorted(keys, key=lambda key: (key[0], key[1].instance)):
            boxes = [box for box in self.world.containers.values() if (box.ref, box.identity) == (ref, identity)]
            volumes = [item for item in self.world.volumes.values() if (item.ref, item.identity) == (ref, identity)]
            images = [box.workload.image for box in sorted(boxes, key=lambda box: box.role != "web")]
            release = next((image for image in images if image != ENGINE_RELEASE), None)
            roles = tuple(sorted({box.role for box in boxes}))
            slots = [key for box in boxes for file in box.workload.files for key in file.secrets()]
            kept = self.world.memories.get(ref)
            mine = kept is not None and kept[0] == identity
            found.append(
                Found(
                    ref,
                    identity,
                    roles,
                    tuple(sorted(item.role for item in volumes)),
                    release,
                    notes=dict(kept[1]) if kept is not None and mine else {},
                    memory=kept[2] if kept is not None and mine else "",
                    versions={version_name(key.ref, key.key): key.version for key in slots},
                )
            )
        return found

    async def changes(self) -> AsyncIterator[Ref]:
        """See `Target.changes`."""
        position = len(self.world.changed)
        while True:
            self.world.settle()
            for ref in self.world.changed[position:]:
                position += 1
                yield ref
                if self.duplicates:
                    yield ref
            await self.world.clock.sleep(0.1)

    async def logs(self, ref: Ref, *, role: str, follow: bool, lines: int) -> AsyncIterator[str]:
        """See `Target.logs`. Prints `SimContainer.lines`; `follow` looks for more until all of the replicas have ended."""
        await asyncio.sleep(0)
        self._answer()
        boxes = [box for box in self.world.containers.values() if (box.ref, box.role) == (ref, role)]
        if not boxes:
            raise NotRunning(f"{ref} has no {role}")
        told = {box.name: max(len(box.lines) - lines, 0) for box in boxes}
        while True:
            alive = {box.name for box in self.world.running(ref, role)}
            for box in boxes:
                for line in box.lines[told[box.name] :]:
                    yield f"{box.name}: {line}" if len(boxes) > 1 else line
                told[box.name] = len(box.lines)
            if not follow or not alive & told.keys():
                return
            await self.world.clock.sleep(0.1)

    async def attach(self, ref: Ref, argv: Sequence[str], *, role: str, tty: bool) -> int:
        """See `Target.attach`. Runs `SimWorld.programs`; every other command succeeds and says nothing."""
        await asyncio.sleep(0)
        self._answer()
        if not self.world.running(ref, role):
            raise NotRunning(f"no replica of {role} of {ref} is running")
        program = self.world.programs.get(tuple(argv))
        if program is None:
            return 0
        given = os.read(sys.stdin.fileno(), 4096)
        # A terminal tells no end: the first line is all.
        while not tty and (piece := os.read(sys.stdin.fileno(), 4096)):
            given += piece
        for number, text in ((1, program.said(given, tty)), (1 if tty else 2, program.complained)):
            with os.fdopen(number, "wb", closefd=False) as output:
                output.write(text)
        return program.exit_code

    async def close(self) -> None:
        """See `Target.close`."""
        await asyncio.sleep(0)


def _refusals(want: Desired, seen: Observed) -> Iterator[Change]:
    for item in seen.objects.values():
        if item.identity != want.identity:
            why = "it carries no identity of ours" if item.identity is None else "it carries another identity"
            yield Change("replace", f"{item.kind} {item.name}", why, "refused")


def _name(ref: Ref, role: str, index: int) -> str:
    return f"{child(ref, role)}-{index}"


def _bind(function: Callable[..., None], *arguments: object) -> Callable[[], None]:
    return lambda: function(*arguments)


def _discard(table: dict[str, object] | dict[str, SimTask] | dict[str, SimNetwork], name: str) -> None:
    table.pop(name, None)


def fingerprint_of(want: Desired) -> str:
    """Of what is written down; empty for nothing."""
    return f"{want.notes}{want.memory}" if want.notes or want.memory else ""
