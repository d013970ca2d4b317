# SPDX-License-Identifier: Apache-2.0
"""The Compose file says the same as the configuration that the target hands to the engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from mooring.targets.docker.boxes import Box, render_box
from mooring.targets.docker.compose import project_name, render_compose, render_environment
from mooring.targets.docker.rendering import Service, file_path
from tests.unit.targets.docker.stacks import OPTIONS, STACKS

GOLDEN = Path(__file__).parents[3] / "golden" / "render"
SERVICES = [
    pytest.param(name, service, id=f"{name}-{service.name}") for name, one in STACKS.items() for service in one.services
]


def parsed(name: str) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(render_compose(STACKS[name], OPTIONS))
    return value


def interpolated(value: Any) -> Any:
    """As Compose reads it: a doubled dollar is one; a single one would be a variable."""
    if isinstance(value, str):
        assert "$" not in value.replace("$$", ""), value
        return value.replace("$$", "$")
    if isinstance(value, list):
        return [interpolated(item) for item in value]
    return {key: interpolated(item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("name", STACKS)
def test_compose_file_matches_its_golden_file(name: str) -> None:
    text = render_compose(STACKS[name], OPTIONS)
    path = GOLDEN / f"{name}.compose.yaml"
    if os.environ.get("MOORING_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "MOORING_GOLDEN=1 rewrites the golden files"


def test_golden_compose_files_all_have_a_case() -> None:
    assert {path.name.partition(".")[0] for path in GOLDEN.glob("*.compose.yaml")} == set(STACKS)


@pytest.mark.parametrize(("name", "service"), SERVICES)
def test_compose_service_is_what_the_engine_is_told(name: str, service: Service) -> None:
    found, box = interpolated(parsed(name)["services"][service.name]), service.box
    config = render_box(box, OPTIONS)
    host = config["HostConfig"]
    assert found["image"] == config["Image"]
    assert found["entrypoint"] == config["Entrypoint"]
    assert found["command"] == config["Cmd"]
    assert found["user"] == config["User"]
    assert [f"{key}={value}" for key, value in found.get("environment", {}).items()] == config["Env"]
    assert found["cap_drop"] == host["CapDrop"]
    assert found.get("cap_add", []) == host["CapAdd"]
    assert found["pids_limit"] == host["PidsLimit"]
    assert found.get("mem_limit") == host.get("Memory")
    assert found.get("memswap_limit") == host.get("MemorySwap")
    assert int(found.get("cpus", 0) * 1e9) == host.get("NanoCpus", 0)
    assert found.get("shm_size") == host.get("ShmSize")
    assert found["restart"] == host["RestartPolicy"]["Name"]
    assert found["stop_signal"] == config["StopSignal"]
    assert found["stop_grace_period"] == f"{config['StopTimeout']}s"
    assert found["logging"] == {"driver": host["LogConfig"]["Type"], "options": host["LogConfig"]["Config"]}
    assert found.get("ports", []) == ports(box)
    volumes = [one for one in found["volumes"] if isinstance(one, dict)]
    assert [f"{one['source']}:{one['target']}:rw,nocopy" for one in volumes] == host["Binds"]


def ports(box: Box) -> list[str]:
    bindings = render_box(box, OPTIONS)["HostConfig"]["PortBindings"].items()
    return [
        ":".join(filter(None, (one["HostIp"], one["HostPort"], inner.removesuffix("/tcp"))))
        for inner, entries in bindings
        for one in entries
    ]


@pytest.mark.parametrize(("name", "service"), SERVICES)
def test_compose_service_mounts_every_file_where_it_is_looked_for(name: str, service: Service) -> None:
    volumes = parsed(name)["services"][service.name]["volumes"]
    for file in service.box.files:
        assert f"./{file_path(service, file)}:{file.path}:ro,z" in volumes


@pytest.mark.parametrize("name", STACKS)
def test_compose_file_has_no_version_and_takes_over_the_volumes(name: str) -> None:
    found = parsed(name)
    assert list(found) == ["services", "networks", "volumes"]
    assert set(found["volumes"]) == {one.volume for one in STACKS[name].mounts()}
    assert all(one == {"external": True, "name": key} for key, one in found["volumes"].items())


def test_compose_service_without_copies_has_the_name_of_the_targets_container() -> None:
    services = parsed("plain")["services"]
    assert services["web"]["container_name"] == STACKS["plain"].services[0].box.name
    assert "deploy" not in services["web"]


def test_compose_service_with_copies_has_their_number_and_no_name() -> None:
    web = parsed("replicas")["services"]["web"]
    assert web["deploy"] == {"replicas": 2}
    assert "container_name" not in web
    assert "hostname" not in web


def test_compose_odoo_waits_for_a_database_that_answers() -> None:
    services = parsed("plain")["services"]
    assert services["web"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["cron"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["gateway"]["depends_on"] == {"web": {"condition": "service_started"}}
    assert "depends_on" not in parsed("external")["services"]["web"]


def test_compose_healthcheck_is_the_targets_probe() -> None:
    for service in STACKS["plain"].services:
        check = interpolated(parsed("plain")["services"][service.name]["healthcheck"])
        if service.box.probe is None:
            assert check == {"disable": True}
        else:
            assert check["test"] == ["CMD", *service.box.probe.argv]
            assert check["timeout"] == "10s"


def test_environment_file_gives_each_instance_a_project_of_its_own() -> None:
    assert render_environment(STACKS["plain"]) == f"COMPOSE_PROJECT_NAME={project_name(STACKS['plain'])}\n"
