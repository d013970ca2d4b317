# SPDX-License-Identifier: Apache-2.0
"""Images that are not on a real engine."""

from __future__ import annotations

import pytest

from mooring.drivers.docker.engine import Engine
from mooring.targets.errors import RegistryUnreachable
from tests.contract.target_bench import docker_address

pytestmark = pytest.mark.real


def test_pull_from_a_registry_that_is_not_there_says_that_it_does_not_answer() -> None:
    engine = Engine(docker_address())
    try:
        with pytest.raises(RegistryUnreachable, match=r"127\.0\.0\.1:1/x:1"):
            engine.pull("127.0.0.1:1/x:1", login=None, idle_timeout_s=60)
    finally:
        engine.close()
