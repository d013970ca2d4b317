# SPDX-License-Identifier: Apache-2.0
"""The steps that neutralize: what each task is given, what it may reach, and where mail goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mooring.domain.instance.environment import find_egress_faults, own_address
from mooring.domain.instance.subject import Subject
from mooring.domain.model.identity import Ref
from mooring.domain.operations.neutral import NEUTRALIZE, PROVE, READ_RELEASE, neutral_steps
from mooring.domain.operations.plan import Hold, Plan, Ready, RunTask, Step
from mooring.domain.operations.upgrade import MIGRATE, START, plan_upgrade
from tests.unit.domain.instance.subjects import release, subject

OPERATION = Ref("OdooRestoreJob", "default", "copy")
HOLD = Hold(web=True, cron=True, reason="it is tried")
CODE = {"series": "14.0", "native": False, "modules": 3, "packed": "eJw="}


def documents(environment: str, **spec: Any) -> dict[str, dict[str, Any]]:
    """Step → the document of its first attempt, after the release was read."""
    one = subject(environment=environment, **spec)
    found: dict[str, dict[str, Any]] = {}
    for step in neutral_steps(OPERATION, "op-1", one, role="current", base_url=None, first=True, hold=HOLD):
        assert isinstance(step.action, RunTask)
        assert step.hold == HOLD
        assert not step.action.task.egress
        task = step.action.attempt(2, {READ_RELEASE: CODE})
        text = "".join(str(part) for file in task.files[-1:] for part in file.parts)
        found[step.name] = {} if step.action.document is None else json.loads(text)
    return found


def test_release_is_read_then_written_into_what_neutralizes_then_proved() -> None:
    given = documents("Staging", neutralize={"sql": ["UPDATE a SET b = 1"]}, stagingOf={"name": "live"})
    assert list(given) == [READ_RELEASE, NEUTRALIZE, PROVE]
    neutralize, prove = given[NEUTRALIZE], given[PROVE]
    assert neutralize["release"] == CODE
    assert neutralize["fence"] == {"operation": "op-1", "attempt": 2, **_rest(neutralize["fence"])}
    assert neutralize["statements"] == ["UPDATE a SET b = 1"]
    assert (neutralize["role"], neutralize["first"]) == ("current", True)
    assert (neutralize["sinkHost"], neutralize["sinkPort"]) == ("shop-mail-96cbd55c", 1025)
    assert prove["sinkHost"] == "shop-mail-96cbd55c"
    assert prove["baseUrl"] == neutralize["baseUrl"] == "http://127.0.0.1:8069"


@pytest.mark.parametrize("to", ["14.0", "14.0-next"], ids=["modules alone", "another release"])
def test_upgrade_of_staging_is_proved_neutral_before_any_odoo_serves_and_only_the_update_runs_before(to: str) -> None:
    opened = {"allowEgress": ["api.example.com:443"]}
    made = upgrade(subject(environment="Staging", stagingOf={"name": "live"}, neutralize=opened), to)
    steps = {step.name: step for step in made.steps}
    order = list(steps)
    assert order[order.index(MIGRATE) + 1 :][:3] == [READ_RELEASE, NEUTRALIZE, PROVE]
    # Where Odoo updates anything it is neutralized, and no later step of the plan updates or installs once more.
    assert {steps[name].when for name in (READ_RELEASE, NEUTRALIZE, PROVE)} == {steps[MIGRATE].when}
    odoo = [name for name, step in steps.items() if isinstance(step.action, RunTask) and is_odoo(step.action)]
    assert odoo == ["hash-modules", MIGRATE, READ_RELEASE, "probe"]
    assert [name for name, step in steps.items() if isinstance(step.action, Ready)] == [START]
    assert order.index(PROVE) < order.index("probe") < order.index(START)
    # From the stop to the start nobody is let in, and cron does not run.
    shut = order[order.index("stop") : order.index(START)]
    assert all(steps[name].hold.web and steps[name].hold.cron for name in shut)
    # The update ends by itself and serves nothing; what asks a release reaches nothing; the probe reaches its database alone.
    update, probe = action(steps[MIGRATE]).task, action(steps["probe"]).task
    assert "--stop-after-init" in update.argv
    assert "--no-http" in update.argv
    assert not update.egress
    for name in ("hash-modules", READ_RELEASE):
        asked = action(steps[name]).task
        assert (asked.links, asked.allow, asked.egress) == ((), (), False)
    assert (probe.allow, probe.egress) == ((), False)


def test_upgrade_of_production_neutralizes_nothing() -> None:
    names = [step.name for step in upgrade(subject(environment="Production"), "14.0-next").steps]
    assert not {READ_RELEASE, NEUTRALIZE, PROVE} & set(names)


def upgrade(one: Subject, to: str) -> Plan:
    """Its plan, to a release of that name."""
    return plan_upgrade(
        OPERATION,
        "op-1",
        one,
        release(to),
        admin_user="mooring",
        modules=("changed",),
        replicas=(("web", 1), ("cron", 1)),
    )


def action(step: Step) -> RunTask:
    """Its task."""
    assert isinstance(step.action, RunTask)
    return step.action


def is_odoo(run: RunTask) -> bool:
    """Whether it runs in the release's image, and not in the engine's."""
    return run.task.image is not None


def _rest(fence: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fence.items() if key not in ("operation", "attempt")}


def test_copy_for_an_instance_without_a_sink_sends_to_a_name_that_is_none() -> None:
    assert documents("Production")[NEUTRALIZE]["sinkHost"] == "invalid"


@pytest.mark.parametrize(
    ("spec", "seen", "address"),
    [
        pytest.param({}, "http://127.0.0.1:18069", "http://127.0.0.1:18069", id="seen"),
        pytest.param({"ingress": {"hosts": ["S.example.com"]}}, None, "http://s.example.com", id="plain host"),
        pytest.param(
            {"ingress": {"hosts": ["s.example.com"], "tls": {"internal": True}}},
            None,
            "https://s.example.com",
            id="TLS",
        ),
        pytest.param({"service": {"port": 18070}}, None, "http://127.0.0.1:18070", id="port"),
    ],
)
def test_address_of_its_own_is_what_was_seen_else_what_the_spec_says(
    spec: dict[str, Any], seen: str | None, address: str
) -> None:
    assert own_address(subject(environment="Staging", **spec), seen) == address


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        pytest.param("api.example.com:443", "", id="host and port"),
        pytest.param("api.example.com", "names no port", id="host"),
        pytest.param("10.0.0.0/8", "is a network", id="network"),
        pytest.param("10.1.2.3", "is an address", id="address"),
        pytest.param("2001:db8::1", "is an address", id="IPv6"),
    ],
)
def test_way_out_is_a_name_with_a_port_where_nothing_else_can_be_opened(place: str, fault: str) -> None:
    one = subject(environment="Staging", stagingOf={"name": "live"}, neutralize={"allowEgress": [place]})
    found = find_egress_faults(one.spec, target="docker")
    assert [fault in text for text in found] == ([True] if fault else [])
