# SPDX-License-Identifier: Apache-2.0
"""Which port of the machine a gateway publishes.

A port counts as taken when any container publishes it, also a stopped one (the engine's list shows none for those), or
when something else listens on it. The one that was chosen stands on a small empty volume, so that it survives the
gateway's removal: an instance that was stopped, or deleted and brought back, has its old address.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator

from mooring.domain.model.identity import Identity, Ref, child
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import labels as tag
from mooring.targets.docker.options import DockerOptions
from mooring.targets.errors import PortsExhausted


def remembered(engine: Engine, ref: Ref, role: str) -> int | None:
    """The port that the role had; None if it never had one."""
    found = engine.volume(child(ref, role)) or {}
    text = (found.get("Labels") or {}).get(tag.PORT, "")
    return int(text) if text.isdigit() else None


def remember(engine: Engine, ref: Ref, identity: Identity, role: str, port: int) -> None:
    """Write down the port; nothing when it stands there."""
    known = remembered(engine, ref, role)
    if known == port:
        return
    name = child(ref, role)
    if known is not None:
        engine.remove_volume(name)
    labels = tag.owner_labels(ref, identity, role) | {tag.PORT: str(port), tag.PURPOSE: "port"}
    engine.create_volume(name, labels)


def candidates(engine: Engine, options: DockerOptions, kept: int | None) -> Iterator[int]:
    """Ports to try, the remembered one first.

    Raises:
        PortsExhausted: after the last one.
    """
    used = published(engine)
    first, last = options.publish_ports
    order = ([kept] if kept is not None else []) + list(range(first, last + 1))
    for port in order:
        if port not in used and (not engine.address.local or bindable(port)):
            yield port
    raise PortsExhausted(f"all ports from {first} to {last} are in use")


def published(engine: Engine) -> set[int]:
    """Ports that containers publish, stopped ones included."""
    found: set[int] = set()
    for listed in engine.containers():
        item = engine.container(str(listed["Id"]))
        bindings = ((item or {}).get("HostConfig") or {}).get("PortBindings") or {}
        for entries in bindings.values():
            found |= {int(entry["HostPort"]) for entry in entries or () if str(entry.get("HostPort", "")).isdigit()}
    return found


def bindable(port: int) -> bool:
    """Whether nothing on this machine listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def first_taken(engine: Engine, wanted: Iterable[int]) -> int | None:
    """The first port that a container publishes or something on this machine listens on, at any address; None if none is."""
    used = published(engine)
    for port in wanted:
        if port in used or (engine.address.local and _listened(port)):
            return port
    return None


def _listened(port: int) -> bool:
    """Whether a listener has it; that we may not have it ourselves says nothing."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as fault:
            return fault.errno == errno.EADDRINUSE
    return False
