# SPDX-License-Identifier: Apache-2.0
"""The only ways out of a network that has none: relays, and how processes are pointed at them.

A relay (`mooring.domain.relay`) has one leg in the internal network and one in a bridge that reaches the world. Processes
of the internal network find each allowed host name in their hosts file, at the relay's address there; a host that is an
address is told to them by the variable that the destination names. No alias is used: the relay itself has to find the real
one under that name.

A task's relays live as long as the task: they are made before it, and removed by whoever sees its end, or by the next
converge of the owner; left alone, they end a little after its deadline. Workloads have relays of their own, with fixed
addresses, so that nothing needs Mooring after a reboot. Blocking; called by tasks and converge.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mooring.domain.model.desired import Destination, File, Policy, Resources, Workload
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.relay import (
    COMPLAINS,
    LISTENS,
    RELAY_ARGV,
    RELAY_PATH,
    RELAY_USER,
    RelayDocument,
    dump_relay,
    plan_relays,
)
from mooring.domain.task import TaskSpec
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import labels as tag
from mooring.targets.docker import networks
from mooring.targets.docker.boxes import Attachment, Box, Fill, ensure_box
from mooring.targets.docker.images import ensure_image
from mooring.targets.docker.options import DockerOptions
from mooring.targets.errors import AddressNotRelayed, RelayFailed

ROLE = "relay"
PURPOSE = "relay"
MEMORY_BYTES = 128 << 20
START_S = 20.0
# After a task's deadline it is signalled, then killed; a minute on top for slow engines.
OUTLIVE_S = 75.0
_STEP_S = 0.05
_LINES = 20


@dataclass(frozen=True)
class Ways:
    """How processes are pointed at relays.

    Attributes:
        hosts: (name, address) for the hosts file.
        env: (variable, address).
    """

    hosts: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()


def check_allow(allow: Iterable[Destination]) -> None:
    """Nothing when each destination can be pointed elsewhere.

    Raises:
        AddressNotRelayed: some are addresses without a variable, or share a variable; all at once.
    """
    items = tuple(allow)
    faults = [f"{item.host}:{item.port}" for item in items if _is_address(item.host) and not item.address_variable]
    told: dict[str, set[str]] = {}
    for item in items:
        if _is_address(item.host) and item.address_variable:
            told.setdefault(item.address_variable, set()).add(item.host)
    faults += [f"{' and '.join(sorted(hosts))} (both by {name})" for name, hosts in told.items() if len(hosts) > 1]
    if faults:
        raise AddressNotRelayed(f"these addresses cannot be the only ones that are reached: {', '.join(faults)}")


def render_ways(groups: Sequence[Sequence[Destination]], addresses: Sequence[str]) -> Ways:
    """How processes are pointed at the relays of `groups`, which have `addresses`; pure."""
    hosts: dict[str, str] = {}
    env: dict[str, str] = {}
    for group, address in zip(groups, addresses, strict=True):
        for item in group:
            if _is_address(item.host):
                env[item.address_variable] = address
            else:
                hosts[item.host.lower()] = address
    return Ways(tuple(hosts.items()), tuple(env.items()))


def relay_units(policy: Policy, options: DockerOptions) -> tuple[Workload, ...]:
    """The relays of an owner's workloads; pure.

    Raises:
        AddressNotRelayed: see `check_allow`.
    """
    if policy.egress == "open":
        return ()
    check_allow(policy.allow)
    image = options.engine_image
    return tuple(
        Workload(
            role=f"{ROLE}-{index}",
            replicas=1,
            image=ResolvedRelease(image, image, image),
            argv=RELAY_ARGV,
            user=RELAY_USER,
            files=(_document(RelayDocument(group)),),
            resources=Resources(memory_bytes=MEMORY_BYTES),
            stop_grace_s=5,
        )
        for index, group in enumerate(plan_relays(policy.allow))
    )


def fixed_address(subnet: str, index: int) -> str:
    """The address of an owner's relay `index`: from the end of the network, where none is given out by itself; pure."""
    return str(ipaddress.IPv4Network(subnet).broadcast_address - 1 - index)


def policy_ways(policy: Policy, subnet: str) -> Ways:
    """How an owner's workloads are pointed at its relays; pure."""
    groups = plan_relays(policy.allow) if policy.egress == "none" else ()
    return render_ways(groups, [fixed_address(subnet, index) for index in range(len(groups))])


def ways_label(ways: Ways) -> dict[str, str]:
    """What a container carries that was pointed at relays."""
    addresses = sorted({address for _, address in (*ways.hosts, *ways.env)})
    return {tag.WAYS: json.dumps(addresses)} if addresses else {}


def ways_moved(labels: Mapping[str, str], address: str, prefix: int) -> bool:
    """Whether a container that has `address` in its owner's network was pointed at relays of another network; pure."""
    if tag.WAYS not in labels or not address:
        return False
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    return any(ipaddress.ip_address(item) not in network for item in json.loads(labels[tag.WAYS]))


@dataclass(frozen=True)
class TaskRelays:
    """The relays of tasks."""

    engine: Engine
    options: DockerOptions
    fill: Fill

    def open(self, task: TaskSpec, *, inner: str, outer: str) -> Ways:
        """Make them anew and wait until they listen.

        Args:
            inner: the task's network, which has no way out.
            outer: a network that has one.

        Raises:
            AddressNotRelayed: see `check_allow`.
            RelayFailed: one does not listen; all are removed again.
        """
        check_allow(task.allow)
        groups = plan_relays(task.allow)
        self.close(task.name, len(groups))
        image = self.options.engine_image
        ensure_image(self.engine, self.options, image)
        lifetime = task.deadline.total_seconds() + OUTLIVE_S
        boxes = [
            Box(
                name=_name(task.name, index),
                ref=task.place,
                identity=task.identity,
                role=ROLE,
                purpose=PURPOSE,
                image=image,
                argv=RELAY_ARGV,
                user=RELAY_USER,
                restart=False,
                files=(_document(RelayDocument(group, lifetime)),),
                resources=Resources(memory_bytes=MEMORY_BYTES),
                networks=(Attachment(outer), Attachment(inner)),
                stop_grace_s=5,
                low_ports=True,
                labels={tag.RELAY_OF: task.name},
            )
            for index, group in enumerate(groups)
        ]
        try:
            for box in boxes:
                ensure_box(self.engine, box, self.options, self.fill)
                self.engine.start(box.name)
            return render_ways(groups, [self._address(box.name, inner) for box in boxes])
        except RelayFailed:
            self.close(task.name, len(groups))
            raise

    def close(self, task: str, count: int) -> str:
        """Remove a task's relays; what they could not reach, line by line. Nothing when there are none."""
        complaints: list[str] = []
        for index in range(count):
            name = _name(task, index)
            item = self.engine.container(name)
            if item is None or ((item.get("Config") or {}).get("Labels") or {}).get(tag.RELAY_OF) != task:
                continue
            complaints += [
                line for line in self.engine.log_end(name, lines=_LINES).splitlines() if line.startswith(COMPLAINS)
            ]
            self.engine.remove(str(item["Id"]))
        return "\n".join(dict.fromkeys(complaints))

    def _address(self, name: str, network: str) -> str:
        """Where a relay is, once it listens."""
        deadline = time.monotonic() + START_S
        while True:
            said = self.engine.log_end(name, lines=_LINES)
            item = self.engine.container(name) or {"State": {}}
            address = str(networks.networks_of(item).get(network, {}).get("IPAddress") or "")
            if address and said.startswith(LISTENS):
                return address
            ended = item["State"].get("Status") not in {"running", "created", "configured", "initialized", "starting"}
            if ended or time.monotonic() > deadline:
                why = "it ended" if ended else f"it does not listen after {START_S:.0f} s"
                raise RelayFailed(f"the relay {name} is of no use: {why}", details=said[-2000:])
            time.sleep(_STEP_S)


def _name(task: str, index: int) -> str:
    return f"{task}-{ROLE}-{index}"


def _document(document: RelayDocument) -> File:
    return File(RELAY_PATH, (dump_relay(document),), uid=RELAY_USER[0], gid=RELAY_USER[1])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def with_ways(box: Box, ways: Ways) -> Box:
    """A box whose processes are pointed at relays; pure."""
    labels = {**box.labels, **ways_label(ways)}
    return dataclasses.replace(box, hosts=ways.hosts, env=(*box.env, *ways.env), labels=labels)
