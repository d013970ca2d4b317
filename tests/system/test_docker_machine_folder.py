# SPDX-License-Identifier: Apache-2.0
"""A folder of the engine's machine in a task: users of several instances share it through a group."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mooring.domain.model.desired import Mount
from mooring.drivers.docker.find import EngineAddress
from tests.contract.target_bench import DockerBench, docker_address, ended, task

pytestmark = pytest.mark.real
GROUP = 65532
PATH = "/srv/mooring/repository"


@pytest.fixture(params=["docker", "podman"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[DockerBench]:
    address = docker_address()
    if request.param == "podman":
        host = os.environ.get("MOORING_PODMAN_HOST", "")
        if not host:
            pytest.skip("MOORING_PODMAN_HOST names no engine (testbed/with.sh podman -- … does)")
        address = EngineAddress(host)
    made = DockerBench(address)
    try:
        yield made
    finally:
        await made.clean()


async def run(bench: DockerBench, folder: Path, script: str, *, user: int, step: str) -> str:
    mount = Mount(str(folder), PATH, uid=0, gid=GROUP, mode=0o2770, machine=True)
    spec = replace(
        task(bench),
        name=f"{task(bench).name}-{step}",
        argv=("sh", "-c", f"umask 007; {script}"),
        user=(user, user),
        groups=(GROUP,),
        mounts=(mount,),
    )
    await bench.target.start(spec)
    phase = await ended(bench, spec.name)
    state = await bench.target.task(spec.name)
    assert phase == "succeeded", state
    return state.log_tail


async def test_machine_folder_is_shared_by_users_of_its_group(bench: DockerBench, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "on-demand"
    await run(bench, folder, f"mkdir -p {PATH}/a/b && echo one > {PATH}/a/b/file", user=101, step="write")
    assert (folder / "a/b/file").read_text() == "one\n"
    said = await run(
        bench,
        folder,
        f"cat {PATH}/a/b/file && rm {PATH}/a/b/file && echo two > {PATH}/a/b/next",
        user=5432,
        step="again",
    )
    assert said == "one"
    assert [one.name for one in (folder / "a/b").iterdir()] == ["next"]


async def test_machine_folder_that_is_not_empty_keeps_its_owner(bench: DockerBench, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "file").write_text("theirs")
    said = await run(bench, folder, f"touch {PATH}/mine 2>/dev/null || echo refused", user=101, step="write")
    assert said == "refused"
    assert folder.stat().st_mode & 0o7777 == 0o755
