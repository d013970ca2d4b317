# SPDX-License-Identifier: Apache-2.0
"""What a person reads about each state: always a reason, a message, a way out, and never a false comfort."""

from __future__ import annotations

import re

import pytest

from mooring.domain.lifecycle.table import Snapshot, State, explain, next_state

from .test_lifecycle_walk import SNAPSHOTS, WALK


def test_explain_every_state_and_snapshot_says_what_and_how() -> None:
    for state in State:
        for seen in SNAPSHOTS:
            said = explain(state, seen)
            assert re.fullmatch(r"[A-Z][A-Za-z]+", said.reason), said
            assert said.message.endswith("."), said
            assert state is State.RUNNING or said.way_out.endswith("."), said


def test_explain_reason_of_running_is_its_own() -> None:
    reasons = {explain(state, seen).reason for state in State if state is not State.RUNNING for seen in SNAPSHOTS}
    assert explain(State.RUNNING, Snapshot()).reason not in reasons


def test_explain_missing_data_is_named_wherever_it_keeps_an_instance_from_serving() -> None:
    """Waiting, or looking at a log, brings no volume back."""
    hidden = {
        after
        for _, seen, after in WALK
        if seen.initialized and not seen.data_present and explain(after, seen).reason != "DataMissing"
    }
    assert hidden == {State.DELETING}


def test_explain_silent_server_is_named_wherever_something_is_to_run() -> None:
    hidden = {
        after
        for _, seen, after in WALK
        if seen.initialized
        and seen.data_present
        and not seen.server_ready
        and explain(after, seen).reason != "ServerNotReady"
    }
    assert hidden == {State.DELETING, State.STOPPED}


@pytest.mark.parametrize(
    ("seen", "says_it_runs"),
    [
        pytest.param(Snapshot(initialized=True, ready=True, upgrade_latched=True), True, id="answers"),
        pytest.param(Snapshot(initialized=True, ready=False, upgrade_latched=True), False, id="does-not-answer"),
    ],
)
def test_explain_upgrade_failed_says_it_runs_only_when_it_does(seen: Snapshot, *, says_it_runs: bool) -> None:
    said = explain(State.UPGRADE_FAILED, seen)
    assert said.reason == "UpgradeFailed"
    assert ("it runs" in said.message) is says_it_runs


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        pytest.param(Snapshot(), "Provisioning", id="being-made"),
        pytest.param(Snapshot(server_ready=False), "ServerNotReady", id="no-server"),
        pytest.param(Snapshot(provisioned=True, init_wanted=False), "AwaitingData", id="empty-on-purpose"),
        pytest.param(Snapshot(provisioned=True), "Initializing", id="init"),
        pytest.param(Snapshot(provisioned=True, init_latched=True), "InitFailed", id="init-failed"),
        pytest.param(Snapshot(initialized=True), "Starting", id="starting"),
        pytest.param(Snapshot(initialized=True, ready=True), "Running", id="running"),
        pytest.param(Snapshot(initialized=True, stop_wanted=True), "Stopped", id="stopped"),
        pytest.param(Snapshot(deleting=True), "Deleting", id="deleting"),
        pytest.param(Snapshot(initialized=True, data_present=False), "DataMissing", id="data-gone"),
    ],
)
def test_explain_fresh_instance_gives_the_reason(seen: Snapshot, reason: str) -> None:
    assert explain(next_state(State.PROVISIONING, seen), seen).reason == reason


def test_explain_replica_not_answering_is_named_when_degraded() -> None:
    assert explain(State.DEGRADED, Snapshot(initialized=True)).reason == "ReplicaNotReady"
