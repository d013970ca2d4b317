# SPDX-License-Identifier: Apache-2.0
"""What the target contract needs to know of a place: how to make small things there, and how to meddle by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from mooring.domain.model.desired import Desired, File, Mount, Part, Policy, Probe, Resources, Volume, Workload
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.observed import Change, Observed
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretValue
from mooring.domain.task import TaskSpec
from mooring.drivers.clock import Clock, SystemClock
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.find import EngineAddress
from mooring.errors import NotFoundError
from mooring.targets.base import Target
from mooring.targets.docker import DockerOptions, DockerTarget
from tests.support.sim_target import SimCrash, SimTarget
from tests.support.sim_world import Outcome, Program, SimContainer, SimNetwork, SimVolume, SimWorld

IMAGE = "caddy:2"
USER = (1234, 1234)
CONF = "/etc/mooring/app.conf"
SAID = "/tmp/said"
LONG = 600


class Killed(BaseException):
    """The controller ended here, as by kill -9: nothing of it catches this."""


class Missing(NotFoundError):
    """The bench has no such secret."""

    code = "MOOR-T01"


@dataclass
class BenchSecrets:
    """Secrets of a test."""

    values: dict[str, str] = field(default_factory=lambda: {"password": "hunter2"})

    async def value(self, key: SecretKey) -> SecretValue:
        await asyncio.sleep(0)
        if key.key not in self.values:
            raise Missing(f"there is no key {key.key}")
        return SecretValue(self.values[key.key])


class Bench(Protocol):
    """A place to test a target in."""

    target: Target
    secrets: BenchSecrets
    ref: Ref
    identity: Identity
    release: ResolvedRelease

    @property
    def clock(self) -> Clock:
        """The place's time."""
        ...

    def again(self) -> Target:
        """Another life of the controller over the same world."""
        ...

    async def kill_process(self, name: str) -> None:
        """Stop a replica's container by hand."""
        ...

    async def remove_by_hand(self, name: str) -> None:
        """Remove a replica's container by hand."""
        ...

    async def detach_by_hand(self, name: str) -> None:
        """Take a container off its owner's network."""
        ...

    async def edit_by_hand(self, name: str) -> None:
        """Change a file inside a replica."""
        ...

    async def die_before_the_task(self, task: TaskSpec) -> None:
        """A controller that starts the task and is killed when all but the task itself is there; the next life follows."""
        ...

    async def add_stranger(self, kind: str, name: str) -> None:
        """An object that is nobody's, under the given name."""
        ...

    async def stranger_there(self, kind: str, name: str) -> bool:
        """Whether the stranger is as it was made."""
        ...

    async def say(self, name: str, line: str) -> None:
        """Have a replica of a `talker` write a line into its log."""
        ...

    def program(self, argv: Sequence[str], program: Program) -> None:
        """What a command inside a replica does, for a place that runs none."""
        ...

    def script_copy(self, task: TaskSpec) -> TaskSpec:
        """The task so that it leaves the content of the files in `/given`, in their order, as `/tmp/left`."""
        ...

    def script(self, task: TaskSpec, *, exit_code: int, lines: Sequence[str], seconds: float) -> TaskSpec:
        """The task made to print, wait and end as told."""
        ...

    async def clean(self) -> None:
        """Remove what the test made."""
        ...


class SimBench:
    """The simulated place."""

    def __init__(self) -> None:
        self.world = SimWorld()
        self.clock = self.world.clock
        self.secrets = BenchSecrets()
        self.ref, self.identity = _who("sim")
        self.release = ResolvedRelease(IMAGE, "sha256:sim", "sha256:sim")
        self.sim = SimTarget(self.world, secrets=self.secrets, installation=self.identity.installation)
        self.target: Target = self.sim

    def again(self) -> Target:
        self.sim = SimTarget(self.world, secrets=self.secrets, installation=self.identity.installation)
        self.target = self.sim
        return self.target

    async def kill_process(self, name: str) -> None:
        self.world.end(name)

    async def remove_by_hand(self, name: str) -> None:
        self.world.drop(name)

    async def detach_by_hand(self, name: str) -> None:
        self.world.containers[name].linked = False

    async def edit_by_hand(self, name: str) -> None:
        self.world.containers[name].edited = True

    async def die_before_the_task(self, task: TaskSpec) -> None:
        self.sim.crash_after(1)
        with contextlib.suppress(SimCrash):
            await self.target.start(task)
        self.again()

    async def add_stranger(self, kind: str, name: str) -> None:
        match kind:
            case "container" | "volume" | "network":
                self.world.add_stranger(kind, name, self.ref)
            case _:
                raise AssertionError(kind)

    async def stranger_there(self, kind: str, name: str) -> bool:
        world = self.world
        found: SimContainer | SimVolume | SimNetwork | None
        match kind:
            case "container":
                found = world.containers.get(name)
            case "volume":
                found = world.volumes.get(name)
            case _:
                found = world.networks.get(name)
        return found is not None and found.identity is None

    async def say(self, name: str, line: str) -> None:
        self.world.containers[name].lines.append(line)

    def program(self, argv: Sequence[str], program: Program) -> None:
        self.world.programs[tuple(argv)] = program

    def script_copy(self, task: TaskSpec) -> TaskSpec:
        given = sorted(Path(task.uploads[0].source).iterdir())
        content = b"".join(one.read_bytes() for one in given)
        self.sim.on_task(lambda one: one.name == task.name, Outcome(files={"/tmp/left": content}))
        return task

    def script(self, task: TaskSpec, *, exit_code: int, lines: Sequence[str], seconds: float) -> TaskSpec:
        from mooring.domain.task import read_messages

        said = read_messages(lines)
        outcome = Outcome(
            exit_code=exit_code,
            result=said.result,
            error=dict(said.error) if said.error else None,
            seconds=seconds,
            log="\n".join(said.other),
            progress=said.progress,
        )
        self.sim.on_task(lambda item: item.name == task.name, outcome)
        return task

    async def clean(self) -> None:
        return


class DockerBench:
    """A real engine. Everything it makes is in a namespace of its own, and removed."""

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        self.engine = Engine(address)
        self.clock = SystemClock()
        self.secrets = BenchSecrets()
        self.ref, self.identity = _who(f"t{uuid.uuid4().hex[:8]}")
        image = self.engine.image(IMAGE)
        assert image is not None, f"the image {IMAGE} is missing"
        pin = f"sha256:{str(image['Id']).removeprefix('sha256:')}"
        self.release = ResolvedRelease(IMAGE, pin, pin)
        self.strangers: list[tuple[str, str]] = []
        self._lives: list[Target] = []
        self.target: Target = self.again()

    def again(self) -> Target:
        options = DockerOptions(
            ingress_name=f"{self.ref.namespace}-ingress",
            http_port=0,
            https_port=0,
            publish_ports=(28100, 28199),
        )
        self.target = DockerTarget(
            self.address,
            secrets=self.secrets,
            clock=self.clock,
            installation=self.identity.installation,
            options=options,
        )
        self._lives.append(self.target)
        return self.target

    def add_life(self, target: Target) -> None:
        """Have a target closed at the end."""
        self._lives.append(target)

    async def kill_process(self, name: str) -> None:
        await asyncio.to_thread(self.engine.stop, name, grace_s=0)

    async def remove_by_hand(self, name: str) -> None:
        await asyncio.to_thread(self.engine.remove, name)

    async def detach_by_hand(self, name: str) -> None:
        await asyncio.to_thread(self.engine.disconnect, child(self.ref, "network"), name)

    async def edit_by_hand(self, name: str) -> None:
        argv = ["sh", "-c", f"echo edited >> {CONF}"]
        code, output = await asyncio.to_thread(self.engine.run, name, argv, timeout_s=10)
        assert code == 0, output

    async def die_before_the_task(self, task: TaskSpec) -> None:
        create = Engine.create

        def die(engine: Engine, name: str, config: Mapping[str, Any]) -> str:
            if name == task.name:
                raise Killed(name)
            return create(engine, name, config)

        with mock.patch.object(Engine, "create", die), contextlib.suppress(Killed):
            await self.target.start(task)
        self.again()

    async def add_stranger(self, kind: str, name: str) -> None:
        self.strangers.append((kind, name))
        match kind:
            case "container":
                self.engine.create(name, {"Image": self.release.reference, "Cmd": ["sleep", str(LONG)]})
            case "volume":
                self.engine.create_volume(name, {})
            case "network":
                self.engine.create_network(name, subnet="10.214.250.0/29", internal=False, labels={})
            case _:
                raise AssertionError(kind)

    async def stranger_there(self, kind: str, name: str) -> bool:
        match kind:
            case "container":
                item = self.engine.container(name)
                labels = ((item or {}).get("Config") or {}).get("Labels")
            case "volume":
                item = self.engine.volume(name)
                labels = (item or {}).get("Labels")
            case _:
                item = self.engine.network(name)
                labels = (item or {}).get("Labels")
        return item is not None and "dev.mooring.installation" not in (labels or {})

    async def say(self, name: str, line: str) -> None:
        argv = ["sh", "-c", f'printf "%s\\n" "$1" >> {SAID}', "sh", line]
        code, output = await asyncio.to_thread(self.engine.run, name, argv, timeout_s=10)
        assert code == 0, output

    def program(self, argv: Sequence[str], program: Program) -> None:
        return

    def script_copy(self, task: TaskSpec) -> TaskSpec:
        return replace(task, argv=("sh", "-c", "cat /given/* > /tmp/left"))

    def script(self, task: TaskSpec, *, exit_code: int, lines: Sequence[str], seconds: float) -> TaskSpec:
        words = " ".join(f"'{line}'" for line in lines)
        text = (
            f"printf '%s\\n' {words}; sleep {seconds}; exit {exit_code}"
            if lines
            else f"sleep {seconds}; exit {exit_code}"
        )
        return replace(task, argv=("sh", "-c", f"trap 'exit 143' TERM; {text}"))

    async def clean(self) -> None:
        for life in self._lives:
            await life.close()
        namespace = f"dev.mooring.namespace={self.ref.namespace}"
        ingress = f"{self.ref.namespace}-ingress"
        self.engine.remove(ingress)
        for item in self.engine.containers(labels=[namespace]):
            self.engine.remove(str(item["Id"]))
        for name in (f"{ingress}-data", f"{ingress}-sites"):
            self.engine.remove_volume(name)
        for kind, name in self.strangers:
            match kind:
                case "container":
                    self.engine.remove(name)
                case "volume":
                    self.engine.remove_volume(name)
                case _:
                    self.engine.remove_network(name)
        self.engine.remove_network(child(Ref("Ingress", "mooring", ingress), "publish"))
        for network in self.engine.networks(labels=[namespace]):
            self.engine.remove_network(str(network["Name"]))
        for volume in self.engine.volumes(labels=[namespace]):
            self.engine.remove_volume(str(volume["Name"]))
        self.engine.close()


def docker_address() -> EngineAddress:
    """The engine that real tests use."""
    return EngineAddress(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")


def _who(namespace: str) -> tuple[Ref, Identity]:
    return Ref("OdooInstance", namespace, "shop"), Identity(f"install-{namespace}", f"id-{namespace}")


def workload(bench: Bench, role: str = "web", *, replicas: int = 1, version: str = "1", ready: bool = True) -> Workload:
    """A small process that waits; another `version` is another configuration."""
    parts: tuple[Part, ...] = (f"version={version}\npassword=", _key(version))
    return Workload(
        role=role,
        replicas=replicas,
        image=bench.release,
        argv=("sh", "-c", f"trap 'exit 0' TERM; sleep {LONG} & wait"),
        user=USER,
        files=(File(CONF, parts, uid=USER[0], gid=USER[1]),),
        resources=Resources(cpu_millicores=500, memory_bytes=64 << 20),
        probe=Probe(("true",) if ready else ("false",)),
        stop_grace_s=5,
    )


def talker(bench: Bench, *, replicas: int = 1) -> Workload:
    """Its log is what `Bench.say` has it say."""
    script = f"trap 'exit 0' TERM; touch {SAID}; tail -n +1 -f {SAID} & wait"
    return replace(workload(bench, replicas=replicas), argv=("sh", "-c", script))


def _key(version: str) -> SecretKey:
    from mooring.domain.model.secret import SecretRef

    return SecretKey(SecretRef("default", "app"), "password", version)


def desired(
    bench: Bench, *workloads: Workload, volumes: tuple[Volume, ...] = (), policy: Policy | None = None
) -> Desired:
    """What is wanted of the bench's instance."""
    return Desired(bench.ref, bench.identity, workloads, volumes, policy=policy or Policy())


def task(
    bench: Bench, name: str = "task", *, engine: bool = False, deadline_s: float = 60.0, fence: int = 1
) -> TaskSpec:
    """A small task; give it its end with `Bench.script`."""
    return TaskSpec(
        name=child(bench.ref, name),
        place=bench.ref,
        identity=bench.identity,
        argv=("true",),
        image=None if engine else bench.release,
        mounts=(Mount("filestore", "/var/lib/store", *USER),),
        user=USER,
        deadline=timedelta(seconds=deadline_s),
        fence=fence,
    )


def message(**fields: object) -> str:
    """A line of the task protocol."""
    return json.dumps({"v": 1, **fields})


async def settle(bench: Bench, want: Desired, *, ready: bool = True, passes: int = 200) -> Observed:
    """Converge until nothing differs and all replicas are as ready as they can be.

    Raises:
        AssertionError: it does not settle.
    """
    changes: Sequence[Change] = ()
    for _ in range(passes):
        seen = await bench.target.observe(want.ref)
        await bench.target.converge(want, seen)
        seen = await bench.target.observe(want.ref, live=True)
        changes = bench.target.diff(want, seen)
        if not changes and (not ready or all(seen.workload(w.role).ready == w.replicas for w in want.workloads)):
            return seen
        await bench.clock.sleep(0.1)
    raise AssertionError(f"not settled: {changes}")


async def ended(bench: Bench, name: str, *, passes: int = 200) -> str:
    """The phase in which a task ends.

    Raises:
        AssertionError: it does not end.
    """
    for _ in range(passes):
        state = await bench.target.task(name)
        if state.phase in {"succeeded", "failed", "absent"}:
            return state.phase
        await bench.clock.sleep(0.1)
    raise AssertionError(f"{name} does not end")
