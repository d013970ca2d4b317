# SPDX-License-Identifier: Apache-2.0
"""Networks of an owner: making, replacing and removing them, and who has to be on them. Effects; no decisions."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from typing import Any

from mooring.domain.model.identity import Identity, Ref, child
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.routes import local_subnets
from mooring.targets.docker import labels as tag
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.subnets import plan_subnets
from mooring.targets.errors import Foreign, NameTaken, SubnetTaken

MAIN, TASKS, OUTBOUND, PUBLISH = "network", "tasks", "outbound", "publish"
_TRIES = 20
_making = threading.RLock()


def ensure_network(
    engine: Engine,
    options: DockerOptions,
    *,
    ref: Ref,
    identity: Identity,
    role: str,
    internal: bool,
    links: str = "",
    fingerprint: str = "",
    relays: bool = False,
    subnet: str = "",
) -> str:
    """The name of the owner's network `role`, made when it is missing. An existing one of ours stays as it is.

    Args:
        relays: twice the size, with addresses in its second half that are given to nobody who asks for none.
        subnet: the one to take if it is free and of the right size.

    Raises:
        Foreign: a network of that name is not this owner's.
        SubnetsExhausted: the pool is used up.
    """
    # Docker looks for the name and makes the network in two steps: two at once make two of one name, and both are refused.
    with _making:
        name = child(ref, role)
        found = engine.network(name)
        if found is not None:
            check_owner(found.get("Labels"), ref, identity, f"network {name}")
            return name
        labels = tag.owner_labels(ref, identity, role) | {tag.FINGERPRINT: fingerprint}
        if links:
            labels[tag.LINKS] = links
        prefix = options.network_prefix - 1 if relays else options.network_prefix
        candidates = plan_subnets(options.network_pool, prefix, _used(engine))
        if subnet.endswith(f"/{prefix}"):
            candidates = itertools.chain((subnet,), candidates)
        for _ in range(_TRIES):
            try:
                free = next(candidates)
                half = free.replace(f"/{prefix}", f"/{prefix + 1}") if relays else ""
                engine.create_network(name, subnet=free, internal=internal, labels=labels, ip_range=half)
            except SubnetTaken:
                continue
            except NameTaken:
                return ensure_network(
                    engine,
                    options,
                    ref=ref,
                    identity=identity,
                    role=role,
                    internal=internal,
                    links=links,
                    fingerprint=fingerprint,
                    relays=relays,
                )
            return name
        raise SubnetTaken(f"no subnet of {options.network_pool} was accepted for network {name}")


def check_owner(labels: Mapping[str, str] | None, ref: Ref, identity: Identity, what: str) -> None:
    """Nothing for an object of this owner.

    Raises:
        Foreign: it is another's.
    """
    if tag.identity_of(labels) != identity or tag.ref_of(labels) != ref:
        raise Foreign(f"{what} is in the way of {ref}: it does not carry this instance's identity")


def remove_network(engine: Engine, name: str) -> tuple[str, ...]:
    """Disconnect everything, also stopped containers, and remove it; the names of what was connected."""
    attached = tuple(str(item["Names"][0]).lstrip("/") for item in engine.attached(name))
    for container in attached:
        engine.disconnect(name, container)
    engine.remove_network(name)
    return attached


def connect_links(engine: Engine, network: str, links: str, *, only: Ref | None = None) -> tuple[str, ...]:
    """Connect the containers that a network's links name and that exist; the names of those that were not connected."""
    done: list[str] = []
    for owner, role in tag.read_links(links):
        if only is not None and owner != only:
            continue
        for item in linked_containers(engine, owner, role):
            name = str(item["Names"][0]).lstrip("/")
            if network not in networks_of(item):
                engine.connect(network, name, aliases=(child(owner, role),))
                done.append(name)
    return tuple(done)


def linked_containers(engine: Engine, owner: Ref, role: str) -> list[dict[str, Any]]:
    """The replicas of another owner's role."""
    return engine.containers(labels=tag.role_filter(owner, role))


def networks_of(container: Mapping[str, Any]) -> dict[str, Any]:
    """The networks that a container is on, by name; of an inspected one as of a listed one."""
    found = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return {str(name): value for name, value in found.items()}


def subnet_of(engine: Engine, name: str) -> str:
    """The subnet of a network; empty when it is gone."""
    config = ((engine.network(name) or {}).get("IPAM") or {}).get("Config") or ()
    return next((str(item["Subnet"]) for item in config if item.get("Subnet")), "")


def _used(engine: Engine) -> list[str]:
    """Subnets of the engine's networks, and those that this machine routes elsewhere when the engine runs on it."""
    found = [
        str(config["Subnet"])
        for network in engine.networks()
        for config in ((network.get("IPAM") or {}).get("Config") or ())
        if config.get("Subnet")
    ]
    return found + (local_subnets() if engine.address.local else [])
