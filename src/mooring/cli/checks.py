# SPDX-License-Identifier: Apache-2.0
"""What `doctor` and `setup` look at on a machine: each check says whether it is well, and how to mend it if not.

They look and change nothing. The limits are those of a server with one instance that people work on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mooring.cli.engines import find_address
from mooring.drivers import host
from mooring.drivers.docker.engine import Engine
from mooring.drivers.settings import Settings
from mooring.errors import MooringError
from mooring.targets.docker import labels as tag

MEMORY_BYTES = 4 * 10**9
DISK_BYTES = 20 * 10**9
OLDEST_DOCKER = (20, 10)
OLDEST_PODMAN = (4, 0)

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        mend: what to do; empty when it is well.
    """

    name: str
    verdict: Verdict
    found: str
    mend: str = ""


@dataclass(frozen=True)
class EngineFound:
    """The engine as `doctor` saw it.

    Attributes:
        local: it runs on this machine.
        root: the folder of its data, where that can be looked at.
        ingress_ports: ports that an ingress of Mooring's publishes.
    """

    local: bool
    root: Path | None
    ingress_ports: frozenset[int]


def check_machine(environ: Mapping[str, str], settings: Settings, *, home: Path, hosts: Sequence[str]) -> list[Check]:
    """All checks of the machine, the engine's first.

    Args:
        environ: says where the engine is.
        settings: name the ports of the ingress.
        home: the disk there is looked at where the engine's own folder cannot be.
        hosts: host names of instances.
    """
    first, engine = check_engine(environ)
    return [
        first,
        check_memory(),
        check_disk(engine.root if engine is not None and engine.root is not None else home),
        *check_ports(settings, engine, needed=bool(hosts)),
        check_clock(),
        *check_hosts(hosts),
    ]


def check_engine(environ: Mapping[str, str]) -> tuple[Check, EngineFound | None]:
    """Whether an engine answers, and which."""
    try:
        address = find_address(environ)
        engine = Engine(address)
        try:
            info = engine.info()
            podman = engine.podman
            ingress = engine.containers(labels=[tag.INSTALLATION])
        finally:
            engine.close()
    except MooringError as error:
        tried = "; ".join(error.details.splitlines())
        mend = f"{error.resolution} On Debian and Ubuntu `sudo mooring setup` installs one."
        return Check("engine", "fail", f"{error.brief} ({tried})" if tried else error.brief, mend), None
    version = str(info.get("ServerVersion", ""))
    what = f"{'Podman' if podman else 'Docker'} {version} at {address.url}"
    root = Path(str(info.get("DockerRootDir", ""))) if address.local and info.get("DockerRootDir") else None
    found = EngineFound(address.local, root, _published(ingress))
    oldest = OLDEST_PODMAN if podman else OLDEST_DOCKER
    if _numbers(version) < oldest:
        wanted = ".".join(str(number) for number in oldest)
        return Check("engine", "warn", what, f"Upgrade it: {wanted} is the oldest that Mooring is tried with."), found
    return Check("engine", "ok", what), found


def check_memory() -> Check:
    """At least 4 GB."""
    memory = host.observe_memory_bytes()
    text = f"{memory / 10**9:.1f} GB"
    # A machine that is sold with 4 GB shows a little less.
    if memory >= MEMORY_BYTES * 0.92:
        return Check("memory", "ok", text)
    return Check("memory", "warn", text, "Odoo and PostgreSQL want 4 GB; give the machine more, or instances less.")


def check_disk(path: Path) -> Check:
    """At least 20 GB free."""
    try:
        free = host.observe_disk_free_bytes(path)
    except MooringError as error:
        return Check("disk", "warn", error.brief, "Look at the disk's free space by hand.")
    text = f"{free / 10**9:.1f} GB free at {path}"
    if free >= DISK_BYTES:
        return Check("disk", "ok", text)
    if free >= DISK_BYTES / 4:
        return Check("disk", "warn", text, "20 GB are advised; upgrades make a safety copy of all data.")
    return Check("disk", "fail", text, "Free space before anything else: a full disk stops every instance.")


def check_ports(settings: Settings, engine: EngineFound | None, *, needed: bool) -> list[Check]:
    """Whether the ports of the ingress are free, or ours.

    Args:
        needed: instances with host names are on record.
    """
    checks: list[Check] = []
    ports = settings.docker.ingress.http_port, settings.docker.ingress.https_port
    for port in ports:
        name = f"port {port}"
        if engine is not None and port in engine.ingress_ports:
            checks.append(Check(name, "ok", "in use by Mooring's own ingress"))
            continue
        if engine is not None and not engine.local:
            checks.append(Check(name, "warn", "the engine is on another machine", "Look there whether it is free."))
            continue
        free = host.observe_port_free(port)
        if free is None:
            checks.append(Check(name, "warn", "this user may not try it", "Run `mooring doctor` as root to know."))
        elif free:
            checks.append(Check(name, "ok", "free"))
        else:
            mend = f"Stop what listens there (`ss -ltnp 'sport = :{port}'` names it), or choose another ingress port."
            checks.append(Check(name, "fail" if needed else "warn", "taken by another program", mend))
    return checks


def check_clock() -> Check:
    """Whether a time service keeps the clock."""
    kept = host.observe_clock_synchronised()
    if kept:
        return Check("clock", "ok", "synchronised")
    text = "not synchronised" if kept is False else "the kernel does not tell"
    return Check("clock", "warn", text, "Run a time service, such as `apt-get install systemd-timesyncd`.")


def check_hosts(hosts: Sequence[str]) -> list[Check]:
    """Whether every host name of an instance stands for an address."""
    checks: list[Check] = []
    for name in sorted(set(hosts)):
        found = host.observe_addresses(name)
        if found.addresses:
            checks.append(Check(f"DNS {name}", "ok", ", ".join(found.addresses)))
        elif found.exists is False:
            mend = f"Make an A or AAAA record of {name} that points to this machine."
            checks.append(Check(f"DNS {name}", "fail", found.problem, mend))
        else:
            checks.append(Check(f"DNS {name}", "warn", found.problem, "Look at this machine's /etc/resolv.conf."))
    return checks


def _published(containers: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    ports = (port for item in containers for port in item.get("Ports") or ())
    return frozenset(int(port["PublicPort"]) for port in ports if port.get("PublicPort"))


def _numbers(version: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in version.split(".")[:2]:
        digits = "".join(one for one in part if one.isdigit())
        numbers.append(int(digits or 0))
    return tuple(numbers)
