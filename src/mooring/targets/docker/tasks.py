# SPDX-License-Identifier: Apache-2.0
"""Tasks: containers that run to their end. Starting or adopting them, and what their end means.

A task without a way out runs on an internal network: the owner's own where that is internal, else one beside it with the
same links. What it is allowed to reach nevertheless, it reaches through relays of its own, which go when it ends. A task that
reaches the world from an owner that does not gets a bridge that only tasks are on.
Blocking; called in threads by the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mooring.domain.model.desired import Link
from mooring.domain.model.identity import child
from mooring.domain.model.secret import SecretKey
from mooring.domain.relay import plan_relays
from mooring.domain.task import Messages, TaskSpec, TaskState, read_messages, tail
from mooring.drivers.docker.engine import Engine
from mooring.errors import MooringError
from mooring.targets.docker import labels as tag
from mooring.targets.docker import networks
from mooring.targets.docker.boxes import Attachment, Box, Fill, box_mounts, ensure_box, ensure_volumes
from mooring.targets.docker.images import ensure_engine_image, ensure_release
from mooring.targets.docker.observe import read_time
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.relays import TaskRelays, Ways, with_ways
from mooring.targets.docker.stops import Stops
from mooring.targets.errors import (
    Foreign,
    NameTaken,
    TaskBusy,
    TaskDeadline,
    TaskFailed,
    TaskInterrupted,
    TaskOutOfMemory,
    TaskUnusable,
)

TAIL_LINES = 400
CANCEL_GRACE_S = 15
# 137 and 143 are signals 9 and 15; 255 is what Docker writes for a process that ended while Docker itself was down.
_SIGNALLED = {137, 143, 255}


@dataclass(frozen=True)
class Tasks:
    """The tasks of one engine."""

    engine: Engine
    options: DockerOptions
    stops: Stops
    installation: str
    fill: Fill
    secret: Callable[[SecretKey], bytes]

    def start(self, task: TaskSpec) -> None:
        """Create and start it, or adopt the one of that name. One that was created and never started is made anew."""
        item = self._own(task)
        if item is not None and item["State"].get("Status") == "created":
            # A kill between its creation and its start may have left it without its files.
            self.engine.remove(item["Id"])
            item = None
        if item is not None:
            return
        image = task.image.reference if task.image is not None else self.options.engine_image
        if task.image is not None:
            ensure_release(self.engine, self.options, task.image, self.secret)
        else:
            ensure_engine_image(self.engine, self.options)
        ensure_volumes(self.engine, task.place, task.identity, task.mounts)
        attachments = self._networks(task)
        ways = Ways()
        if task.allow and not task.egress:
            ways = self._relays.open(task, inner=attachments[0].network, outer=self._outer(task))
        try:
            ensure_box(self.engine, with_ways(self._box(task, image, attachments), ways), self.options, self.fill)
        except NameTaken:
            self._own(task)
            return
        self.engine.start(task.name)

    def state(self, name: str, *, now: datetime) -> TaskState:
        """How far it is; past its deadline it is stopped on the way."""
        item = self.engine.container(name)
        if item is None or self._labels(item).get(tag.TASK) != name:
            return TaskState("absent")
        facts = item["State"]
        status = str(facts.get("Status"))
        if status in {"created", "configured", "initialized"}:
            if facts.get("Error"):
                fault = TaskUnusable(f"the task {name} could not be started", details=str(facts["Error"]))
                return TaskState("failed", error=fault_json(fault))
            return TaskState("pending")
        deadline = timedelta(seconds=float(self._labels(item).get(tag.DEADLINE, "0")))
        started, ended = read_time(facts.get("StartedAt")), read_time(facts.get("FinishedAt"))
        if facts.get("Running") or status == "stopping":
            if started is not None and now - started > deadline:
                self.stops.begin(str(item["Id"]), grace_s=CANCEL_GRACE_S, remove=False)
            messages = read_messages(self.engine.log_end(name, lines=TAIL_LINES).splitlines())
            return TaskState("running", progress=messages.progress, log_tail=_tail(messages))
        late = started is not None and ended is not None and ended - started > deadline
        output = self.engine.log_end(name, lines=None if self.engine.podman else TAIL_LINES)
        # What a relay could not reach says more than the broken connection that the task saw.
        output = f"{output.rstrip()}\n{self._close(item)}".strip()
        return verdict(
            name,
            messages=read_messages(output.splitlines()),
            exit_code=int(facts.get("ExitCode") or 0),
            engine_task=self._labels(item).get(tag.RUNTIME) == "engine",
            out_of_memory=bool(facts.get("OOMKilled")),
            late=late,
        )

    def cancel(self, name: str) -> None:
        """Signal it, and kill it a little later."""
        item = self.engine.container(name)
        if item is None or self._labels(item).get(tag.TASK) != name:
            return
        if not item["State"].get("Running"):
            if item["State"].get("Status") == "created":
                self.engine.remove(item["Id"])
                self._close(item)
            return
        self.stops.begin(str(item["Id"]), grace_s=CANCEL_GRACE_S, remove=False)

    def forget(self, name: str) -> None:
        """Remove what is left.

        Raises:
            TaskBusy: it still runs.
        """
        item = self.engine.container(name)
        if item is None or self._labels(item).get(tag.TASK) != name:
            return
        if item["State"].get("Running"):
            raise TaskBusy(f"the task {name} still runs")
        self._close(item)
        self.engine.remove(item["Id"])

    @property
    def _relays(self) -> TaskRelays:
        return TaskRelays(self.engine, self.options, self.fill)

    def _close(self, item: Mapping[str, Any]) -> str:
        """Remove the relays of a task that ended; what they could not reach."""
        labels = self._labels(item)
        return self._relays.close(labels[tag.TASK], int(labels.get(tag.RELAYS, "0")))

    def _own(self, task: TaskSpec) -> dict[str, Any] | None:
        item = self.engine.container(task.name)
        if item is None:
            return None
        labels = self._labels(item)
        networks.check_owner(labels, task.place, task.identity, f"container {task.name}")
        if labels.get(tag.TASK) != task.name or labels.get(tag.FENCE) != str(task.fence):
            raise Foreign(f"container {task.name} is in the way of a task: it is not this task")
        return item

    def _labels(self, item: Mapping[str, Any]) -> Mapping[str, str]:
        labels: Mapping[str, str] = (item.get("Config") or {}).get("Labels") or {}
        return labels if labels.get(tag.INSTALLATION) == self.installation else {}

    def _box(self, task: TaskSpec, image: str, attachments: tuple[Attachment, ...]) -> Box:
        return Box(
            name=task.name,
            ref=task.place,
            identity=task.identity,
            role="task",
            purpose="task",
            image=image,
            argv=task.argv,
            user=task.user,
            groups=task.groups,
            restart=False,
            env=task.env,
            files=task.files,
            mounts=box_mounts(task.place, task.mounts),
            folders=task.folders,
            uploads=task.uploads,
            resources=task.resources,
            networks=attachments,
            stop_grace_s=CANCEL_GRACE_S,
            labels={
                tag.TASK: task.name,
                tag.FENCE: str(task.fence),
                tag.DEADLINE: str(task.deadline.total_seconds()),
                tag.RUNTIME: "engine" if task.image is None else "image",
                tag.RELAYS: str(0 if task.egress else len(plan_relays(task.allow))),
            },
        )

    def _networks(self, task: TaskSpec) -> tuple[Attachment, ...]:
        main_name = child(task.place, networks.MAIN)
        main = self.engine.network(main_name)
        if main is not None:
            networks.check_owner(main.get("Labels"), task.place, task.identity, f"network {main_name}")
        internal = main is not None and bool(main.get("Internal"))
        names: list[str] = []
        if task.egress:
            if main is not None:
                names.append(main_name)
            if main is None or internal:
                names.append(self._network(task, networks.OUTBOUND, internal=False, links=task.links))
        elif internal:
            names.append(main_name)
        else:
            names.append(self._network(task, networks.TASKS, internal=True, links=(*task.links, *self._selves(task))))
        networks.connect_links(self.engine, names[0], tag.links_label(task.links))
        return tuple(Attachment(name) for name in names)

    def _outer(self, task: TaskSpec) -> str:
        """Where a task's relays reach the world: the owner's own network if that has a way out, else the tasks' bridge."""
        main = self.engine.network(child(task.place, networks.MAIN))
        if main is not None and not main.get("Internal"):
            return str(main["Name"])
        return self._network(task, networks.OUTBOUND, internal=False, links=())

    def _network(self, task: TaskSpec, role: str, *, internal: bool, links: tuple[Link, ...]) -> str:
        text = tag.links_label(links)
        name = networks.ensure_network(
            self.engine,
            self.options,
            ref=task.place,
            identity=task.identity,
            role=role,
            internal=internal,
            links=text,
        )
        networks.connect_links(self.engine, name, text)
        return name

    def _selves(self, task: TaskSpec) -> list[Link]:
        """Links to the owner's own replicas, which the network beside its own does not have by itself."""
        found = self.engine.containers(labels=[*tag.owner_filter(task.place), f"{tag.PURPOSE}=workload"])
        roles = sorted({str((item.get("Labels") or {}).get(tag.ROLE)) for item in found})
        return [Link(task.place, role, 0) for role in roles]


def verdict(
    name: str, *, messages: Messages, exit_code: int, engine_task: bool, out_of_memory: bool, late: bool
) -> TaskState:
    """What the end of a task means; pure. Its own error object says more than its exit."""
    text = _tail(messages)
    if exit_code == 0 and (messages.result is not None or not engine_task):
        return TaskState("succeeded", 0, messages.progress, messages.result, None, text)
    fault: MooringError
    if out_of_memory:
        fault = TaskOutOfMemory(f"the task {name} needed more memory than it may have and was killed")
    elif late:
        fault = TaskDeadline(f"the task {name} ran longer than it may and was stopped")
    elif messages.error is not None:
        return TaskState("failed", exit_code, messages.progress, messages.result, messages.error, text)
    elif exit_code in _SIGNALLED:
        why = "it was cancelled, or the engine or the machine stopped"
        fault = TaskInterrupted(f"the task {name} was stopped before its end (exit code {exit_code}): {why}")
    elif exit_code == 0:
        fault = TaskFailed(f"the task {name} ended without a result", details=text)
    else:
        fault = TaskFailed(f"the task {name} ended with exit code {exit_code}", details=text)
    return TaskState("failed", exit_code, messages.progress, None, fault_json(fault), text)


def fault_json(fault: MooringError) -> dict[str, str]:
    """An error as the task protocol writes it."""
    return {key: str(value) for key, value in fault.to_json().items() if key != "retry"}


def _tail(messages: Messages) -> str:
    return tail("\n".join(messages.other))
