# SPDX-License-Identifier: Apache-2.0
"""What the engine has of one owner, as one `Observed`. Reads only; blocking, called in a thread by the target."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mooring.domain.model.identity import Ref, child
from mooring.domain.model.observed import EndpointSeen, ObjectSeen, Observed, Replica, VolumeSeen, WorkloadSeen
from mooring.domain.task import tail
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker import labels as tag
from mooring.targets.docker import memory, networks, relays, sites
from mooring.targets.docker.boxes import file_digest, observed_limits
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.probes import Probes
from mooring.targets.docker.stops import Stops

LOG_LINES = 100


@dataclass(frozen=True)
class Looker:
    """What looking needs."""

    engine: Engine
    options: DockerOptions
    probes: Probes
    stops: Stops

    def observe(self, ref: Ref, *, at: datetime, live: bool) -> Observed:
        """One snapshot of `ref`."""
        own = self._containers(ref)
        objects: dict[str, ObjectSeen] = {}
        nets = self._networks(ref, objects)
        linking = self._linking(ref)
        workloads: dict[str, list[Replica]] = {}
        tasks: list[str] = []
        endpoints: dict[str, EndpointSeen] = {}
        running = [item for item in own if _ours(item, ref) and _state(item, self.stops) == "running"]
        ready = self.probes.check(running, live=live)
        for item in own:
            name, labels = _name(item), _labels(item)
            purpose = labels.get(tag.PURPOSE, "") if _ours(item, ref) else ""
            state = _state(item, self.stops)
            if purpose == "task":
                if state in {"running", "stopping", "paused", "restarting"}:
                    tasks.append(name)
                else:
                    objects[f"task {name}"] = ObjectSeen("task", name, "", tag.identity_of(labels), {"state": state})
                continue
            if purpose == relays.PURPOSE and tag.RELAY_OF in labels:
                detail = {"task": labels[tag.RELAY_OF], "state": state}
                objects[f"relay {name}"] = ObjectSeen("relay", name, "", tag.identity_of(labels), detail)
                continue
            objects[f"container {name}"] = self._container(item, ref, live=live, ready=ready, linking=linking)
            if purpose == "workload":
                replica = self._replica(item, state, ready=ready.get(name, False))
                workloads.setdefault(labels.get(tag.ROLE, ""), []).append(replica)
            if purpose == "gateway" and state == "running" and labels.get(tag.PORT):
                port = int(labels[tag.PORT])
                word = labels.get(tag.ROLE, "").removeprefix("gateway-")
                endpoints[word] = EndpointSeen(word, f"http://127.0.0.1:{port}", port)
        volumes = self._volumes(ref, objects)
        endpoints |= sites.observe_sites(self.engine, self.options, ref, nets, objects, live=live)
        return Observed(
            ref=ref,
            at=at,
            live=live,
            workloads={
                role: WorkloadSeen(role, tuple(sorted(found, key=lambda item: _index(item.name))))
                for role, found in workloads.items()
            },
            volumes=volumes,
            endpoints=endpoints,
            objects=objects,
            tasks=tuple(sorted(tasks)),
            free_bytes=self._free_bytes(),
        )

    def _free_bytes(self) -> int | None:
        """Free space where the engine keeps its data, which only an engine of this machine lets us see."""
        if not self.engine.address.local:
            return None
        try:
            return shutil.disk_usage(self.engine.data_root).free if self.engine.data_root else None
        except OSError:  # rootless, or an engine in a mount namespace of its own: its folder is not ours to see
            return None

    def _containers(self, ref: Ref) -> list[dict[str, Any]]:
        listed = {item["Id"]: item for item in self.engine.containers(labels=tag.owner_filter(ref))}
        prefix = tag.name_prefix(ref)
        if prefix is not None:
            for item in self.engine.containers(name=f"^/?{prefix}"):
                if tag.is_child_name(ref, str(item["Names"][0]).lstrip("/")):
                    listed.setdefault(item["Id"], item)
        inspected = (self.engine.container(name) for name in listed)
        return [item for item in inspected if item is not None]

    def _networks(self, ref: Ref, objects: dict[str, ObjectSeen]) -> list[str]:
        found = {str(item["Name"]): item for item in self.engine.networks(labels=tag.owner_filter(ref))}
        main = child(ref, networks.MAIN)
        if main not in found and (stranger := self.engine.network(main)) is not None:
            found[main] = stranger
        for name, item in found.items():
            labels = item.get("Labels") or {}
            links = labels.get(tag.LINKS, "")
            missing = sorted(self._missing(name, links)) if name == main else []
            objects[f"network {name}"] = ObjectSeen(
                kind="network",
                name=name,
                fingerprint=labels.get(tag.FINGERPRINT, ""),
                identity=tag.identity_of(labels),
                detail={
                    "role": labels.get(tag.ROLE, ""),
                    "internal": "yes" if item.get("Internal") else "no",
                    "links": links,
                    "missing": ",".join(missing),
                },
            )
        return list(found)

    def _missing(self, network: str, links: str) -> list[str]:
        """Containers that the network links to, that exist, and that are not on it."""
        return [
            str(item["Names"][0]).lstrip("/")
            for owner, role in tag.read_links(links)
            for item in networks.linked_containers(self.engine, owner, role)
            if network not in networks.networks_of(item)
        ]

    def _linking(self, ref: Ref) -> list[tuple[str, str]]:
        """(network, role) of every network whose links name a role of `ref`."""
        return [
            (str(item["Name"]), role)
            for item in self.engine.networks(labels=[tag.LINKS])
            for owner, role in tag.read_links((item.get("Labels") or {}).get(tag.LINKS, ""))
            if owner == ref
        ]

    def _container(
        self,
        item: Mapping[str, Any],
        ref: Ref,
        *,
        live: bool,
        ready: Mapping[str, bool],
        linking: list[tuple[str, str]],
    ) -> ObjectSeen:
        name, labels = _name(item), _labels(item)
        attached = networks.networks_of(item)
        unlinked = [net for net, role in linking if role == labels.get(tag.ROLE) and net not in attached]
        return ObjectSeen(
            kind="container",
            name=name,
            fingerprint=labels.get(tag.FINGERPRINT, ""),
            identity=tag.identity_of(labels),
            detail={
                "role": labels.get(tag.ROLE, ""),
                "purpose": labels.get(tag.PURPOSE, ""),
                "index": labels.get(tag.INDEX, "0"),
                "state": _state(item, self.stops),
                "ready": "yes" if ready.get(name) else "no",
                "networks": ",".join(sorted(attached)),
                "unlinked": ",".join(sorted(unlinked)),
                "drift": self._drift(item, child(ref, networks.MAIN), live=live),
                "port": labels.get(tag.PORT, ""),
                "grace": str((item.get("Config") or {}).get("StopTimeout") or 30),
            },
        )

    def _drift(self, item: Mapping[str, Any], main: str, *, live: bool) -> str:
        """What somebody changed on it since it was made; empty when nothing."""
        labels = _labels(item)
        if tag.LIMITS in labels and observed_limits(item.get("HostConfig") or {}) != labels[tag.LIMITS]:
            return "its limits or its restart policy were changed"
        here = networks.networks_of(item).get(main) or {}
        if relays.ways_moved(labels, str(here.get("IPAddress") or ""), int(here.get("IPPrefixLen") or 0)):
            return "its ways out have another address"
        if live and labels.get(tag.FILES):
            for path, digest in json.loads(labels[tag.FILES]).items():
                found = self.engine.download(_name(item), path)
                content = next(iter(found.values()), None) if found else None
                if content is None or file_digest(labels.get(tag.SALT, ""), content) != digest:
                    return f"its file {path} was changed"
        return ""

    def _replica(self, item: Mapping[str, Any], state: str, *, ready: bool) -> Replica:
        facts = item["State"]
        running = bool(facts.get("Running")) or state in {"running", "restarting", "stopping", "paused"}
        code = None if running and state != "restarting" else int(facts.get("ExitCode") or 0)
        restarts = int(item.get("RestartCount") or 0)
        # One that dies at each start may be seen just after one: what it ended of is in the log all the same.
        dies = state == "restarting" or (restarts > 0 and not ready)
        ended_badly = dies or (not running and state == "exited" and code != 0)
        return Replica(
            name=_name(item),
            running=running,
            ready=ready and state == "running",
            started_at=read_time(facts.get("StartedAt")),
            restarts=restarts,
            exit_code=code if state != "created" else None,
            fingerprint=_labels(item).get(tag.FINGERPRINT, ""),
            log_tail=tail(self.engine.log_end(_name(item), lines=LOG_LINES)) if ended_badly else "",
        )

    def _volumes(self, ref: Ref, objects: dict[str, ObjectSeen]) -> dict[str, VolumeSeen]:
        found = {str(item["Name"]): item for item in self.engine.volumes(labels=tag.owner_filter(ref))}
        prefix = tag.name_prefix(ref)
        if prefix is not None:
            for item in self.engine.volumes(name=prefix):
                if tag.is_child_name(ref, str(item["Name"])):
                    found.setdefault(str(item["Name"]), item)
        seen: dict[str, VolumeSeen] = {}
        for name, item in found.items():
            labels = item.get("Labels") or {}
            identity = tag.identity_of(labels)
            if labels.get(tag.PURPOSE) == "port":
                continue
            if memory.is_memory(labels):
                objects[f"{memory.KIND} {name}"] = ObjectSeen(memory.KIND, name, "", identity)
                continue
            role = labels.get(tag.ROLE) or name[len(prefix or "") : -9]
            objects[f"volume {name}"] = ObjectSeen("volume", name, "", identity, {"role": role})
            seen[role] = VolumeSeen(role, name, identity)
        return seen


def read_time(text: object) -> datetime | None:
    """A time of the engine; None for its zero time. Nanoseconds are cut."""
    if not isinstance(text, str) or not text or text.startswith("0001-"):
        return None
    head, dot, rest = text.partition(".")
    if not dot:
        return datetime.fromisoformat(text)
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return datetime.fromisoformat(f"{head}.{rest[: min(digits, 6)].ljust(6, '0')}{rest[digits:]}")


def _ours(item: Mapping[str, Any], ref: Ref) -> bool:
    return tag.ref_of(_labels(item)) == ref


def _name(item: Mapping[str, Any]) -> str:
    return str(item["Name"]).lstrip("/")


def _labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    return (item.get("Config") or {}).get("Labels") or {}


def _state(item: Mapping[str, Any], stops: Stops) -> str:
    if stops.stopping(str(item["Id"])):
        return "stopping"
    facts = item["State"]
    if facts.get("Restarting"):
        return "restarting"
    if facts.get("Paused"):
        return "paused"
    return str(facts.get("Status") or ("running" if facts.get("Running") else "exited"))


def _index(name: str) -> tuple[int, str]:
    last = name.rpartition("-")[2]
    return (int(last) if last.isdigit() else 0, name)
