# SPDX-License-Identifier: Apache-2.0
"""The conditions that people and kstatus read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from mooring.domain.instance.conditions import (
    KINDS,
    Before,
    Trouble,
    decide_conditions,
    decide_server_conditions,
    mark_paused,
    mark_trouble,
)
from mooring.domain.instance.snapshot import rfc3339
from mooring.domain.lifecycle import Snapshot, State
from tests.unit.domain.instance.test_snapshot import NOW, seen, snap

GONE = Trouble("ImageNotFound", "There is no image of that name.", final=True)
AWAY = Trouble("RegistryUnreachable", "No registry answers.", final=False)
Conditions = dict[str, dict[str, Any]]


def by_type(found: list[dict[str, Any]]) -> Conditions:
    return {one["type"]: one for one in found}


def before(known: Conditions | None = None, *, generation: int = 3, now: datetime = NOW) -> Before:
    return Before(list((known or {}).values()), generation, now)


def conditions(state: State, snapshot: Snapshot | None = None, **given: Any) -> Conditions:
    """By type."""
    base: dict[str, Any] = {"operation": None, "up_to_date": True, "before": before()}
    found = decide_conditions(state, snapshot or snap(), **{**base, **given})
    assert tuple(one["type"] for one in found) == KINDS
    return by_type(found)


@pytest.mark.parametrize("operation", [None, "Upgrading"])
@pytest.mark.parametrize("state", State)
def test_conditions_are_all_set_and_agree(state: State, operation: str | None) -> None:
    found = conditions(state, operation=operation)
    assert {one["status"] for one in found.values()} <= {"True", "False", "Unknown"}
    assert all(one["reason"] and one["reason"].isalnum() for one in found.values())
    assert found["Progressing"]["status"] == found["Reconciling"]["status"]
    assert not (found["Stalled"]["status"] == "True" == found["Progressing"]["status"])
    assert (found["Degraded"]["status"] == "True") == (state is State.DEGRADED)
    assert found["Ready"]["lastTransitionTime"] == "2026-01-01T12:30:05Z"


@pytest.mark.parametrize(
    ("state", "snapshot", "ready", "reason"),
    [
        pytest.param(State.RUNNING, snap(), "True", "Running", id="running"),
        pytest.param(State.UPGRADE_FAILED, snap(), "True", "UpgradeFailed", id="upgrade failed, serves"),
        pytest.param(State.UPGRADE_FAILED, snap(seen(web=0)), "False", "UpgradeFailed", id="upgrade failed, away"),
        pytest.param(State.DEGRADED, snap(seen(volume=False)), "False", "DataMissing", id="data gone"),
        pytest.param(State.DEGRADED, snap(server_ready=False), "False", "ServerNotReady", id="server away"),
        pytest.param(State.STOPPED, snap(), "False", "Stopped", id="stopped"),
        pytest.param(State.INIT_FAILED, snap(), "False", "InitFailed", id="init failed"),
    ],
)
def test_ready_says_whether_and_why(state: State, snapshot: Snapshot, ready: str, reason: str) -> None:
    found = conditions(state, snapshot)["Ready"]
    assert (found["status"], found["reason"]) == (ready, reason)


def test_condition_keeps_its_time_until_its_status_changes() -> None:
    first = conditions(State.RUNNING)
    later = NOW + timedelta(hours=1)
    same = conditions(State.RUNNING, before=before(first, generation=4, now=later))
    assert same["Ready"]["lastTransitionTime"] == rfc3339(NOW)
    assert same["Ready"]["observedGeneration"] == 4
    other = conditions(State.DEGRADED, before=before(first, now=later))
    assert other["Ready"]["lastTransitionTime"] == rfc3339(later)
    assert other["UpToDate"]["lastTransitionTime"] == rfc3339(NOW)


@pytest.mark.parametrize("operation", [None, "Upgrading"])
@pytest.mark.parametrize("trouble", [None, GONE, AWAY], ids=["well", "final", "passing"])
@pytest.mark.parametrize("state", State)
def test_reconciling_and_stalled_are_never_both(state: State, trouble: Trouble | None, operation: str | None) -> None:
    found = conditions(state, trouble=trouble, operation=operation, up_to_date=trouble is None)
    assert not found["Reconciling"]["status"] == found["Stalled"]["status"] == "True"
    if trouble is not None and operation is None:
        assert "True" in (found["Reconciling"]["status"], found["Stalled"]["status"])


def test_trouble_that_only_a_person_ends_stalls_an_instance_that_runs() -> None:
    found = conditions(State.RUNNING, trouble=GONE, up_to_date=False)
    assert found["Ready"]["status"] == "True"
    assert (found["Stalled"]["status"], found["Stalled"]["reason"]) == ("True", "ImageNotFound")
    assert found["Reconciling"]["status"] == "False"
    assert (found["UpToDate"]["status"], found["UpToDate"]["reason"]) == ("False", "ImageNotFound")


def test_trouble_before_anything_was_seen_leaves_the_rest_unknown() -> None:
    found = by_type(mark_trouble(AWAY, before()))
    assert tuple(found) == KINDS
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("False", "RegistryUnreachable")
    assert found["Reconciling"]["status"] == "True"
    assert found["Degraded"]["status"] == "Unknown"


def test_trouble_keeps_what_was_judged_before() -> None:
    first = conditions(State.RUNNING)
    found = by_type(mark_trouble(GONE, before(first, generation=4, now=NOW + timedelta(hours=1))))
    assert (found["Ready"]["status"], found["Ready"]["lastTransitionTime"]) == ("True", rfc3339(NOW))
    assert (found["Stalled"]["status"], found["Stalled"]["observedGeneration"]) == ("True", 4)


@pytest.mark.parametrize("ready", [True, False], ids=["answers", "away"])
def test_paused_neither_moves_nor_stalls(ready: bool) -> None:
    found = by_type(mark_paused(before(conditions(State.STARTING)), ready=ready))
    assert found["Ready"]["status"] == str(ready)
    assert {found[kind]["status"] for kind in ("Progressing", "Reconciling", "Stalled")} == {"False"}
    assert {found[kind]["reason"] for kind in ("Ready", "Reconciling")} == {"Paused"}


@pytest.mark.parametrize(
    ("ready", "trouble", "expected"),
    [
        pytest.param(True, None, ("True", "False", "False"), id="answers"),
        pytest.param(False, None, ("False", "True", "False"), id="starting"),
        pytest.param(False, AWAY, ("False", "True", "False"), id="dies"),
        pytest.param(False, GONE, ("False", "False", "True"), id="cannot"),
    ],
)
def test_server_says_ready_reconciling_and_stalled(
    ready: bool, trouble: Trouble | None, expected: tuple[str, str, str]
) -> None:
    found = by_type(decide_server_conditions(ready=ready, trouble=trouble, before=before()))
    assert tuple(found[kind]["status"] for kind in ("Ready", "Reconciling", "Stalled")) == expected
