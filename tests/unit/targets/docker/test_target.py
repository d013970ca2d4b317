# SPDX-License-Identifier: Apache-2.0
"""What becomes of work in threads when its caller is cancelled."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from mooring.domain.model.desired import Desired
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Observed
from mooring.drivers.docker.find import EngineAddress
from mooring.drivers.secret_files import SecretFiles
from mooring.targets.docker import target as module
from mooring.targets.docker.target import DockerTarget
from tests.support.sim_clock import START, SimClock

SHOP = Ref("OdooInstance", "default", "shop")
WANT = Desired(SHOP, Identity("here", "1"))


async def test_cancelled_converge_ends_with_its_thread_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        def __init__(self, *_: Any) -> None:
            pass

        def converge(self, _want: Desired, _seen: Observed) -> tuple[()]:
            begun.set()
            go_on.wait(10)
            ended.set()
            return ()

    class Parts:
        def __init__(self, *_: Any) -> None:
            self.engine = self.stops = None

        def close(self) -> None:
            pass

    monkeypatch.setattr(module, "Converger", Slow)
    monkeypatch.setattr(module, "_Parts", Parts)
    target = DockerTarget(
        EngineAddress("unix:///nowhere"),
        secrets=SecretFiles(tmp_path),
        clock=SimClock(),
        installation="here",
    )
    converging = asyncio.create_task(target.converge(WANT, Observed(SHOP, START)))
    await asyncio.to_thread(begun.wait, 10)
    converging.cancel()
    done, _ = await asyncio.wait({converging}, timeout=0.2)
    assert not done, "it left while its thread changes the world"
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await converging
    assert ended.is_set()
    await target.close()
