# SPDX-License-Identifier: Apache-2.0
"""What is read of a replica: the end of its log, whenever it is looked at between its deaths."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mooring.targets.docker.observe import Looker


def replica_log(state: str, *, running: bool, restarts: int, ready: bool, code: int = 0) -> str:
    """The end of the log that a replica in this state comes with."""
    engine = SimpleNamespace(log_end=lambda _name, *, lines: "this release cannot serve\n" * min(lines, 1))
    looker = Looker(cast("Any", engine), cast("Any", None), cast("Any", None), cast("Any", None))
    item = {
        "Id": "1",
        "Name": "/shop-web-0",
        "RestartCount": restarts,
        "Config": {"Labels": {}},
        "State": {"Status": state, "Running": running, "ExitCode": code, "StartedAt": "2026-01-01T00:00:00Z"},
    }
    return looker._replica(item, state, ready=ready).log_tail


@pytest.mark.parametrize(
    ("state", "running", "restarts", "code"),
    [("restarting", True, 3, 1), ("running", True, 3, 0), ("exited", False, 0, 1)],
    ids=["between two starts", "just after a start", "ended"],
)
def test_replica_that_dies_shows_the_end_of_its_log(state: str, restarts: int, code: int, *, running: bool) -> None:
    assert "cannot serve" in replica_log(state, running=running, restarts=restarts, ready=False, code=code)


@pytest.mark.parametrize(("restarts", "ready"), [(0, False), (0, True), (2, True)])
def test_log_of_a_replica_that_starts_or_serves_is_not_read(restarts: int, *, ready: bool) -> None:
    assert replica_log("running", running=True, restarts=restarts, ready=ready) == ""
