# SPDX-License-Identifier: Apache-2.0
"""The target `docker` out of settings and environment: Docker's engine, or Podman's. A row of `cli.targets`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mooring.cli import engines
from mooring.targets.base import Target
from mooring.targets.docker.options import DockerOptions

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.drivers.settings import Settings


def docker_options(settings: Settings) -> DockerOptions:
    """The target's settings out of the configuration file."""
    docker = settings.docker
    return DockerOptions(
        network_pool=str(docker.network_pool),
        network_prefix=docker.network_prefix,
        ingress_image=docker.ingress.image,
        engine_image=docker.engine_image,
        http_port=docker.ingress.http_port,
        https_port=docker.ingress.https_port,
        publish_ports=(docker.publish_ports.first, docker.publish_ports.last),
    )


async def make_target(app: App) -> Target:
    """See `Row.make_target`."""
    from mooring.targets.docker.target import DockerTarget

    address = await asyncio.to_thread(engines.find_address, app.options.environ)
    return DockerTarget(
        address,
        secrets=app.secrets,
        clock=app.clock,
        installation=app.state.installation,
        options=docker_options(app.settings),
    )


async def prepare(app: App) -> None:
    """See `Row.prepare`: the engine image is there, or is built.

    Raises:
        EngineImageUnavailable: it is not there, and cannot be had.
    """
    from mooring.cli.engine_image import ensure_engine_image
    from mooring.drivers.docker.engine import Engine

    def work() -> None:
        engine = Engine(engines.find_address(app.options.environ))
        try:
            ensure_engine_image(engine, app.settings.docker.engine_image, say=app.progress.line)
        finally:
            engine.close()

    await asyncio.to_thread(work)
