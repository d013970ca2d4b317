# SPDX-License-Identifier: Apache-2.0
"""The steps that neutralize: what each task is given, what it may reach, and where mail goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mooring.domain.instance.environment import find_egress_faults, own_address
from mooring.domain.model.identity import Ref
from mooring.domain.operations.neutral import NEUTRALIZE, PROVE, READ_RELEASE, neutral_steps
from mooring.domain.operations.plan import Hold, RunTask
from tests.unit.domain.instance.subjects import subject

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
