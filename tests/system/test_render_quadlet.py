# SPDX-License-Identifier: Apache-2.0
"""Podman's own generator takes every unit, and what it makes of them is the target's command."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.targets.docker.boxes import Box
from mooring.targets.docker.quadlet import qualified_image, render_quadlet
from tests.conformance.places import run_tool
from tests.support.units import split_command
from tests.unit.targets.docker.stacks import OPTIONS, STACKS

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="a chroot into Debian 13 needs root"),
]
GENERATOR = "/usr/lib/systemd/system-generators/podman-system-generator"


@pytest.fixture(scope="module")
def tree() -> Path:
    return Path(run_tool("testbed/tools.sh", "quadlet").strip())


@pytest.fixture
def folder(tree: Path) -> Iterator[Path]:
    """A folder of units that the generator reads."""
    made = tree / f"units-{secrets.token_hex(4)}"
    made.mkdir()
    yield made
    shutil.rmtree(made)


def generate(tree: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("chroot", str(tree), "env", f"QUADLET_UNIT_DIRS=/{folder.name}", GENERATOR, "--dryrun"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def services(text: str) -> dict[str, str]:
    """Name of a service → its unit, as the generator prints them."""
    found: dict[str, str] = {}
    for part in text.split("---\n"):
        if found and not part.startswith("---"):
            found[list(found)[-1]] = part.partition("\n---")[0]
        name = part.rpartition("---")[2].strip()
        if name.endswith(".service"):
            found[name] = ""
    return found


@pytest.mark.parametrize("name", STACKS)
def test_generator_accepts_every_unit(name: str, tree: Path, folder: Path) -> None:
    units = render_quadlet(STACKS[name], OPTIONS)
    for file, text in units.items():
        (folder / file).write_text(text, encoding="utf-8")
    done = generate(tree, folder)
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if "Loading source unit file" not in line]
    assert complaints == []
    assert len(services(done.stdout)) == len(units)
    for service in STACKS[name].services:
        for box in service.boxes:
            assert command(services(done.stdout)[f"{box.name}.service"]) == expected(box)


def command(unit: str) -> tuple[str, str, tuple[str, ...]]:
    """Image, entry point and arguments of the `podman run` that systemd would start, and its probe."""
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    # The generator's own specifiers stand for paths at run time.
    words = split_command(line.partition("=")[2].replace("%t/%N", "/run/x"))
    image = next(place for place, word in enumerate(words) if word.startswith(("sha256:", "docker.io/")))
    entry = next(word.partition("=")[2] for word in words if word.startswith("--entrypoint="))
    return words[image], entry, tuple(words[image + 1 :])


def expected(box: Box) -> tuple[str, str, tuple[str, ...]]:
    return qualified_image(box.image), box.argv[0], box.argv[1:]


def test_generator_refuses_what_is_no_unit(tree: Path, folder: Path) -> None:
    (folder / "bad.container").write_text("[Container]\nImage=docker.io/library/caddy:2\nNoSuchKey=1\n")
    done = generate(tree, folder)
    assert done.returncode != 0
    assert "NoSuchKey" in done.stderr
