# SPDX-License-Identifier: Apache-2.0
"""Every command of the quick start runs, in its order, on a real engine with a real Odoo.

The blocks are run as they stand, but for two things: the image is the one that the test ground has, and the instance
lives in a namespace of its own, so that the test meets nobody else's.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.support.doc_blocks import ROOT, read_blocks

pytestmark = pytest.mark.real

PAGE = ROOT / "docs" / "quick-start.md"
IMAGE = "odoo:14.0"
BLOCK_S = 600
# What looks inside, beside the page's block that does, with the whole of what it says; there are two replicas by then.
INSIDE = (
    ("mooring exec shop -- sh -c 'cat; exit 7' <<< given || echo code $?", "given\ncode 7\n"),
    ("mooring exec shop --server -- sh -c 'echo $((6*7))'", "42\n"),
    ("mooring psql shop -- -At -c 'select 6*7' </dev/null", "42\n"),
    ("mooring psql shop -- -At <<< 'select login from res_users where id = 2'", "admin\n"),
    ("mooring shell shop <<< 'print(env.user.browse(2).login)' 2>/dev/null", "admin\n"),
    ("mooring logs shop --lines 1 | wc -l", "2\n"),
    (
        "timeout --preserve-status -s INT 10 mooring -n $NAMESPACE logs shop -f --lines 0 >/dev/null || echo code $?",
        "code 130\n",
    ),
)


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the page, in a folder and a namespace of their own."""

    folder: Path
    namespace: str

    def follow(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run the commands of one block."""
        text, count = re.subn(r"image: odoo:\d+\.0", f"image: {IMAGE}", commands)
        assert count == commands.count("image:")
        script = f'set -euo pipefail\nmooring() {{ command mooring -n {self.namespace} "$@"; }}\n{text}'
        environ = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NAMESPACE": self.namespace,
            "MOORING_HOME": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=BLOCK_S,
            check=False,
        )


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    namespace = f"quick-{secrets.token_hex(4)}"
    yield Reader(tmp_path, namespace)
    client = docker.from_env()
    mine: dict[str, str | list[str] | bool] = {"label": f"dev.mooring.namespace={namespace}"}
    try:
        for container in client.containers.list(all=True, filters=mine):
            container.remove(force=True)
        for volume in client.volumes.list(filters=mine):
            volume.remove(force=True)
        for network in client.networks.list(filters=mine):
            network.remove()
    finally:
        client.close()


@pytest.mark.full
def test_quick_start_followed_from_top_to_bottom_does_what_it_says(reader: Reader) -> None:
    told: list[str] = []
    for block in read_blocks(PAGE, "sh"):
        done = reader.follow(block.text)
        assert done.returncode == 0, f"{block.page}:{block.line}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        told.append(done.stdout)
        if "mooring logs" in block.text:
            look_inside(reader)
    whole = "\n".join(told)
    assert "http://127.0.0.1:" in whole
    assert "Running" in whole
    assert list_filestores(reader) == []


def look_inside(reader: Reader) -> None:
    """What people type when they want to know more."""
    for commands, expected in INSIDE:
        done = reader.follow(commands)
        assert (done.returncode, done.stdout) == (0, expected), f"{commands}\n{done.stderr[-2000:]}"


def list_filestores(reader: Reader) -> list[str]:
    client = docker.from_env()
    try:
        found = client.volumes.list(filters={"label": f"dev.mooring.namespace={reader.namespace}"})
        return [str(volume.name) for volume in found if "filestore" in str(volume.name)]
    finally:
        client.close()
