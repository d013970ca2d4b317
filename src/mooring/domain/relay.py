# SPDX-License-Identifier: Apache-2.0
"""What a relay is told, and what it says: the only thing that targets and the relay's program share.

A relay (`mooring.engine.relay`) is one process on the edge between a network without a way out and one with: it listens
on the port of each destination and passes bytes to that destination and to no other. Which processes are pointed at it,
and how, is the target's business. Nothing here resolves, connects or knows what is spoken over it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from mooring.domain.model.desired import Destination

RELAY_PATH = "/run/mooring/relay.json"
RELAY_ARGV = ("python3", "-m", "mooring.engine.relay", RELAY_PATH)
RELAY_USER = (65532, 65532)
# Begins each line that a relay prints; the first is printed when it listens.
LISTENS = "relay: listening"
COMPLAINS = "relay: cannot reach"


@dataclass(frozen=True)
class RelayDocument:
    """What one relay passes on.

    Attributes:
        destinations: each port once: a relay has one address, and knows by the port where a connection goes.
        lifetime_s: seconds after which it ends by itself, for one whose task nobody looks after any more; None is never.
    """

    destinations: tuple[Destination, ...]
    lifetime_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no relay can do.

        Raises:
            ValueError: no destination, or a port twice.
        """
        ports = [item.port for item in self.destinations]
        if not ports or len(set(ports)) != len(ports):
            raise ValueError("a relay has at least one destination, and each port once")


def plan_relays(allow: Iterable[Destination]) -> tuple[tuple[Destination, ...], ...]:
    """Which destinations one relay serves: as few relays as their ports let there be, in the order given.

    All ports of a host go to one relay, since processes find a host under one address; two hosts with the same port go to
    two. The same destination twice counts once.
    """
    hosts: dict[str, dict[int, Destination]] = {}
    for item in allow:
        hosts.setdefault(item.host.lower(), {}).setdefault(item.port, item)
    groups: list[dict[int, Destination]] = []
    for ports in hosts.values():
        group = next((found for found in groups if not found.keys() & ports.keys()), None)
        if group is None:
            groups.append(dict(ports))
        else:
            group.update(ports)
    return tuple(tuple(group.values()) for group in groups)


def dump_relay(document: RelayDocument) -> str:
    """The JSON that the relay's program reads."""
    places = [{"host": item.host, "port": item.port} for item in document.destinations]
    return json.dumps({"v": 1, "destinations": places, "lifetimeS": document.lifetime_s}, sort_keys=True)


def load_relay(text: str) -> RelayDocument:
    """What `dump_relay` wrote.

    Raises:
        ValueError: it is no such JSON, or another version's.
    """
    try:
        value = json.loads(text)
        if value["v"] != 1:
            raise ValueError(f"version {value['v']} is not known here")
        lifetime = value["lifetimeS"]
        places = tuple(Destination(str(item["host"]), int(item["port"])) for item in value["destinations"])
        return RelayDocument(places, None if lifetime is None else float(lifetime))
    except (KeyError, TypeError) as fault:
        raise ValueError(f"this is no document of a relay: {fault!r}") from fault
