# SPDX-License-Identifier: Apache-2.0
"""What the guards read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.ledger import Ledger
from mooring.domain.instance.snapshot import (
    DISK_LOW_BYTES,
    GIB,
    decide_warnings,
    take_snapshot,
    wanted_replicas,
)
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


LOW = "are free where the data is; Odoo loses attachments on a full disk."


@pytest.mark.parametrize(
    ("free", "warnings"),
    [
        pytest.param(None, [], id="unknown"),
        pytest.param(DISK_LOW_BYTES, [], id="just enough"),
        pytest.param(DISK_LOW_BYTES - 1, [f"Less than 2.0 GiB {LOW}"], id="just too little"),
        pytest.param(GIB * 3 // 2, [f"Less than 1.6 GiB {LOW}"], id="one and a half"),
        pytest.param(0, [f"Less than 0.1 GiB {LOW}"], id="full"),
    ],
)
def test_disk_that_is_nearly_full_is_warned_of_where_free_space_is_known(free: int | None, warnings: list[str]) -> None:
    observed = replace(seen(), free_bytes=free)
    assert decide_warnings(OdooInstanceSpec.model_validate({}), ledger(), observed) == warnings


@pytest.mark.parametrize(
    ("free", "warned"),
    [
        pytest.param(None, False, id="unknown"),
        pytest.param(3 * GIB // 2 + 2 * GIB, False, id="as much as asked for"),
        pytest.param(3 * GIB // 2 + 2 * GIB - 1, True, id="less"),
    ],
)
def test_filestore_that_asks_for_more_than_is_free_is_warned_of_until_it_holds_data(
    free: int | None, *, warned: bool
) -> None:
    spec = OdooInstanceSpec.model_validate({"filestore": {"storageSize": "3584Mi"}})
    observed = replace(seen(), free_bytes=free)
    sentence = "filestore.storageSize asks for 3.5 GiB, and about 3.5 GiB are free."
    assert decide_warnings(spec, Ledger(), observed) == ([sentence] if warned else [])
    assert decide_warnings(spec, ledger(), observed) == []
