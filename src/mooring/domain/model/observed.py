# SPDX-License-Identifier: Apache-2.0
"""What a target saw of one owner at one moment. Decisions read nothing else about the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import ResolvedRelease


@dataclass(frozen=True)
class Replica:
    """One running, stopped or dead process of a workload.

    Attributes:
        ready: the probe's answer; False until it answered.
        started_at: when the process started; None if it never did.
        restarts: how often the engine restarted it since it was created.
        exit_code: of a process that ended; None while it runs.
        current: it is what the last `converge` wanted (False after a change that is not rolled out yet).
        log_tail: end of the log of a process that ended badly, at most 4 KiB; empty otherwise.
    """

    name: str
    running: bool
    ready: bool
    started_at: datetime | None = None
    restarts: int = 0
    exit_code: int | None = None
    fingerprint: str = ""
    log_tail: str = ""


@dataclass(frozen=True)
class WorkloadSeen:
    """The replicas of one role, sorted by name."""

    role: str
    replicas: tuple[Replica, ...] = ()

    @property
    def running(self) -> int:
        """Replicas with a process."""
        return sum(replica.running for replica in self.replicas)

    @property
    def ready(self) -> int:
        """Replicas that answer their probe."""
        return sum(replica.running and replica.ready for replica in self.replicas)


@dataclass(frozen=True)
class VolumeSeen:
    """A volume that carries this owner's name.

    Attributes:
        identity: what is written on it; None if nothing is.
    """

    role: str
    name: str
    identity: Identity | None


@dataclass(frozen=True)
class ObjectSeen:
    """One object of the target behind the summary, for `diff`.

    Attributes:
        kind: the target's word: `container`, `network`, `volume`, `site`.
        fingerprint: of what it was made from, as written on it.
        identity: None for a stranger's object that has our name.
        detail: what else `diff` compares; the target's own.
    """

    kind: str
    name: str
    fingerprint: str
    identity: Identity | None
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EndpointSeen:
    """Where an endpoint is reached now: `url` for people, `port` when one is published."""

    name: str
    url: str
    port: int | None = None


@dataclass(frozen=True)
class Observed:
    """One snapshot of one owner.

    Attributes:
        at: when it was taken, UTC.
        live: read from the world for this call, not from a cache.
        tasks: names of task processes of this owner that still run.
        free_bytes: free space where the owner's volumes are; None where the target cannot tell.
    """

    ref: Ref
    at: datetime
    live: bool = False
    workloads: Mapping[str, WorkloadSeen] = field(default_factory=dict)
    volumes: Mapping[str, VolumeSeen] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointSeen] = field(default_factory=dict)
    objects: Mapping[str, ObjectSeen] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    free_bytes: int | None = None

    def workload(self, role: str) -> WorkloadSeen:
        """The workload `role`, empty if there is none."""
        return self.workloads.get(role, WorkloadSeen(role))


@dataclass(frozen=True)
class Change:
    """One difference between what is wanted and what is.

    Attributes:
        action: what is done with the object.
        object: kind and name, such as `container shop-web-0-1a2b3c4d`.
        reason: why, for people.
        consequence: what users notice.
        beside: nothing that runs depends on it.
    """

    action: Literal["create", "replace", "update", "remove", "start", "stop"]
    object: str
    reason: str
    consequence: Literal["none", "restart", "downtime", "data", "refused"] = "none"
    beside: bool = False


@dataclass(frozen=True)
class Found:
    """What `inventory` found of one owner: enough to rebuild its record.

    Attributes:
        notes: what `Desired.notes` wrote on the newest object that carries some.
        memory: what `Desired.memory` kept; empty where nothing is kept.
        versions: `namespace/name/key` → version of each secret that its processes were started with.
    """

    ref: Ref
    identity: Identity
    workloads: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    release: ResolvedRelease | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    memory: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
