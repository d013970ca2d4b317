# SPDX-License-Identifier: Apache-2.0
"""Quadlet units, read as systemd and Podman read them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.targets.docker.quadlet import _word, qualified_image, render_quadlet
from mooring.targets.docker.rendering import Service
from tests.support.units import split_command
from tests.unit.targets.docker.stacks import OPTIONS, STACKS

GOLDEN = Path(__file__).parents[3] / "golden" / "render"
SERVICES = [
    pytest.param(name, service, id=f"{name}-{service.name}") for name, one in STACKS.items() for service in one.services
]


def values(name: str, unit: str, key: str) -> list[str]:
    text = render_quadlet(STACKS[name], OPTIONS)[unit]
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


@pytest.mark.parametrize("name", STACKS)
def test_quadlet_units_match_their_golden_file(name: str) -> None:
    units = render_quadlet(STACKS[name], OPTIONS)
    text = "".join(f"# {file}\n{unit}\n" for file, unit in units.items())
    path = GOLDEN / f"{name}.quadlet"
    if os.environ.get("MOORING_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "MOORING_GOLDEN=1 rewrites the golden files"


def test_golden_quadlet_files_all_have_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.quadlet")} == set(STACKS)


@pytest.mark.parametrize(("name", "service"), SERVICES)
def test_quadlet_command_is_the_whole_command_of_the_target(name: str, service: Service) -> None:
    unit = f"{service.box.name}.container"
    arguments = [word for value in values(name, unit, "PodmanArgs") for word in split_command(value)]
    entry = next(word for word in arguments if word.startswith("--entrypoint="))
    command = split_command(values(name, unit, "Exec")[0])
    assert (entry.partition("=")[2], *command) == service.box.argv


@pytest.mark.parametrize(("name", "service"), SERVICES)
def test_quadlet_container_is_unprivileged_and_limited(name: str, service: Service) -> None:
    unit, box = f"{service.box.name}.container", service.box
    assert values(name, unit, "User") == [str(box.user[0])]
    assert values(name, unit, "Group") == [str(box.user[1])]
    assert values(name, unit, "DropCapability") == ["ALL"]
    assert values(name, unit, "NoNewPrivileges") == ["true"]
    arguments = values(name, unit, "PodmanArgs")
    assert f"--memory={box.resources.memory_bytes}b" in arguments
    assert f"--memory-swap={box.resources.memory_bytes}b" in arguments
    assert f"--pids-limit={OPTIONS.pids_limit}" in arguments
    assert f"--stop-timeout={box.stop_grace_s}" in arguments
    assert f"--stop-signal={box.stop_signal}" in arguments
    if box.resources.cpu_millicores:
        assert f"--cpus={box.resources.cpu_millicores / 1000:g}" in arguments
    if box.shm_bytes:
        assert f"--shm-size={box.shm_bytes}b" in arguments
    # systemd must not kill what still stops by the target's own grace period.
    assert int(values(name, unit, "TimeoutStopSec")[0]) > box.stop_grace_s
    assert values(name, unit, "Restart") == ["always"]
    assert values(name, unit, "WantedBy") == ["default.target"]


@pytest.mark.parametrize("name", STACKS)
def test_quadlet_units_refer_only_to_one_another(name: str) -> None:
    units = render_quadlet(STACKS[name], OPTIONS)
    for file in units:
        networks = [value.partition(":")[0] for value in values(name, file, "Network")]
        volumes = [value.partition(":")[0] for value in values(name, file, "Volume")]
        needed = [f"{value.removesuffix('.service')}.container" for value in values(name, file, "Requires")]
        assert set(networks) | {one for one in volumes if not one.startswith("./")} | set(needed) <= set(units)
        assert values(name, file, "Requires") == values(name, file, "After")


def test_quadlet_volume_is_the_one_that_holds_the_data() -> None:
    for mount in STACKS["plain"].mounts():
        unit = f"{mount.volume}.volume"
        assert values("plain", unit, "VolumeName") == [mount.volume]
        assert values("plain", unit, "User") == [str(mount.uid)]


def test_quadlet_has_one_unit_for_each_replica() -> None:
    units = render_quadlet(STACKS["replicas"], OPTIONS)
    web = next(one for one in STACKS["replicas"].services if one.name == "web")
    assert [name for name in units if "-web-" in name] == [f"{box.name}.container" for box in web.boxes]
    gateway = next(name for name in units if "gateway" in name)
    assert values("replicas", gateway, "Requires") == [f"{box.name}.service" for box in web.boxes]


@given(st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]) | st.just("\n")))
def test_word_comes_back_from_systemd_as_it_was(text: str) -> None:
    written = _word(text)
    assert "\n" not in written
    assert split_command(written) == [text]
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", written.replace("$$", ""))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("caddy:2", "docker.io/library/caddy:2", id="official"),
        pytest.param("a/odoo@sha256:dd", "docker.io/a/odoo@sha256:dd", id="user"),
        pytest.param("r.example.test/odoo:1", "r.example.test/odoo:1", id="registry"),
        pytest.param("localhost/odoo:1", "localhost/odoo:1", id="local"),
        pytest.param("localhost:5000/odoo:1", "localhost:5000/odoo:1", id="port"),
        pytest.param("sha256:aa", "sha256:aa", id="id"),
    ],
)
def test_image_has_its_registry_so_that_podman_asks_nobody(name: str, expected: str) -> None:
    assert qualified_image(name) == expected
