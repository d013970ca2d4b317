# SPDX-License-Identifier: Apache-2.0
"""Images that a real engine makes, of a file system and by a build: found afterwards by the names that they were given."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import pytest

from mooring.drivers.docker.archive import Entry, render_archive
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.find import EngineAddress
from mooring.drivers.errors import BuildFailed
from tests.contract.target_bench import docker_address

pytestmark = pytest.mark.real

DOCKERFILE = b"ARG BASE\nFROM ${BASE}\nCOPY added /added\n"


@dataclass(frozen=True)
class Maker:
    """An engine, and names of images that nobody else has."""

    engine: Engine
    tree: str
    built: str

    def import_tree(self) -> None:
        self.engine.import_tree(self.tree, io.BytesIO(render_archive([Entry("there", b"1", 0, 0, 0o644)])))

    def build(self, dockerfile: bytes, base: str) -> None:
        files = {"Dockerfile": dockerfile, "added": b"2"}
        context = render_archive([Entry(name, data, 0, 0, 0o644) for name, data in files.items()])
        self.engine.build(
            self.built,
            io.BytesIO(context),
            dockerfile="Dockerfile",
            arguments={"BASE": base},
            labels={"dev.mooring.test": self.built},
            network=False,
            timeout_s=60,
        )


@pytest.fixture(params=["docker", "podman"])
def maker(request: pytest.FixtureRequest) -> Iterator[Maker]:
    address = docker_address()
    if request.param == "podman":
        host = os.environ.get("MOORING_PODMAN_HOST")
        if host is None:
            pytest.skip("MOORING_PODMAN_HOST names no engine (testbed/with.sh podman -- … does)")
        address = EngineAddress(host)
    mark = secrets.token_hex(4)
    engine = Engine(address)
    made = Maker(engine, f"mooring-tree-{mark}:1", f"mooring-built-{mark}:1")
    client: Any = docker.APIClient(base_url=address.url)
    try:
        yield made
    finally:
        for name in (made.built, made.tree):
            with contextlib.suppress(docker.errors.APIError):
                client.remove_image(name, force=True)
        client.close()
        engine.close()


def test_image_of_a_tree_and_a_build_on_it_are_found_by_their_short_names(maker: Maker) -> None:
    maker.import_tree()
    assert maker.engine.image(maker.tree) is not None

    maker.build(DOCKERFILE, maker.tree)
    maker.build(DOCKERFILE, maker.tree)

    image = maker.engine.image(maker.built)
    assert image is not None
    assert image["Config"]["Labels"]["dev.mooring.test"] == maker.built


def test_build_that_fails_says_which_instruction_did(maker: Maker) -> None:
    maker.import_tree()

    with pytest.raises(BuildFailed) as caught:
        maker.build(DOCKERFILE + b"COPY missing /missing\n", maker.tree)

    assert "missing" in caught.value.details
    assert maker.engine.image(maker.built) is None
