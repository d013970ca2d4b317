# SPDX-License-Identifier: Apache-2.0
"""From the wish for an engine task to its first line."""

from __future__ import annotations

import asyncio
import os
import time

import docker.errors

from bench.figures import Figure, Part
from bench.place import Place
from mooring.domain.model.desired import File
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.task import DOCUMENT_PATH, TaskSpec
from mooring.drivers.clock import SystemClock
from mooring.drivers.docker.find import find_engine
from mooring.drivers.secret_files import SecretFiles
from mooring.targets.docker.target import DockerTarget

LIMIT_S = 1.5


def measure(place: Place, *, repeats: int) -> Part:
    """Start tasks one after the other, and take the time until each has spoken."""
    samples, failed = asyncio.run(_measure(place, repeats))
    return Part(
        "Start of a task",
        "A container of the engine image with `mooring task`, started as operations start it (networks, document, limits), "
        "until its first line of progress is in its log. The first run also makes the network, which the others find.",
        (Figure("from the wish to the first line", "s", samples, LIMIT_S, failed),),
    )


async def _measure(place: Place, repeats: int) -> tuple[tuple[float, ...], tuple[str, ...]]:
    place.home.mkdir(exist_ok=True)
    marker = place.home / "installation"
    installation = marker.read_text(encoding="ascii").strip() if marker.exists() else place.namespace
    marker.write_text(installation, encoding="ascii")
    target = DockerTarget(
        find_engine(host=place.host or os.environ.get("DOCKER_HOST")),
        secrets=SecretFiles(place.home / "secrets"),
        clock=SystemClock(),
        installation=installation,
    )
    samples: list[float] = []
    failed: list[str] = []
    try:
        for number in range(repeats):
            task = TaskSpec(
                name=f"{place.namespace}-task-{number}",
                place=Ref("OdooInstance", place.namespace, "tasks"),
                identity=Identity(installation, "bench"),
                argv=("mooring", "task", "server-check", "--document", DOCUMENT_PATH),
                # It speaks before it reads this, and then says what is wrong with it.
                files=(File(DOCUMENT_PATH, ("{}",), uid=65532, gid=65532),),
            )
            begin = time.perf_counter()
            await target.start(task)
            line = await asyncio.to_thread(_first_line, place, task.name)
            if b'"progress"' in line:
                samples.append(time.perf_counter() - begin)
            else:
                failed.append(line.decode(errors="replace")[:200] or "it said nothing")
            await asyncio.to_thread(place.engine.wait, task.name)
            await target.forget(task.name)
    finally:
        await target.close()
    return tuple(samples), tuple(failed)


def _first_line(place: Place, name: str) -> bytes:
    stream = place.engine.logs(name, stdout=True, stderr=True, stream=True, follow=True)
    try:
        return next(iter(stream), b"")
    except docker.errors.APIError as fault:
        return str(fault.explanation).encode()
    finally:
        stream.close()
