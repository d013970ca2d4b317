# SPDX-License-Identifier: Apache-2.0
"""Between two passes: the end of a task is noticed at once, and everything else is not waited for too long."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.control.services import Services
from mooring.control.watch import LOOK_S, PASS_S, SOON_S, rest
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.task import TaskSpec
from mooring.drivers.documents import Document
from mooring.drivers.locks import FileLocks
from mooring.drivers.secret_files import SecretFiles
from tests.support.memory_documents import MemoryDocuments
from tests.support.sim_clock import SimClock
from tests.support.sim_target import SimTarget
from tests.support.sim_world import Outcome, SimWorld

SHOP = Ref("OdooInstance", "default", "shop")
TASK = TaskSpec("shop-init-1", SHOP, Identity("sim", "one"), argv=("mooring",))


@pytest.fixture
def services(tmp_path: Path) -> Services:
    clock = SimClock()
    return Services(
        documents=MemoryDocuments(),
        secrets=SecretFiles(tmp_path),
        target=SimTarget(SimWorld(clock)),
        clock=clock,
        installation="sim",
        locks=FileLocks(tmp_path),
    )


async def begin(services: Services, *, seconds: float) -> None:
    """An operation whose task takes `seconds`."""
    target = services.target
    assert isinstance(target, SimTarget)
    target.on_task(lambda _: True, Outcome(seconds=seconds, result={}))
    await target.start(TASK)
    ref = Ref("OdooInitJob", "default", "shop-init")
    doc = Document(ref, "op", spec={"instanceRef": {"name": "shop"}})
    stored = await services.documents.put(doc, if_version=None)
    step = {
        "step": "install",
        "attempt": 1,
        "at": rfc3339(services.clock.now()),
        "state": "intended",
        "task": TASK.name,
    }
    status = {"phase": "Running", "steps": [step]}
    await services.documents.put_status(
        Document(ref, "op", stored.generation, stored.version, stored.meta, stored.spec, status),
        if_version=stored.version,
    )


async def passed(services: Services, *, seconds: float) -> float:
    begun = services.clock.monotonic()
    await rest(services, SHOP, seconds=seconds)
    return services.clock.monotonic() - begun


async def test_rest_with_a_task_that_ends_soon_lasts_until_then(services: Services) -> None:
    await begin(services, seconds=0.75)

    assert 0.75 <= await passed(services, seconds=0.3) <= 0.75 + LOOK_S


async def test_rest_with_a_task_that_goes_on_lets_a_pass_look_for_a_cancellation(services: Services) -> None:
    await begin(services, seconds=3600)

    assert await passed(services, seconds=0.3) == pytest.approx(PASS_S, abs=LOOK_S)


async def test_rest_without_a_task_lasts_as_long_as_the_pass_asked_for_but_not_longer_than_a_moment(
    services: Services,
) -> None:
    assert await passed(services, seconds=0.05) == pytest.approx(0.05)
    assert await passed(services, seconds=60.0) == pytest.approx(SOON_S)


async def test_rest_where_the_hold_changed_does_not_wait_for_the_task(services: Services) -> None:
    await begin(services, seconds=3600)

    assert await passed(services, seconds=0.05) == pytest.approx(0.05)
