# SPDX-License-Identifier: Apache-2.0
"""How processes are pointed at relays, and which relays there are; pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mooring.domain.model.desired import Desired, Destination, Policy, Workload
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import ResolvedRelease
from mooring.targets.docker import labels as tag
from mooring.targets.docker import relays
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.plan import plan_units
from mooring.targets.docker.rendering import NotRenderable, decide_stack
from mooring.targets.errors import AddressNotRelayed

OPTIONS = DockerOptions()
DB = Destination("db.example.com", 5432)
MAIL = Destination("Mail.example.com", 25)
BY_ADDRESS = Destination("192.0.2.7", 5432, "PGHOSTADDR")
WEB = Workload("web", 1, ResolvedRelease("odoo:18.0", "sha256:1", "sha256:1"), ("odoo",), (101, 101))
SHUT_IN = Policy("none", (DB, MAIL))
WANT = Desired(Ref("OdooInstance", "default", "shop"), Identity("here", "1"), (WEB,), policy=SHUT_IN)


def purposes(want: Desired, options: DockerOptions = OPTIONS) -> list[tuple[str, str]]:
    return [(unit.purpose, unit.workload.role) for unit in plan_units(want, options)]


def test_names_are_in_the_hosts_file_and_an_address_is_told_by_its_variable() -> None:
    ways = relays.render_ways([[DB, MAIL], [BY_ADDRESS]], ["10.0.0.2", "10.0.0.3"])
    assert ways.hosts == (("db.example.com", "10.0.0.2"), ("mail.example.com", "10.0.0.2"))
    assert ways.env == (("PGHOSTADDR", "10.0.0.3"),)


@pytest.mark.parametrize(
    ("allow", "named"),
    [
        pytest.param((DB, Destination("192.0.2.7", 25)), "192.0.2.7:25", id="no variable"),
        pytest.param((Destination("2001:db8::7", 25),), "2001:db8::7:25", id="no variable, IPv6"),
        pytest.param(
            (BY_ADDRESS, replace(BY_ADDRESS, host="192.0.2.8")), "192.0.2.7 and 192.0.2.8", id="one variable for two"
        ),
    ],
)
def test_address_that_cannot_be_pointed_elsewhere_is_refused(allow: tuple[Destination, ...], named: str) -> None:
    with pytest.raises(AddressNotRelayed, match=named):
        relays.check_allow(allow)


def test_owner_that_is_shut_in_has_relays_before_its_workloads() -> None:
    assert purposes(WANT) == [("relay", "relay-0"), ("workload", "web")]
    two = Policy("none", (DB, BY_ADDRESS))
    assert purposes(replace(WANT, policy=two)) == [("relay", "relay-0"), ("relay", "relay-1"), ("workload", "web")]


@pytest.mark.parametrize(
    "want",
    [
        pytest.param(replace(WANT, policy=Policy("open", (DB,))), id="everything is open"),
        pytest.param(replace(WANT, policy=Policy("none")), id="nothing is allowed"),
        pytest.param(replace(WANT, workloads=()), id="nobody would use them"),
        pytest.param(replace(WANT, network=False), id="no network"),
    ],
)
def test_owner_has_no_relays(want: Desired) -> None:
    assert "relay" not in [purpose for purpose, _ in purposes(want)]


def test_other_engine_image_replaces_no_relay() -> None:
    newer = DockerOptions(engine_image="mooring-engine:next")
    assert [unit.fingerprint for unit in plan_units(WANT, OPTIONS)] == [
        unit.fingerprint for unit in plan_units(WANT, newer)
    ]


def test_another_destination_replaces_relay_and_workload_and_keeps_the_network() -> None:
    other = replace(WANT, policy=Policy("none", (DB,)))
    for one, two in zip(plan_units(WANT, OPTIONS), plan_units(other, OPTIONS), strict=True):
        assert one.fingerprint != two.fingerprint
    assert tag.network_fingerprint(WANT.policy, ()) == tag.network_fingerprint(other.policy, ())
    assert tag.network_fingerprint(WANT.policy, ()) != tag.network_fingerprint(Policy("none"), ())


def test_fixed_addresses_come_from_the_end_of_the_network() -> None:
    assert [relays.fixed_address("10.213.0.0/26", index) for index in (0, 1)] == ["10.213.0.62", "10.213.0.61"]


@pytest.mark.parametrize(
    ("address", "prefix", "moved"),
    [
        pytest.param("10.213.0.5", 26, False, id="same network"),
        pytest.param("10.213.0.70", 26, True, id="another network"),
        pytest.param("", 0, False, id="not running"),
    ],
)
def test_process_whose_network_moved_is_found(address: str, prefix: int, moved: bool) -> None:
    labels = relays.ways_label(relays.policy_ways(SHUT_IN, "10.213.0.0/26"))
    assert relays.ways_moved(labels, address, prefix) is moved
    assert not relays.ways_moved({}, address, prefix)


def test_stack_of_an_owner_that_is_shut_in_is_not_rendered() -> None:
    with pytest.raises(NotRenderable, match=r"db\.example\.com:5432"):
        decide_stack(WANT, None, OPTIONS, ports={})
