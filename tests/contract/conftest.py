# SPDX-License-Identifier: Apache-2.0
"""The places that the target contract is tested in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.target_bench import Bench, DockerBench, SimBench, docker_address


@pytest.fixture(params=["sim", pytest.param("docker", marks=pytest.mark.real)])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    made: Bench = SimBench() if request.param == "sim" else DockerBench(docker_address())
    try:
        yield made
    finally:
        await made.clean()
