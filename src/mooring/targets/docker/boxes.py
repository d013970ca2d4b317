# SPDX-License-Identifier: Apache-2.0
"""One container: what it is made from, the engine's object for it (pure), and how it is put in place with its files.

Replicas, tasks, gateways and the ingress are all made here, so that each of them is unprivileged, limited, labelled and
logs with rotation. Called by converge and tasks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mooring.domain.model.desired import File, Folder, Mount, Probe, Resources
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.task import Upload
from mooring.drivers.docker.archive import Entry, pack_folder, render_archive
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.uploads import stream_upload
from mooring.targets.docker import labels as tag
from mooring.targets.docker.networks import check_owner
from mooring.targets.docker.options import DockerOptions
from mooring.targets.errors import NoSuchObject

Fill = Callable[[File], bytes]


# Docker 20.10 leaves `unless-stopped` containers down after the engine itself was killed; what is to be away is removed,
# never stopped, so that nothing comes back that must not.
RESTART_POLICY = "always"


@dataclass(frozen=True)
class BoxMount:
    """A volume by its name in the engine, or a folder of its `machine`, and the owner that its root gets while it is empty.

    A `foreign` one keeps its owner.
    """

    volume: str
    path: str
    uid: int
    gid: int
    mode: int
    read_only: bool = False
    foreign: bool = False
    machine: bool = False

    @property
    def bind(self) -> str:
        """The mount as the engine reads it; a new volume does not get what the image has at its path."""
        options = "ro" if self.read_only else "rw"
        return f"{self.volume}:{self.path}:{options}{'' if self.machine else ',nocopy'}"


@dataclass(frozen=True)
class Attachment:
    """A network, the names under which the container is found there, and its address where that is fixed."""

    network: str
    aliases: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True)
class Publish:
    """A port of the container on an address of the engine's machine; an empty address is all of them.

    Podman 4.3 takes `0.0.0.0` for a destination, which no packet has.
    """

    inner: int
    port: int
    address: str = "127.0.0.1"


@dataclass(frozen=True)
class Box:
    """A container that is wanted.

    Attributes:
        purpose: `workload`, `task`, `gateway`, `relay` or `ingress`.
        restart: it comes back by itself after its end and after a reboot.
        networks: the first is there from the start, the others before the process starts; empty is none at all.
        hosts: (name, address) for its hosts file, which is asked before any name server.
        low_ports: it may listen below 1024, which Docker always allows and Podman does not.
        labels: beyond those of every object.
    """

    name: str
    ref: Ref
    identity: Identity
    role: str
    purpose: str
    image: str
    argv: tuple[str, ...]
    user: tuple[int, int]
    restart: bool
    groups: tuple[int, ...] = ()
    fingerprint: str = ""
    env: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()
    folders: tuple[Folder, ...] = ()
    uploads: tuple[Upload, ...] = ()
    mounts: tuple[BoxMount, ...] = ()
    resources: Resources = field(default_factory=Resources)
    networks: tuple[Attachment, ...] = ()
    publish: tuple[Publish, ...] = ()
    stop_grace_s: int = 30
    stop_signal: str = "SIGTERM"
    shm_bytes: int | None = None
    probe: Probe | None = None
    capabilities: tuple[str, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    low_ports: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


def limits_text(resources: Resources, *, restart: bool) -> str:
    """The limits of a container as the label and `observed_limits` write them."""
    policy = RESTART_POLICY if restart else "no"
    return f"{resources.memory_bytes or 0}/{(resources.cpu_millicores or 0) * 1_000_000}/{policy}"


def observed_limits(host_config: Mapping[str, Any]) -> str:
    """The limits that a container has now."""
    policy = (host_config.get("RestartPolicy") or {}).get("Name") or "no"
    return f"{host_config.get('Memory') or 0}/{host_config.get('NanoCpus') or 0}/{policy}"


def render_box(box: Box, options: DockerOptions, *, podman: bool = False) -> dict[str, Any]:
    """The engine's configuration object. The image's entry point and user are always replaced.

    Its health check is switched off, too: readiness is our own probe. Podman 4 asks systemd about any health check, also
    about none, so it hears nothing of it.
    """
    host: dict[str, Any] = {
        "Binds": [item.bind for item in box.mounts],
        "CapDrop": ["ALL"],
        "CapAdd": list(box.capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "NetworkMode": box.networks[0].network if box.networks else "none",
        "PidsLimit": options.pids_limit,
        "RestartPolicy": {"Name": RESTART_POLICY if box.restart else "no"},
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": f"{options.log_bytes}", "max-file": f"{options.log_files}"},
        },
        "PortBindings": {
            f"{item.inner}/tcp": [{"HostIp": item.address, "HostPort": str(item.port)}] for item in box.publish
        },
    }
    if not podman:
        # As a container's first process, Odoo would not hear SIGTERM before it has set its handlers, and a stop in its
        # first second would take the whole grace period. Podman needs a program for this that is not always there.
        host["Init"] = True
    if box.groups:
        host["GroupAdd"] = [str(group) for group in box.groups]
    if box.resources.memory_bytes:
        host["Memory"] = host["MemorySwap"] = box.resources.memory_bytes
    if box.resources.cpu_millicores:
        host["NanoCpus"] = box.resources.cpu_millicores * 1_000_000
    if box.shm_bytes:
        host["ShmSize"] = box.shm_bytes
    if box.hosts:
        host["ExtraHosts"] = [f"{name}:{address}" for name, address in box.hosts]
    if box.low_ports:
        host["Sysctls"] = {"net.ipv4.ip_unprivileged_port_start": "0"}
    first = box.networks[:1]
    return {
        "Image": box.image,
        "Entrypoint": [box.argv[0]],
        "Cmd": list(box.argv[1:]),
        "User": f"{box.user[0]}:{box.user[1]}",
        "Hostname": box.name[:63],
        "Env": [f"{key}={value}" for key, value in box.env],
        "Labels": render_labels(box),
        "StopSignal": box.stop_signal,
        "StopTimeout": box.stop_grace_s,
        **({} if podman else {"Healthcheck": {"Test": ["NONE"]}}),
        "ExposedPorts": {f"{item.inner}/tcp": {} for item in box.publish},
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": {item.network: _endpoint(item) for item in first}},
    }


def _endpoint(item: Attachment) -> dict[str, Any]:
    fixed = {"IPAMConfig": {"IPv4Address": item.address}} if item.address else {}
    return {"Aliases": list(item.aliases), **fixed}


def render_labels(box: Box) -> dict[str, str]:
    """The labels of a box, without those that need its files."""
    found = tag.owner_labels(box.ref, box.identity, box.role)
    found |= {
        tag.PURPOSE: box.purpose,
        tag.FINGERPRINT: box.fingerprint,
        tag.LIMITS: limits_text(box.resources, restart=box.restart),
        **tag.versions_label(box.files),
    }
    if box.probe is not None:
        found[tag.PROBE] = json.dumps({"argv": list(box.probe.argv), "timeout_s": box.probe.timeout_s})
    return found | dict(box.labels)


def file_digest(salt: str, content: bytes) -> str:
    """A digest of a file that may hold a secret; the salt keeps equal contents from showing as equal."""
    return hmac.new(salt.encode(), content, hashlib.sha256).hexdigest()[:32]


def box_mounts(ref: Ref, mounts: Iterable[Mount]) -> tuple[BoxMount, ...]:
    """Mounts by role as mounts by name."""
    return tuple(
        BoxMount(
            item.volume if item.foreign or item.machine else child(ref, item.volume),
            item.path,
            item.uid,
            item.gid,
            item.mode,
            item.read_only,
            item.foreign,
            item.machine,
        )
        for item in mounts
    )


def ensure_volumes(engine: Engine, ref: Ref, identity: Identity, mounts: Iterable[Mount]) -> None:
    """The volumes that `mounts` need; a foreign one is only looked for.

    Raises:
        Foreign: a volume in our place carries another identity.
        NoSuchObject: a foreign one is not there.
    """
    for mount in mounts:
        if mount.machine:
            continue
        if mount.foreign:
            if engine.volume(mount.volume) is None:
                raise NoSuchObject(
                    f"there is no volume {mount.volume}, which {ref} mounts at {mount.path}",
                    resolution="Create the volume, or correct its name in the manifest.",
                )
        else:
            ensure_volume(engine, ref, identity, mount.volume)


def ensure_volume(engine: Engine, ref: Ref, identity: Identity, role: str) -> None:
    """One volume of an owner.

    Raises:
        Foreign: it carries another identity.
    """
    name = child(ref, role)
    engine.create_volume(name, tag.owner_labels(ref, identity, role))
    check_owner((engine.volume(name) or {}).get("Labels"), ref, identity, f"volume {name}")


def ensure_box(engine: Engine, box: Box, options: DockerOptions, fill: Fill) -> None:
    """Create the container with its files, its volumes' owners and its networks; it is not started.

    Raises:
        NameTaken: there is a container of that name.
    """
    contents = {item.path: (item, fill(item)) for item in box.files}
    config = render_box(box, options, podman=engine.podman)
    if contents:
        salt = secrets.token_hex(8)
        digests = {path: file_digest(salt, content) for path, (_, content) in contents.items()}
        config["Labels"] |= {tag.SALT: salt, tag.FILES: json.dumps(digests, sort_keys=True)}
    engine.create(box.name, config)
    for mount in box.mounts:
        if not mount.read_only and not mount.foreign and engine.empty_folder(box.name, mount.path):
            _own(engine, box.name, mount)
    _upload(engine, box, contents)
    for folder in box.folders:
        with pack_folder(Path(folder.source), folder.path.strip("/"), uid=folder.uid, gid=folder.gid) as packed:
            engine.upload(box.name, "/", packed)
    for upload in box.uploads:
        engine.upload(box.name, "/", stream_upload(upload.source, upload.path, uid=upload.uid, gid=upload.gid))
    for attachment in box.networks[1:]:
        engine.connect(attachment.network, box.name, aliases=attachment.aliases, address=attachment.address)


def _own(engine: Engine, name: str, mount: BoxMount) -> None:
    path = PurePosixPath(mount.path)
    # Podman finds a folder of the machine only from within, Docker a volume only from above.
    within = mount.machine and engine.podman
    entry = Entry("." if within else path.name, None, mount.uid, mount.gid, mount.mode)
    engine.upload(name, str(path if within else path.parent), render_archive([entry]))


def _upload(engine: Engine, box: Box, contents: Mapping[str, tuple[File, bytes]]) -> None:
    """Files go to the root of the container, or to the volume that they lie in: Podman resolves volumes by that folder.

    Both engines make missing folders on the way, owned by root with mode 0755, and leave existing ones alone.
    """
    groups: dict[str, list[Entry]] = {}
    for path, (file, content) in contents.items():
        inside = [item.path for item in box.mounts if path.startswith(item.path.rstrip("/") + "/")]
        folder = max(inside, key=len, default="/")
        name = str(PurePosixPath(path).relative_to(folder))
        groups.setdefault(folder, []).append(Entry(name, content, file.uid, file.gid, file.mode))
    for folder, entries in groups.items():
        engine.upload(box.name, folder, render_archive(entries))
