# SPDX-License-Identifier: Apache-2.0
"""What has to be done so that an owner has what is wanted; pure.

Reads a `Desired` and an `Observed`, gives moves in order. `diff` shows them all; `converge` carries out those that need not
wait. So what a plan shows is what an apply does.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from mooring.domain.model.desired import Desired, Endpoint, File, Resources, Volume, Workload
from mooring.domain.model.identity import child
from mooring.domain.model.observed import Change, ObjectSeen, Observed
from mooring.domain.model.release import ENGINE_RELEASE, ResolvedRelease
from mooring.targets.docker import caddyfile, memory, networks, relays, sites
from mooring.targets.docker import labels as tag
from mooring.targets.docker.options import DockerOptions

Verb = Literal[
    "refuse",
    "remove",
    "forget",
    "unrelay",
    "network",
    "renetwork",
    "unnetwork",
    "link",
    "volume",
    "remember",
    "unremember",
    "create",
    "replace",
    "start",
    "connect",
    "ingress",
    "site",
    "unsite",
]
_OURS = {"workload", "gateway", relays.PURPOSE}


@dataclass(frozen=True)
class Unit:
    """A role as containers: a workload, a relay of the workloads, or the gateway of an endpoint.

    Attributes:
        own: it runs Mooring's own program, so that its image says nothing of the owner.
    """

    workload: Workload
    fingerprint: str
    purpose: str
    port: int | None = None
    own: bool = False


@dataclass(frozen=True)
class Move:
    """One thing to do.

    Attributes:
        name: the object's name in the engine.
        wait: why it cannot be done yet; empty when it can.
    """

    change: Change
    verb: Verb
    name: str
    unit: Unit | None = None
    index: int = 0
    volume: Volume | None = None
    endpoint: Endpoint | None = None
    wait: str = ""


def plan_units(want: Desired, options: DockerOptions) -> tuple[Unit, ...]:
    """All roles of an owner, gateways included."""
    egress = tag.egress_text(want.policy) if want.network else "off"
    units: list[Unit] = []
    if want.network and want.workloads:
        for relay in relays.relay_units(want.policy, options):
            # Another version of Mooring has another engine image, and interrupts nobody's connections for that.
            plain = dataclasses.replace(relay, image=ResolvedRelease("", "", ""))
            units.append(Unit(relay, tag.workload_fingerprint(plain, egress=egress), relays.PURPOSE))
    units += [_workload(workload, egress, options) for workload in want.workloads]
    for endpoint in want.endpoints:
        if not endpoint.hosts:
            gateway = _gateway(want, endpoint, options)
            facts = (str(endpoint.port or "free"),)
            fingerprint = tag.workload_fingerprint(gateway, egress=egress, extra=facts)
            units.append(Unit(gateway, fingerprint, "gateway", endpoint.port))
    return tuple(units)


def plan_moves(want: Desired, seen: Observed, options: DockerOptions) -> tuple[Move, ...]:
    """Everything that differs, in the order in which it is done."""
    units = plan_units(want, options)
    containers = {
        item.name: item for item in seen.objects.values() if item.kind == "container" and _matters(item, want, units)
    }
    refused = tuple(_refusals(want, seen, units, containers, options))
    if refused:
        return refused
    moves: list[Move] = []
    moves += _memory(want, seen)
    moves += _removals(units, containers)
    moves += _leftovers(want, seen)
    moves += _networks(want, seen, containers)
    moves += _volumes(want, seen)
    for unit in units:
        moves += _unit(want, unit, containers)
    moves += _sites(want, seen, options)
    return tuple(moves)


def _workload(workload: Workload, egress: str, options: DockerOptions) -> Unit:
    fingerprint = tag.workload_fingerprint(workload, egress=egress)
    own = workload.image == ENGINE_RELEASE
    if own:
        image = options.engine_image
        workload = dataclasses.replace(workload, image=ResolvedRelease(image, image, image))
    return Unit(workload, fingerprint, "workload", own=own)


def _gateway(want: Desired, endpoint: Endpoint, options: DockerOptions) -> Workload:
    text = caddyfile.render_gateway(want.ref, endpoint)
    image = options.ingress_image
    return Workload(
        role=f"gateway-{endpoint.name}",
        replicas=1,
        image=ResolvedRelease(image, image, image),
        argv=("caddy", "run", "--config", caddyfile.MAIN_FILE, "--adapter", "caddyfile"),
        user=sites.USER,
        env=(("HOME", "/tmp"), ("XDG_CONFIG_HOME", "/tmp"), ("XDG_DATA_HOME", "/tmp")),  # noqa: S108 - in a container
        files=(File(caddyfile.MAIN_FILE, (text,), mode=0o644),),
        resources=Resources(memory_bytes=256 << 20),
        ports=(caddyfile.HTTP,),
        stop_grace_s=5,
    )


def _matters(item: ObjectSeen, want: Desired, units: tuple[Unit, ...]) -> bool:
    """Ours by its identity, or a stranger's in the place of something wanted."""
    if item.identity is not None:
        return True
    names = {tag.replica_name(want.ref, unit.workload.role, i) for unit in units for i in range(unit.workload.replicas)}
    return item.name in names


def _refusals(
    want: Desired,
    seen: Observed,
    units: tuple[Unit, ...],
    containers: Mapping[str, ObjectSeen],
    options: DockerOptions,
) -> Iterator[Move]:
    wanted = {child(want.ref, volume.role) for volume in want.volumes}
    wanted |= {child(want.ref, mount.volume) for unit in units for mount in unit.workload.mounts if not mount.foreign}
    if want.network:
        wanted.add(child(want.ref, networks.MAIN))
    for item in seen.objects.values():
        foreign = item.identity != want.identity
        concerned = (item.kind == "container" and item.name in containers) or (
            item.kind in {"volume", "network"} and (item.name in wanted or item.kind == "network")
        )
        if item.kind == "site":
            concerned = True
        if foreign and concerned:
            why = "it carries no identity of ours" if item.identity is None else "it carries another identity"
            yield Move(Change("replace", f"{item.kind} {item.name}", why, "refused"), "refuse", item.name)
    yield from _taken_hosts(want, seen, options)
    if any(endpoint.hosts for endpoint in want.endpoints):
        ingress = seen.objects.get(f"ingress {options.ingress_name}")
        if ingress is not None and (
            ingress.identity is None or ingress.identity.installation != want.identity.installation
        ):
            why = "it is not this installation's"
            yield Move(
                Change("replace", f"container {options.ingress_name}", why, "refused"), "refuse", options.ingress_name
            )


def _taken_hosts(want: Desired, seen: Observed, options: DockerOptions) -> Iterator[Move]:
    ingress = seen.objects.get(f"ingress {options.ingress_name}")
    if ingress is None:
        return
    owners: Mapping[str, list[str]] = json.loads(ingress.detail.get("hosts", "{}"))
    own = [want.ref.kind, want.ref.namespace, want.ref.name]
    for endpoint in want.endpoints:
        for host in endpoint.hosts:
            owner = owners.get(host.lower(), own)
            if owner != own:
                why = f"{owner[0]} {owner[1]}/{owner[2]} serves this host name"
                yield Move(Change("create", f"host {host}", why, "refused"), "refuse", host, endpoint=endpoint)


def _removals(units: tuple[Unit, ...], containers: Mapping[str, ObjectSeen]) -> Iterator[Move]:
    counts = {(unit.purpose, unit.workload.role): unit.workload.replicas for unit in units}
    for item in containers.values():
        if item.detail["purpose"] not in _OURS:
            continue
        wanted = counts.get((item.detail["purpose"], item.detail["role"]), 0)
        if int(item.detail["index"]) < wanted:
            continue
        why = "fewer replicas are wanted" if wanted else "it is no longer wanted"
        wait = "it is stopping" if item.detail["state"] == "stopping" else ""
        change = Change("stop", f"container {item.name}", why, "downtime" if not wanted else "none")
        yield Move(change, "remove", item.name, wait=wait)


def _leftovers(want: Desired, seen: Observed) -> Iterator[Move]:
    """Tasks that ended, and relays without one.

    Until the owner goes, whoever started a task has yet to read how it ended, or forgets it.
    """
    for _, item in sorted(seen.objects.items()):
        if item.kind == "relay" and item.identity == want.identity and item.detail["task"] not in seen.tasks:
            yield Move(Change("remove", f"container {item.name}", "its task does not run"), "unrelay", item.name)
    if want.network:
        return
    for item in seen.objects.values():
        if item.kind == "task" and item.identity == want.identity:
            yield Move(Change("remove", f"container {item.name}", "it is a task that ended"), "forget", item.name)


def _networks(want: Desired, seen: Observed, containers: Mapping[str, ObjectSeen]) -> Iterator[Move]:
    main = child(want.ref, networks.MAIN)
    found = {item.name: item for item in seen.objects.values() if item.kind == "network"}
    if not want.network:
        wait = "containers are still on it" if containers or seen.tasks else ""
        for name in sorted(found):
            change = Change("remove", f"network {name}", "it is no longer wanted")
            yield Move(change, "unnetwork", name, wait=wait)
        return
    item = found.get(main)
    if item is None:
        yield Move(Change("create", f"network {main}", "it is missing"), "network", main)
    elif item.fingerprint != tag.network_fingerprint(want.policy, want.links):
        change = Change("replace", f"network {main}", "its links or its policy changed", "downtime")
        yield Move(change, "renetwork", main)
    elif item.detail.get("missing"):
        change = Change("update", f"network {main}", f"{item.detail['missing']} is not connected to it")
        yield Move(change, "link", main)


def _memory(want: Desired, seen: Observed) -> Iterator[Move]:
    """Before anything else: what happens next may be what somebody has to know about."""
    name = memory.memory_name(want)
    if name is not None and f"{memory.KIND} {name}" not in seen.objects:
        reason = "what is wanted and known is written down beside the data"
        change = Change("create", f"{memory.KIND} {name}", reason, beside=True)
        yield Move(change, "remember", name)
    for item in memory.outdated(want, seen):
        yield Move(
            Change("remove", f"{memory.KIND} {item.name}", "it says what was before", beside=True),
            "unremember",
            item.name,
        )


def _volumes(want: Desired, seen: Observed) -> Iterator[Move]:
    for volume in want.volumes:
        name = child(want.ref, volume.role)
        if f"volume {name}" not in seen.objects:
            why = "it is missing"
            if volume.size_bytes and seen.free_bytes is not None and volume.size_bytes > seen.free_bytes:
                why = f"it is missing; {volume.size_bytes >> 20} MiB are asked for and {seen.free_bytes >> 20} are free"
            yield Move(Change("create", f"volume {name}", why), "volume", name, volume=volume)


def _unit(want: Desired, unit: Unit, containers: Mapping[str, ObjectSeen]) -> Iterator[Move]:
    """Missing replicas at once; changed ones one after the other, those that do not serve first."""
    main = child(want.ref, networks.MAIN)
    outdated: list[tuple[int, ObjectSeen, str]] = []
    unavailable = ""
    for index in range(unit.workload.replicas):
        name = tag.replica_name(want.ref, unit.workload.role, index)
        item = containers.get(name)
        if item is None:
            yield Move(Change("create", f"container {name}", "it is missing"), "create", name, unit, index)
            unavailable = name
            continue
        state = item.detail["state"]
        why = _outdated(unit, item)
        if why:
            outdated.append((index, item, why))
            if state == "stopping":
                unavailable = name
            continue
        attached = set(filter(None, item.detail["networks"].split(",")))
        if state == "running" and want.network and not attached:
            # Its connections died with its address, and it would wait minutes for them on a new one. It serves nobody, so
            # that no other replica has to be ready first.
            change = Change("replace", f"container {name}", "it was taken off its network", "restart")
            yield Move(change, "replace", name, unit, index)
            unavailable = name
            continue
        if state == "stopping":
            change = Change("start", f"container {name}", "it is stopping, and wanted", "restart")
            yield Move(change, "start", name, unit, index, wait="it is stopping")
            unavailable = name
        elif state not in {"running", "restarting"}:
            yield Move(Change("start", f"container {name}", f"it is {state}"), "start", name, unit, index)
            unavailable = name
        elif item.detail["ready"] != "yes" and unit.workload.probe is not None:
            unavailable = name
        lacking = [main] if want.network and main not in attached else []
        lacking += [net for net in item.detail["unlinked"].split(",") if net]
        if lacking:
            change = Change("update", f"container {name}", f"it is not connected to {', '.join(lacking)}")
            yield Move(change, "connect", name, unit, index)
    outdated.sort(key=lambda entry: (entry[1].detail["ready"] == "yes", entry[0]))
    for index, item, why in outdated:
        wait = f"{unavailable} is not ready" if unavailable else ""
        if item.detail["state"] == "stopping":
            wait = "it is stopping"
        change = Change("replace", f"container {item.name}", why, "restart")
        yield Move(change, "replace", item.name, unit, index, wait=wait)
        unavailable = item.name


def _outdated(unit: Unit, item: ObjectSeen) -> str:
    if item.detail["purpose"] != unit.purpose:
        return "something else of this owner is in its place"
    if item.fingerprint != unit.fingerprint:
        return "what it is made from changed"
    if item.detail["state"] == "created":
        return "its start was interrupted"
    return item.detail["drift"]


def _sites(want: Desired, seen: Observed, options: DockerOptions) -> Iterator[Move]:
    wanted: set[str] = set()
    served = [endpoint for endpoint in want.endpoints if endpoint.hosts]
    main = child(want.ref, networks.MAIN)
    if served:
        box = sites.ingress_box(options, want.identity.installation)
        item = seen.objects.get(f"ingress {options.ingress_name}")
        name = f"container {options.ingress_name}"
        if item is None:
            yield Move(Change("create", name, "it is missing"), "ingress", options.ingress_name)
        elif item.fingerprint != box.fingerprint:
            change = Change("replace", name, "what it is made from changed", "restart")
            yield Move(change, "ingress", options.ingress_name)
        elif item.detail["state"] != "running":
            yield Move(Change("start", name, f"it is {item.detail['state']}"), "ingress", options.ingress_name)
        if item is None or main not in item.detail["networks"].split(","):
            change = Change("update", name, f"it is not connected to {main}")
            yield Move(change, "connect", options.ingress_name)
    for endpoint in served:
        site = caddyfile.site_name(want.ref, endpoint)
        wanted.add(site)
        text = caddyfile.render_site(
            want.ref, want.identity, endpoint, http_port=options.http_port, https_port=options.https_port
        )
        head = caddyfile.read_head(text) or {}
        found = seen.objects.get(f"site {site}")
        if found is None or found.fingerprint != head["fingerprint"]:
            change = Change(
                "create" if found is None else "update", f"site {site}", f"serves {', '.join(endpoint.hosts)}"
            )
            yield Move(change, "site", site, endpoint=endpoint)
    for item in seen.objects.values():
        if item.kind == "site" and item.name not in wanted:
            change = Change("remove", f"site {item.name}", "it is no longer wanted", "downtime")
            yield Move(change, "unsite", item.name)
