# SPDX-License-Identifier: Apache-2.0
"""A stack as a Compose file, by the Compose specification; pure text.

Only keys that docker-compose 1.29, `docker compose` 2 and podman-compose read alike are used. Called by control's `render`.
"""

from __future__ import annotations

from typing import Any

import yaml

from mooring.domain.model.desired import Probe
from mooring.domain.model.identity import child
from mooring.targets.docker.boxes import Box, render_box
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.rendering import Service, Stack, check_text, file_path, folder_path

NAME = "compose.yaml"
ENVIRONMENT = ".env"


class _Dumper(yaml.SafeDumper):
    """Safe YAML with scripts as blocks, and without anchors: people read it."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def project_name(stack: Stack) -> str:
    """The name of the Compose project: two instances are never taken for one, whatever their folders are called."""
    return child(stack.ref, "compose")


def render_environment(stack: Stack) -> str:
    """The file `.env`, which every implementation reads. A `name:` in the file itself is unknown to docker-compose 1."""
    return f"COMPOSE_PROJECT_NAME={project_name(stack)}\n"


def render_compose(stack: Stack, options: DockerOptions) -> str:
    """The Compose file. It holds no secret: those are in the files that it mounts.

    Raises:
        NotRenderable: a control character in a command.
    """
    check_text(stack)
    data = {
        "services": {one.name: _service(stack, one, options) for one in stack.services},
        "networks": {key: ({"internal": True} if net.internal else {}) for key, net in sorted(stack.networks.items())},
        "volumes": {one.volume: {"external": True, "name": one.volume} for one in stack.mounts()},
    }
    return yaml.dump(_escaped(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _service(stack: Stack, service: Service, options: DockerOptions) -> dict[str, Any]:
    box = service.box
    host = render_box(box, options)["HostConfig"]
    single = len(service.boxes) == 1
    found: dict[str, Any] = {
        "image": box.image,
        # A fixed name is that of Mooring's container: the engine itself then refuses to run both.
        **({"container_name": box.name, "hostname": box.name[:63]} if single else {}),
        **({} if single else {"deploy": {"replicas": len(service.boxes)}}),
        "entrypoint": [box.argv[0]],
        "command": list(box.argv[1:]),
        "user": f"{box.user[0]}:{box.user[1]}",
        "environment": dict(box.env),
        "cap_drop": host["CapDrop"],
        "cap_add": host["CapAdd"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": host["PidsLimit"],
        **_limits(box),
        "restart": host["RestartPolicy"]["Name"],
        "stop_signal": box.stop_signal,
        "stop_grace_period": f"{box.stop_grace_s}s",
        "logging": {"driver": host["LogConfig"]["Type"], "options": host["LogConfig"]["Config"]},
        "ports": [f"{one.address}:{one.port}:{one.inner}".lstrip(":") for one in box.publish],
        "networks": {
            stack.network_key(one.network): ({"aliases": list(one.aliases)} if one.aliases else {})
            for one in box.networks
        },
        "volumes": _volumes(service),
        "healthcheck": _healthcheck(box.probe),
        "depends_on": {name: {"condition": _condition(stack, name)} for name in service.needs},
    }
    return {key: value for key, value in found.items() if value not in ({}, [])}


def _limits(box: Box) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if box.resources.memory_bytes:
        # Plain numbers are bytes; the swap limit counts memory and swap together.
        found |= {"mem_limit": box.resources.memory_bytes, "memswap_limit": box.resources.memory_bytes}
    if box.resources.cpu_millicores:
        found["cpus"] = box.resources.cpu_millicores / 1000
    if box.shm_bytes:
        found["shm_size"] = box.shm_bytes
    return found


def _volumes(service: Service) -> list[dict[str, Any] | str]:
    found: list[dict[str, Any] | str] = [
        {
            "type": "volume",
            "source": one.volume,
            "target": one.path,
            **({"read_only": True} if one.read_only else {}),
            "volume": {"nocopy": True},
        }
        for one in service.box.mounts
    ]
    # `z` lets containers read them where SELinux is on, and does nothing elsewhere.
    found += [f"./{folder_path(one)}:{one.path}:ro,z" for one in service.box.folders]
    found += [f"./{file_path(service, one)}:{one.path}:ro,z" for one in service.box.files]
    return found


def _healthcheck(probe: Probe | None) -> dict[str, Any]:
    if probe is None:
        return {"disable": True}
    timeout = f"{probe.timeout_s:g}s"
    # The first start of a cluster or of Odoo takes its time; failures count only after that.
    return {
        "test": ["CMD", *probe.argv],
        "interval": "10s",
        "timeout": timeout,
        "retries": 3,
        "start_period": "120s",
    }


def _condition(stack: Stack, name: str) -> str:
    needed = next(one for one in stack.services if one.name == name)
    return "service_healthy" if needed.box.probe is not None and name == "database" else "service_started"


def _escaped(value: Any) -> Any:
    """Every `$` doubled: Compose would put the shell's variables in its place."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value
