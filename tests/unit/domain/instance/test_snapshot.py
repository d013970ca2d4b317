# SPDX-License-Identifier: Apache-2.0
"""What the guards read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.snapshot import take_snapshot, wanted_replicas
from mooring.domain.lifecycle import Snapshot
from mooring.domain.model.observed import Observed, Replica, VolumeSeen, WorkloadSeen
from tests.unit.domain.instance.subjects import SHOP, ledger

NOW = datetime(2026, 1, 1, 12, 30, 5, 999, tzinfo=UTC)


def seen(*, web: int = 1, cron: int = 1, ready: bool = True, volume: bool = True) -> Observed:
    """So many replicas of each role."""
    counts = {"web": web, "cron": cron}
    return Observed(
        SHOP,
        NOW,
        workloads={
            role: WorkloadSeen(role, tuple(Replica(f"{role}-{i}", running=True, ready=ready) for i in range(count)))
            for role, count in counts.items()
        },
        volumes={"filestore": VolumeSeen("filestore", "x", None)} if volume else {},
    )


def snap(observed: Observed | None = None, *, of: Ledger | None = None, spec: Any = None, **given: Any) -> Snapshot:
    """The snapshot of an instance that lacks nothing, with these differences."""
    base: dict[str, Any] = {
        "generation": 3,
        "deleting": False,
        "server_ready": True,
        "provisioned": True,
        "pending": False,
    }
    return take_snapshot(
        OdooInstanceSpec.model_validate(spec or {}), of or ledger(), observed or seen(), **{**base, **given}
    )


@pytest.mark.parametrize(
    ("snapshot", "field", "value"),
    [
        pytest.param(snap(), "ready", True, id="all there"),
        pytest.param(snap(seen(ready=False)), "ready", False, id="no answer"),
        pytest.param(snap(seen(cron=0)), "ready", False, id="no cron"),
        pytest.param(snap(seen(cron=0), spec={"cron": {"replicas": 0}}), "ready", True, id="no cron wanted"),
        pytest.param(snap(seen(web=2), spec={"replicas": 3}), "ready", False, id="too few"),
        pytest.param(snap(pending=True), "ready", False, id="still changing"),
        pytest.param(snap(seen(web=0, cron=0), of=ledger(stopped=True)), "ready", True, id="stopped"),
        pytest.param(snap(of=ledger(stopped=True)), "stop_wanted", True, id="a person stopped it"),
        pytest.param(snap(spec={"replicas": 0}), "stop_wanted", True, id="the spec stops it"),
        pytest.param(snap(), "stop_wanted", False, id="nobody stops it"),
        pytest.param(snap(seen(volume=False)), "data_present", False, id="volume gone"),
        pytest.param(snap(seen(volume=False), of=Ledger()), "data_present", True, id="no volume yet"),
        pytest.param(snap(server_ready=False), "provisioned", False, id="server away"),
        pytest.param(snap(of=ledger(latched={"Upgrade": 3})), "upgrade_latched", True, id="upgrade of this spec"),
        pytest.param(
            snap(of=ledger(latched={"Upgrade": 2})), "upgrade_latched", False, id="upgrade of an earlier spec"
        ),
        pytest.param(snap(of=ledger(latched={"Rollback": 3})), "upgrade_latched", False, id="rolled back"),
        pytest.param(snap(of=ledger(latched={"Init": 3})), "init_latched", True, id="init of this spec"),
        pytest.param(snap(spec={"init": {"enabled": False}}), "init_wanted", False, id="no init"),
    ],
)
def test_snapshot_says_what_guards_read(snapshot: Snapshot, field: str, *, value: bool) -> None:
    assert getattr(snapshot, field) is value


def test_replicas_wanted_of_a_stopped_instance_are_none() -> None:
    spec = OdooInstanceSpec.model_validate({"replicas": 2})
    assert wanted_replicas(spec, ledger()) == (("web", 2), ("cron", 1))
    assert wanted_replicas(spec, ledger(stopped=True)) == (("web", 0), ("cron", 0))
