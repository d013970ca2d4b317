# SPDX-License-Identifier: Apache-2.0
"""An instance that Mooring brought up runs on as a Compose project, by what its README.txt says, and comes back."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mooring.cli.main import main
from tests.conformance.odoo_client import eventually
from tests.conformance.places import EnginePlace, free_port, run_tool
from tests.conformance.world import Instance, World

pytestmark = pytest.mark.real

IMAGE = "odoo:14.0"
HOST_FIELDS = (
    "CapAdd", "CapDrop", "LogConfig", "Memory", "MemorySwap", "NanoCpus", "PidsLimit", "PortBindings", "RestartPolicy",
    "ShmSize",
)  # fmt: skip
ANONYMOUS = re.compile("[0-9a-f]{64}")
CONFIG_FIELDS = ("Cmd", "Entrypoint", "Hostname", "Image", "StopSignal", "StopTimeout", "User")


@pytest.fixture(scope="module")
def place() -> EnginePlace:
    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    run_tool("testbed/images.sh", IMAGE, "postgres:17", "caddy:2", "engine", env={"MOORING_CLI": "docker"})
    return EnginePlace("docker", address)


@pytest.fixture(scope="module")
def world(place: EnginePlace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(place, tmp_path_factory.mktemp("render") / "state", f"render-{secrets.token_hex(3)}")
    try:
        yield made
    finally:
        place.clean(made.namespace)


@pytest.fixture(scope="module")
def compose() -> list[str]:
    return run_tool("testbed/tools.sh", "compose").split()


def mooring(world: World, *words: str) -> None:
    assert main(("--home", str(world.home), *words)) == 0


def shape(place: EnginePlace, name: str) -> dict[str, Any]:
    """What the engine holds a container to."""
    item = json.loads(place.cli("inspect", name))[0]
    config, host = item["Config"], item["HostConfig"]
    return {
        **{key: config.get(key) for key in CONFIG_FIELDS},
        **{key: host.get(key) or None for key in HOST_FIELDS},
        "env": sorted(config["Env"]),
        "no-new-privileges": any(one.startswith("no-new-privileges") for one in host["SecurityOpt"]),
        # An image's own VOLUME gets a new name, 64 hexadecimal digits, each time.
        "volumes": sorted(
            (one["Name"], one["Destination"])
            for one in item["Mounts"]
            if one["Type"] == "volume" and not ANONYMOUS.fullmatch(one["Name"])
        ),
        "aliases": {alias for net in item["NetworkSettings"]["Networks"].values() for alias in net["Aliases"] or ()}
        & {name.rpartition("-")[0]},
    }


def containers(place: EnginePlace, instance: Instance) -> list[str]:
    found = place.cli(
        "ps", "--format", "{{.Names}}", "--filter", f"label=dev.mooring.namespace={instance.ref.namespace}"
    )
    return sorted(found.split())


def test_compose_project_takes_over_the_data_and_mooring_takes_it_back(
    place: EnginePlace, world: World, compose: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", place.address)
    # A port of its own: between the two, one that Mooring chose would be free for anybody else on the engine.
    instance = world.instance("shop", image=IMAGE, service={"port": free_port()}, init={
        "modules": ["base"], "adminPasswordSecretRef": {"name": "conformance", "key": "admin"},
    }).apply()  # fmt: skip
    odoo = instance.odoo
    partner = odoo.call("res.partner", "create", {"name": "before"})
    own = {name: shape(place, name) for name in containers(place, instance)}
    assert len(own) == 4

    folder = tmp_path / "shop"
    mooring(world, "render", "-n", world.namespace, "shop", "-d", str(folder))
    written = {path.relative_to(folder): path for path in (folder / "files").rglob("odoo.conf")}
    assert len(written) == 2
    for path in written.values():
        assert path.stat().st_mode & 0o777 == 0o600
        assert "<secret" not in path.read_text()
    password = next(line for line in path.read_text().splitlines() if line.startswith("db_password"))
    assert password.partition(" = ")[2] not in (folder / "compose.yaml").read_text()

    for line in (folder / "README.txt").read_text().splitlines():
        if line.startswith("    mooring "):
            mooring(world, *shlex.split(line)[1:])
        elif line.startswith("    docker stop "):
            subprocess.run(("sh", "-euc", line), check=True, capture_output=True, timeout=120)
    assert containers(place, instance) == []

    def run(*words: str) -> None:
        done = subprocess.run(
            (*compose, *words), cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        run("up", "-d")
        eventually(odoo.answers, within_s=90, what="the login page over Compose")
        assert odoo.authenticate()
        assert odoo.call("res.partner", "read", [partner], ["name"])[0]["name"] == "before"
        later = odoo.call("res.partner", "create", {"name": "while Compose ran it"})
        for name, expected in own.items():
            assert shape(place, name) == expected
        eventually(
            lambda: all(place.cli("inspect", "-f", "{{.State.Health.Status}}", name).strip() == "healthy"
                        for name in own if "gateway" not in name),
            within_s=60, what="health of the containers",
        )  # fmt: skip
    finally:
        run("down")
    mooring(world, "start", "-n", world.namespace, "shop")
    assert odoo.call("res.partner", "read", [later], ["name"])[0]["name"] == "while Compose ran it"
