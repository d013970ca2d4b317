# SPDX-License-Identifier: Apache-2.0
"""A stack as Quadlet units: containers that systemd runs through Podman; pure text.

Keys are those of Podman 4.9; what has a key only since later is given by `PodmanArgs=`, so that one set of units serves
all. Facts are those of podman-systemd.unit(5) and systemd.service(5). Called by control's `render`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from mooring.targets.docker.boxes import Box
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.rendering import Service, Stack, StackNetwork, check_text, file_path, folder_path

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_START_S = 900
_STOP_MARGIN_S = 15


def render_quadlet(stack: Stack, options: DockerOptions) -> dict[str, str]:
    """File name → unit, sorted by service; one `.container` a replica, one `.network` and one `.volume` each.

    They hold no secret: those are in the files that they mount, relative to the units' own folder.

    Raises:
        NotRenderable: a control character in a command.
    """
    check_text(stack)
    units: dict[str, str] = {}
    for service in stack.services:
        for box in service.boxes:
            units[f"{box.name}.container"] = _container(stack, service, box, options)
    for key in sorted(stack.networks):
        net = stack.networks[key]
        units[f"{net.name}.network"] = _network(stack, net)
    for mount in stack.mounts():
        if not mount.foreign:
            owner = f"User={mount.uid}\nGroup={mount.gid}\n"
            # By its own name: it is the volume that holds the data already.
            units[f"{mount.volume}.volume"] = f"[Volume]\nVolumeName={mount.volume}\n{owner}"
    return units


def _network(stack: Stack, net: StackNetwork) -> str:
    internal = "Internal=true\n" if net.internal else ""
    return f"[Unit]\nDescription={stack.ref}, network {net.key}\n\n[Network]\n{internal}"


def _container(stack: Stack, service: Service, box: Box, options: DockerOptions) -> str:
    needed = [
        f"{other.name}.service" for one in stack.services if one.name in service.needs for other in one.boxes
    ]  # fmt: skip
    lines = ["[Unit]", f"Description={stack.ref}, {service.name}"]
    for name in needed:
        lines += [f"Requires={name}", f"After={name}"]
    lines += ["", "[Container]", *_settings(service, box)]
    lines += [f"PodmanArgs={_word(text)}" for text in _arguments(box, options)]
    lines += [
        "",
        "[Service]",
        "Restart=always",
        "RestartSec=2",
        f"TimeoutStartSec={_START_S}",
        f"TimeoutStopSec={box.stop_grace_s + _STOP_MARGIN_S}",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def _settings(service: Service, box: Box) -> Iterator[str]:
    yield f"ContainerName={box.name}"
    yield f"Image={qualified_image(box.image)}"
    if box.argv[1:]:
        yield f"Exec={_command(box.argv[1:])}"
    yield f"User={box.user[0]}"
    yield f"Group={box.user[1]}"
    yield "DropCapability=ALL"
    for name in box.capabilities:
        yield f"AddCapability={name}"
    yield "NoNewPrivileges=true"
    for key, value in box.env:
        yield f"Environment={_word(f'{key}={value}')}"
    for attachment in box.networks:
        alias = "".join(f":alias={name}" for name in attachment.aliases[:1])
        yield f"Network={attachment.network}.network{alias}"
    for port in box.publish:
        yield f"PublishPort={port.address}:{port.port}:{port.inner}".replace("=:", "=")
    for mount in box.mounts:
        source = mount.volume if mount.foreign else f"{mount.volume}.volume"
        yield f"Volume={source}:{mount.path}:{'ro' if mount.read_only else 'rw'},nocopy"
    for folder in box.folders:
        yield f"Volume=./{folder_path(folder)}:{folder.path}:ro,z"
    for file in box.files:
        yield f"Volume=./{file_path(service, file)}:{file.path}:ro,z"
    if box.probe is not None:
        yield f"HealthCmd={_specifiers(json.dumps(list(box.probe.argv), ensure_ascii=False))}"
        yield "HealthInterval=10s"
        yield f"HealthTimeout={box.probe.timeout_s:g}s"
        yield "HealthStartPeriod=120s"


def _arguments(box: Box, options: DockerOptions) -> Iterator[str]:
    yield f"--entrypoint={box.argv[0]}"
    yield f"--hostname={box.name[:63]}"
    yield f"--pids-limit={options.pids_limit}"
    yield f"--stop-signal={box.stop_signal}"
    yield f"--stop-timeout={box.stop_grace_s}"
    if box.resources.memory_bytes:
        yield f"--memory={box.resources.memory_bytes}b"
        yield f"--memory-swap={box.resources.memory_bytes}b"
    if box.resources.cpu_millicores:
        yield f"--cpus={box.resources.cpu_millicores / 1000:g}"
    if box.shm_bytes:
        yield f"--shm-size={box.shm_bytes}b"


def qualified_image(name: str) -> str:
    """The image with its registry: Podman asks a person where a short name comes from. Ids stay as they are."""
    if name.startswith("sha256:"):
        return name
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def _command(words: Sequence[str]) -> str:
    return " ".join(_word(word) for word in words)


def _word(text: str) -> str:
    """One word of a command line in a unit: quoted where needed, nothing of it expanded by systemd."""
    safe = _specifiers(text)
    if _PLAIN.fullmatch(text):
        return safe
    escaped = safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _specifiers(text: str) -> str:
    """`%` and `$` doubled: systemd puts names and variables in the place of single ones."""
    return text.replace("%", "%%").replace("$", "$$")
