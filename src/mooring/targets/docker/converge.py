# SPDX-License-Identifier: Apache-2.0
"""Carrying out moves. One pass: what need not wait is done, in order; blocking, called in a thread by the target.

Each move is safe to repeat, and each checks the identity of what it meets before it changes it: what was observed may be
old. A move that is interrupted leaves something that the next pass sees as missing or outdated, never as done.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from mooring.domain.model.desired import Desired, File
from mooring.domain.model.identity import Ref, child
from mooring.domain.model.observed import Change, Observed
from mooring.domain.model.secret import SecretKey
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import labels as tag
from mooring.targets.docker import memory, networks, ports, relays, sites
from mooring.targets.docker.boxes import Attachment, Box, Publish, ensure_box, ensure_volume, ensure_volumes
from mooring.targets.docker.caddyfile import HTTP
from mooring.targets.docker.images import ensure_engine_image, ensure_image, ensure_release
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.plan import Move, Unit, plan_moves
from mooring.targets.docker.rendering import decide_box
from mooring.targets.docker.stops import Stops
from mooring.targets.errors import Foreign, HostTaken, NameTaken, NoSuchObject, PortTaken

Fill = Callable[[File], bytes]
Secret = Callable[[SecretKey], bytes]
_PORT_TRIES = 20
_AT_ONCE = 4


@dataclass(frozen=True)
class Converger:
    """What converging needs."""

    engine: Engine
    options: DockerOptions
    stops: Stops
    secret: Secret

    def converge(self, want: Desired, seen: Observed) -> tuple[Change, ...]:
        """One pass."""
        moves = plan_moves(want, seen, self.options)
        _refuse(want, moves)
        if any(move.verb in {"create", "replace"} and not move.wait for move in moves):
            self._check_secrets(want)
        return tuple(move.change for move, changed in self._carry_out(want, moves) if changed)

    def _carry_out(self, want: Desired, moves: Sequence[Move]) -> Iterator[tuple[Move, bool]]:
        """In order; replicas that are made one after the other side by side: the engine takes its time to start each.

        Of those all are tried before the first one's fault is raised.
        """
        now = [move for move in moves if not move.wait]
        while now:
            group = list(itertools.takewhile(lambda move: move.verb == "create", now)) or now[:1]
            del now[: len(group)]
            if len(group) == 1:
                yield group[0], self._do(want, group[0])
                continue
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="create") as pool:
                carried = [(move, pool.submit(self._do, want, move)) for move in group]
            yield from ((move, future.result()) for move, future in carried)

    def fill(self, file: File) -> bytes:
        """The content of a file, its slots filled."""
        parts = (part.encode() if isinstance(part, str) else self.secret(part) for part in file.parts)
        return b"".join(parts)

    def _check_secrets(self, want: Desired) -> None:
        for spec in want.secrets:
            for key in spec.keys:
                self.secret(SecretKey(spec.ref, key))

    def _do(self, want: Desired, move: Move) -> bool:
        """Whether something was done."""
        match move.verb:
            case "remove":
                return self._remove(want, move.name)
            case "forget":
                return self._forget(want, move.name)
            case "network":
                self._network(want)
            case "renetwork":
                self._renetwork(want, move.name)
            case "unrelay":
                return self._unrelay(want, move.name)
            case "unnetwork":
                networks.remove_network(self.engine, move.name)
            case "link":
                return bool(networks.connect_links(self.engine, move.name, tag.links_label(want.links)))
            case "volume" if move.volume is not None:
                ensure_volume(self.engine, want.ref, want.identity, move.volume.role)
            case "remember":
                memory.write_memory(self.engine, want)
            case "unremember":
                self.engine.remove_volume(move.name)
            case "create" if move.unit is not None:
                self._create(want, move.unit, move.index)
            case "replace" if move.unit is not None:
                return self._replace(want, move, move.unit)
            case "start":
                self._start(want, move.name)
            case "connect":
                self._connect(want, move)
            case "ingress":
                ensure_image(self.engine, self.options, self.options.ingress_image)
                sites.ensure_ingress(self.engine, self.options, want.identity.installation, self.fill)
            case "site" if move.endpoint is not None:
                sites.ensure_site(self.engine, self.options, want.ref, want.identity, move.endpoint, secret=self.secret)
            case "unsite":
                sites.remove_site(self.engine, self.options, move.name)
            case _:
                raise AssertionError(f"a move without its object: {move.verb}")
        return True

    def _owned(self, want: Desired, name: str) -> dict[str, Any] | None:
        """The container, if it is there.

        Raises:
            Foreign: it is another's.
        """
        item = self.engine.container(name)
        if item is not None:
            networks.check_owner((item.get("Config") or {}).get("Labels"), want.ref, want.identity, f"container {name}")
        return item

    def _remove(self, want: Desired, name: str) -> bool:
        item = self._owned(want, name)
        if item is None:
            return False
        config = item.get("Config") or {}
        if not item["State"].get("Running") and not item["State"].get("Restarting"):
            self.engine.remove(item["Id"])
            return True
        self.stops.begin(str(item["Id"]), grace_s=int(config.get("StopTimeout") or 30), remove=True)
        return True

    def _forget(self, want: Desired, name: str) -> bool:
        item = self._owned(want, name)
        if item is None or item["State"].get("Running"):
            return False
        self.engine.remove(item["Id"])
        return True

    def _unrelay(self, want: Desired, name: str) -> bool:
        item = self._owned(want, name)
        if item is not None:
            self.engine.remove(item["Id"])
        return item is not None

    def _network(self, want: Desired, *, subnet: str = "") -> str:
        name = networks.ensure_network(
            self.engine,
            self.options,
            ref=want.ref,
            identity=want.identity,
            role=networks.MAIN,
            internal=want.policy.egress == "none",
            links=tag.links_label(want.links),
            fingerprint=tag.network_fingerprint(want.policy, want.links),
            relays=want.policy.egress == "none" and bool(want.policy.allow),
            subnet=subnet,
        )
        networks.connect_links(self.engine, name, tag.links_label(want.links))
        return name

    def _renetwork(self, want: Desired, name: str) -> None:
        """What was connected comes back under its names; servers that are no longer linked do not.

        It gets its subnet again where it can: processes were pointed at relays in it. Relays are made anew, under their
        addresses, by the next pass; they go first, as Podman 4.3 loses its way with one that is taken off one of its networks.
        """
        subnet = networks.subnet_of(self.engine, name)
        for relay in self.engine.containers(labels=[*tag.owner_filter(want.ref), f"{tag.PURPOSE}={relays.PURPOSE}"]):
            if tag.RELAY_OF not in relay["Labels"] and tag.identity_of(relay["Labels"]) == want.identity:
                self.engine.remove(str(relay["Id"]))
        wanted = {one.role for one in want.workloads}
        for left in self.engine.containers(labels=[*tag.owner_filter(want.ref), f"{tag.PURPOSE}=workload"]):
            # A program of Mooring's own that is on its way out: taken off while it stops, it keeps its place in Podman's
            # name server, which then goes on answering for the network of before.
            labels = left["Labels"]
            if tag.SOURCE not in labels and labels[tag.ROLE] not in wanted and tag.identity_of(labels) == want.identity:
                self.engine.remove(str(left["Id"]))
        attached = networks.remove_network(self.engine, name)
        self._network(want, subnet=subnet)
        for container in attached:
            item = self.engine.container(container)
            labels = ((item or {}).get("Config") or {}).get("Labels") or {}
            owner = tag.ref_of(labels)
            if owner is not None and (owner == want.ref or owner.kind == sites.KIND):
                self.engine.connect(name, container, aliases=_aliases(labels))

    def _replace(self, want: Desired, move: Move, unit: Unit) -> bool:
        """A running one is asked to stop now and made anew by a later pass; a dead one is made anew now."""
        item = self._owned(want, move.name)
        if item is not None and (item["State"].get("Running") or item["State"].get("Restarting")):
            return self._remove(want, move.name)
        if item is not None:
            self.engine.remove(item["Id"])
        self._create(want, unit, move.index)
        return True

    def _start(self, want: Desired, name: str) -> None:
        if self._owned(want, name) is not None:
            self.engine.start(name)

    def _connect(self, want: Desired, move: Move) -> None:
        item = self.engine.container(move.name)
        if item is None:
            return
        labels = (item.get("Config") or {}).get("Labels") or {}
        attached = networks.networks_of(item)
        main = child(want.ref, networks.MAIN)
        if want.network and main not in attached:
            relay = labels.get(tag.PURPOSE) == relays.PURPOSE
            fixed = self._fixed(want, labels[tag.ROLE]) if relay else ""
            self.engine.connect(main, move.name, aliases=_aliases(labels), address=fixed)
        if move.unit is not None:
            for network in self._linking(want.ref, move.unit.workload.role):
                if network not in attached:
                    self.engine.connect(network, move.name, aliases=_aliases(labels))

    def _linking(self, ref: Ref, role: str) -> list[str]:
        """Networks of others (and of our tasks) that link to this role."""
        return [
            str(item["Name"])
            for item in self.engine.networks(labels=[tag.LINKS])
            if (ref, role) in tag.read_links((item.get("Labels") or {}).get(tag.LINKS, ""))
        ]

    def _create(self, want: Desired, unit: Unit, index: int) -> None:
        name = tag.replica_name(want.ref, unit.workload.role, index)
        ensure_volumes(self.engine, want.ref, want.identity, unit.workload.mounts)
        if unit.own:
            ensure_engine_image(self.engine, self.options)
        else:
            ensure_release(self.engine, self.options, unit.workload.image, self.secret)
        box = self._box(want, unit, index)
        if unit.purpose == "gateway":
            self._create_gateway(want, unit, box)
            return
        if unit.purpose == relays.PURPOSE:
            outer = Attachment(self._bridge(want, networks.OUTBOUND))
            inner = Attachment(child(want.ref, networks.MAIN), address=self._fixed(want, unit.workload.role))
            box = dataclasses.replace(box, networks=(outer, inner), low_ports=True)
        elif want.network:
            subnet = networks.subnet_of(self.engine, child(want.ref, networks.MAIN))
            box = relays.with_ways(box, relays.policy_ways(want.policy, subnet))
        self._place(want, box)
        self.engine.start(name)

    def _place(self, want: Desired, box: Box) -> None:
        """Make the container; one of ours that is in its place and never ran is made anew."""
        try:
            ensure_box(self.engine, box, self.options, self.fill)
        except NameTaken:
            item = self._owned(want, box.name)
            if item is None or item["State"].get("Status") != "created":
                return
            self.engine.remove(item["Id"])
            ensure_box(self.engine, box, self.options, self.fill)

    def _box(self, want: Desired, unit: Unit, index: int) -> Box:
        workload = unit.workload
        attachments: list[Attachment] = []
        if want.network:
            aliases = (child(want.ref, workload.role),)
            attachments.append(Attachment(child(want.ref, networks.MAIN), aliases))
            attachments += [Attachment(net, aliases) for net in self._linking(want.ref, workload.role)]
        return dataclasses.replace(
            decide_box(want, unit, index, attachments=tuple(attachments)),
            labels={
                **tag.note_labels(want.notes),
                tag.INDEX: str(index),
                **({} if unit.own else {tag.SOURCE: workload.image.source, tag.DIGEST: workload.image.digest}),
            },
        )

    def _fixed(self, want: Desired, role: str) -> str:
        """The address of a relay of the workloads in the owner's network."""
        subnet = networks.subnet_of(self.engine, child(want.ref, networks.MAIN))
        return relays.fixed_address(subnet, int(role.rpartition("-")[2]))

    def _bridge(self, want: Desired, role: str) -> str:
        """A network with a way out, for what stands between it and the owner's own."""
        return networks.ensure_network(
            self.engine, self.options, ref=want.ref, identity=want.identity, role=role, internal=False
        )

    def _create_gateway(self, want: Desired, unit: Unit, box: Box) -> None:
        """A gateway publishes a port; on an internal network nothing is published, so it gets a bridge of its own too."""
        if want.policy.egress == "none" and want.network:
            bridge = self._bridge(want, networks.PUBLISH)
            box = dataclasses.replace(box, networks=(Attachment(bridge), *box.networks))
        box = dataclasses.replace(box, capabilities=("NET_BIND_SERVICE",))
        kept = ports.remembered(self.engine, want.ref, unit.workload.role)
        candidates = [unit.port] if unit.port else ports.candidates(self.engine, self.options, kept)
        for port in candidates:
            labels = {**box.labels, tag.PORT: str(port)}
            placed = dataclasses.replace(box, publish=(Publish(HTTP, port),), labels=labels)
            self._place(want, placed)
            try:
                self.engine.start(box.name)
            except PortTaken:
                self.engine.remove(box.name)
                if unit.port:
                    raise
                continue
            ports.remember(self.engine, want.ref, want.identity, unit.workload.role, port)
            return


def _aliases(labels: Mapping[str, str]) -> tuple[str, ...]:
    owner = tag.ref_of(labels)
    return (child(owner, labels[tag.ROLE]),) if owner is not None and owner.kind != sites.KIND else ()


def _refuse(want: Desired, moves: Sequence[Move]) -> None:
    """Raise for what may not be touched, all at once."""
    refused = [move for move in moves if move.verb == "refuse"]
    if not refused:
        return
    lines = [f"{move.change.object}: {move.change.reason}" for move in refused]
    if all(move.endpoint is not None for move in refused):
        raise HostTaken(f"host names of {want.ref} are served by others: {'; '.join(lines)}")
    raise Foreign(f"{'; '.join(lines)}; it is in the way of {want.ref}")


__all__ = ["Converger", "NoSuchObject"]
