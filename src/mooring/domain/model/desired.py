# SPDX-License-Identifier: Apache-2.0
"""What is wanted, in words that fit Odoo and PostgreSQL, containers, pods and systemd units alike.

A `Desired` is complete: what it does not name and what carries its owner's identity is removed by the target, except
volumes, which only an operation removes. It never holds a secret's value: files have slots that the target fills when it
writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef

Part = str | SecretKey


@dataclass(frozen=True)
class File:
    """A file that a process finds when it starts.

    Attributes:
        path: absolute path inside the workload.
        parts: text and slots for secrets, in order.
        uid: owner, numeric.
        gid: group, numeric.
        mode: permission bits; 0600 unless there is a reason.
    """

    path: str
    parts: tuple[Part, ...]
    uid: int = 0
    gid: int = 0
    mode: int = 0o600

    def secrets(self) -> Iterator[SecretKey]:
        """The slots of this file."""
        return (part for part in self.parts if isinstance(part, SecretKey))


@dataclass(frozen=True)
class Mount:
    """A volume inside a workload or task.

    Attributes:
        volume: the role of a volume of the owner; the volume's own name when `foreign`; an absolute folder of the machine
            that the target runs on when `machine`: it is made where it is missing.
        path: absolute path inside.
        uid: owner that the root of a new, empty volume gets.
        gid: its group.
    """

    volume: str
    path: str
    uid: int = 0
    gid: int = 0
    mode: int = 0o750
    read_only: bool = False
    foreign: bool = False
    machine: bool = False


@dataclass(frozen=True)
class Folder:
    """A folder of the machine that Mooring runs on, copied into a workload or task: custom add-ons.

    Attributes:
        path: absolute path inside.
        source: absolute path on this machine.
        digest: of names and content; part of what is wanted, so that a change rolls the processes.
    """

    path: str
    source: str
    digest: str
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Resources:
    """Limits; None is no limit."""

    cpu_millicores: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Probe:
    """How to see that a replica serves.

    Attributes:
        argv: run inside the replica; exit code 0 is ready. Never needs a shell or the image's own tools beyond its release.
        http: (port, path) of the same probe for targets that probe over HTTP; None where HTTP does not show it.
        timeout_s: seconds after which one probe counts as failed.
    """

    argv: tuple[str, ...]
    http: tuple[int, str] | None = None
    timeout_s: float = 10.0


@dataclass(frozen=True)
class Workload:
    """A process that is kept running.

    Attributes:
        role: what it is for, unique in its owner: `web`, `cron`, `database`.
        image: `ENGINE_RELEASE` for a program of Mooring's own.
        argv: the whole command; the image's entry point is never relied on.
        user: (uid, gid), never 0.
        ports: what it listens on.
        stop_grace_s: seconds between the polite signal and the kill.
        stop_signal: the polite signal.
    """

    role: str
    replicas: int
    image: ResolvedRelease
    argv: tuple[str, ...]
    user: tuple[int, int]
    env: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()
    mounts: tuple[Mount, ...] = ()
    folders: tuple[Folder, ...] = ()
    resources: Resources = Resources()
    ports: tuple[int, ...] = ()
    probe: Probe | None = None
    stop_grace_s: int = 30
    stop_signal: str = "SIGTERM"
    shm_bytes: int | None = None


@dataclass(frozen=True)
class Volume:
    """Data that outlives processes.

    Attributes:
        role: unique in its owner: `filestore`, `database`.
        size_bytes: asked size; a target that cannot enforce it compares it with the free space.
    """

    role: str
    size_bytes: int | None = None
    storage_class: str | None = None


@dataclass(frozen=True)
class SecretSpec:
    """A secret that has to exist with these keys before anything starts."""

    ref: SecretRef
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """Requests whose path begins with `path` go to `port` of the workload `role`."""

    path: str
    role: str
    port: int


@dataclass(frozen=True)
class Tls:
    """Where a certificate comes from: nowhere, an authority inside, ACME, or a secret (keys `tls.crt`, `tls.key`)."""

    mode: Literal["none", "internal", "acme", "secret"]
    email: str | None = None
    secret: SecretRef | None = None
    version: str = ""


@dataclass(frozen=True)
class Endpoint:
    """How people reach an instance.

    Attributes:
        hosts: DNS names; empty publishes a port on the loopback address instead.
        port: the published port without hosts; None lets the target choose a free one and keep it.
        max_body_bytes: largest accepted upload.
    """

    name: str
    routes: tuple[Route, ...]
    hosts: tuple[str, ...] = ()
    tls: Tls = Tls("none")
    port: int | None = None
    max_body_bytes: int = 1 << 30


@dataclass(frozen=True)
class Link:
    """This owner's workloads and tasks reach `role` of another owner on `port`, under that child's name."""

    to: Ref
    role: str
    port: int


@dataclass(frozen=True)
class Destination:
    """A place outside that may be reached over TCP where nothing else may.

    Processes go on using `host` and `port` as they are, also as the name that a certificate is checked against: a target that
    stands in between points the name at itself. An address cannot be pointed elsewhere.

    Attributes:
        host: a DNS name or an IP address.
        address_variable: where `host` is an address: the environment variable that tells a process to connect to another
            one in its stead (libpq's is `PGHOSTADDR`). Targets that stand in between set it, others do not; without one
            they refuse an address.
    """

    host: str
    port: int
    address_variable: str = ""


@dataclass(frozen=True)
class Policy:
    """What the owner's workloads may reach besides one another and their links.

    Attributes:
        egress: `open` is everything, `none` nothing but `allow`.
        allow: what is reached nevertheless.
    """

    egress: Literal["open", "none"] = "open"
    allow: tuple[Destination, ...] = ()


@dataclass(frozen=True)
class Desired:
    """Everything that is wanted of one owner, now.

    Attributes:
        network: False takes the owner's network away, with everything that needs it.
        notes: (key, text) written on what is made, for whoever lost the record; never a reason to make a process anew.
        memory: what is remembered of it between passes; kept where it outlives the processes, together with the notes.
    """

    ref: Ref
    identity: Identity
    workloads: tuple[Workload, ...] = ()
    volumes: tuple[Volume, ...] = ()
    secrets: tuple[SecretSpec, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    policy: Policy = Policy()
    links: tuple[Link, ...] = ()
    network: bool = True
    notes: tuple[tuple[str, str], ...] = ()
    memory: str = ""


def fingerprint(value: object) -> str:
    """16 hex digits that change when any field of a dataclass of this module does; equal across processes."""
    text = json.dumps(asdict(value), sort_keys=True, default=str)  # type: ignore[call-overload]  # any dataclass
    return hashlib.sha256(text.encode()).hexdigest()[:16]
