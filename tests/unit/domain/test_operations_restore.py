# SPDX-License-Identifier: Apache-2.0
"""The plan of a restore: which snapshot, as what, and when it is neutral."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mooring.api.enums import RestoreMode
from mooring.domain.instance.repository import RepositoryAccess
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.operations.neutralize import plan_neutralize
from mooring.domain.operations.plan import Plan, RunTask
from mooring.domain.operations.restore import decide_mode, plan_restore
from tests.unit.domain.instance.subjects import subject

OPERATION = Ref("OdooRestoreJob", "default", "restore-1")
REPOSITORY = RepositoryAccess(
    ref=Ref("BackupRepository", "default", "nas"),
    identity=Identity("here", "nas-1"),
    url="file:///srv/nas",
    client="here",
)
NEUTRAL = ["read-release", "neutralize", "verify-neutral"]
REST = ["verify", "probe", "stop", "swap-database", "swap-filestore", "let-in", "start"]
MOVE, COPY = RestoreMode.MOVE, RestoreMode.COPY


def plan(environment: str = "Production", **changes: Any) -> Plan:
    given: dict[str, Any] = {
        "snapshot": "latest",
        "admin_user": "mooring",
        "replicas": (("web", 1), ("cron", 1)),
        **changes,
    }
    return plan_restore(OPERATION, "op1", subject(environment=environment), REPOSITORY, **given)


def document(made: Plan, name: str, results: dict[str, Any]) -> dict[str, Any]:
    """What a step's first attempt reads."""
    action = next(one.action for one in made.steps if one.name == name)
    assert isinstance(action, RunTask)
    (text,) = action.attempt(1, results).files[-1].parts
    found: dict[str, Any] = json.loads(str(text))
    return found


@pytest.mark.parametrize(
    ("environment", "mode", "neutral"),
    [
        pytest.param("Production", MOVE, False, id="move"),
        pytest.param("Production", COPY, True, id="copy"),
        pytest.param("Staging", MOVE, True, id="move into staging"),
        pytest.param("Staging", COPY, True, id="copy into staging"),
    ],
)
def test_copy_is_neutral_between_its_building_and_everything_of_odoos(
    environment: str, mode: RestoreMode, *, neutral: bool
) -> None:
    names = [step.name for step in plan(environment, mode=mode).steps]
    begin = ["build-database", *(NEUTRAL if neutral else []), "build-filestore"]
    assert names[: len(begin)] == begin
    assert names[-len(REST) :] == REST
    # Between them Odoo may update what was built, and brings things to life.
    assert ("verify-neutral-again" in names[len(begin) : -len(REST)]) is neutral


@pytest.mark.parametrize(
    ("changes", "source", "refuse_own"),
    [
        pytest.param({}, "instance-1", False, id="own"),
        pytest.param({"snapshot_of": "other", "mode": COPY, "mode_said": False}, "other", True, id="nobody said"),
        pytest.param({"snapshot_of": "other", "mode": COPY}, "other", False, id="copy"),
        pytest.param({"snapshot_of": "other", "mode": MOVE}, "other", False, id="move"),
    ],
)
def test_snapshot_is_sought_among_those_of_whom_it_is(
    changes: dict[str, Any], source: str, *, refuse_own: bool
) -> None:
    made = plan(**changes)
    built = document(made, "build-database", {})
    own = subject().identity.instance
    assert built["instance"] == own
    assert built["source"]["instance"] == (own if source == "instance-1" else source)
    assert (built["series"], built["refuseOwn"]) == ("14.0", refuse_own)


def test_files_are_those_of_the_snapshot_that_the_database_is_of() -> None:
    made = plan(snapshot_of="other", mode=COPY)
    files = document(made, "build-filestore", {"build-database": {"snapshot": "abc", "origin": "its-id"}})
    assert (files["source"]["snapshot"], files["source"]["instance"]) == ("abc", "its-id")


def test_copy_is_neutralized_as_the_building_one_of_the_instance_that_it_is_for() -> None:
    code = {"series": "14.0", "native": False, "modules": 0, "packed": ""}
    made = plan(snapshot_of="other", mode=COPY, base_url="http://127.0.0.1:18069")
    neutralize = document(made, "neutralize", {"read-release": code})
    own = subject()
    assert (neutralize["role"], neutralize["first"], neutralize["instance"]) == (
        "building",
        False,
        own.identity.instance,
    )
    assert neutralize["database"].startswith("mooring_building_")
    assert neutralize["connection"]["user"] == own.owner
    assert neutralize["baseUrl"] == "http://127.0.0.1:18069"
    assert document(made, "verify-neutral", {})["database"] == neutralize["database"]


@pytest.mark.parametrize(
    ("spec", "mode"),
    [
        pytest.param({"source": {"snapshot": "a"}}, MOVE, id="own"),
        pytest.param({"source": {"snapshot": "a", "snapshotOf": "b"}}, COPY, id="another's"),
        pytest.param({"source": {"snapshot": "a", "snapshotOf": "b"}, "mode": "move"}, MOVE, id="said"),
        pytest.param({"source": {"snapshot": "a"}, "mode": "copy"}, COPY, id="own, copy said"),
        pytest.param({"source": {"instance": {"name": "b"}}}, COPY, id="instance"),
        pytest.param({"source": {"url": "https://a.example/b.zip"}}, COPY, id="archive"),
    ],
)
def test_data_goes_on_as_the_real_one_only_where_it_is_the_instances_own_or_a_person_says_so(
    spec: dict[str, Any], mode: RestoreMode
) -> None:
    assert decide_mode(spec) is mode


def test_neutralization_of_present_data_is_done_while_nothing_runs() -> None:
    made = plan_neutralize(
        OPERATION, "op1", subject(environment="Staging"), base_url=None, replicas=(("web", 1), ("cron", 1))
    )
    assert [step.name for step in made.steps] == ["stop", *NEUTRAL, "start"]
    assert all(step.hold.web and step.hold.cron for step in made.steps[:-1])
    code = {"series": "14.0", "native": False, "modules": 0, "packed": ""}
    neutralize = document(made, "neutralize", {"read-release": code})
    assert (neutralize["role"], neutralize["first"]) == ("current", True)
