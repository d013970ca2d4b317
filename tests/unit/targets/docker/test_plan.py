# SPDX-License-Identifier: Apache-2.0
"""What is done for which difference; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mooring.domain.model.desired import (
    Desired,
    Endpoint,
    Link,
    Policy,
    Probe,
    Resources,
    Route,
    Volume,
    Workload,
)
from mooring.domain.model.identity import Identity, Ref, child
from mooring.domain.model.observed import ObjectSeen, Observed
from mooring.domain.model.release import ResolvedRelease
from mooring.targets.docker import labels as tag
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.plan import Move, plan_moves, plan_units

SHOP = Ref("OdooInstance", "default", "shop")
OURS = Identity("here", "1")
OPTIONS = DockerOptions()
MAIN = child(SHOP, "network")
WEB = Workload(
    role="web",
    replicas=2,
    image=ResolvedRelease("odoo:18.0", "sha256:1", "sha256:1"),
    argv=("odoo",),
    user=(101, 101),
    resources=Resources(1000, 1 << 30),
    probe=Probe(("true",)),
)
WANT = Desired(SHOP, OURS, (WEB,), (Volume("filestore"),))


def container(want: Desired, index: int, **detail: str) -> ObjectSeen:
    """A replica of `web` as it should be, but for `detail`."""
    unit = plan_units(want, OPTIONS)[0]
    facts = {
        "role": "web",
        "purpose": "workload",
        "index": str(index),
        "state": "running",
        "ready": "yes",
        "networks": MAIN,
        "unlinked": "",
        "drift": "",
        "port": "",
    }
    return ObjectSeen("container", tag.replica_name(SHOP, "web", index), unit.fingerprint, OURS, facts | detail)


def network(want: Desired, **detail: str) -> ObjectSeen:
    """The owner's network as it should be, but for `detail`."""
    return ObjectSeen("network", MAIN, tag.network_fingerprint(want.policy, want.links), OURS, {"missing": ""} | detail)


def volume() -> ObjectSeen:
    """The filestore."""
    return ObjectSeen("volume", child(SHOP, "filestore"), "", OURS)


def seen(*objects: ObjectSeen, tasks: tuple[str, ...] = ()) -> Observed:
    """A snapshot with these objects."""
    return Observed(
        SHOP,
        datetime(2026, 1, 1, tzinfo=UTC),
        objects={f"{item.kind} {item.name}": item for item in objects},
        tasks=tasks,
    )


def moves(want: Desired, world: Observed) -> list[tuple[str, str, bool]]:
    """(verb, object's end, can be done now) of each move."""
    return [(move.verb, _short(move), not move.wait) for move in plan_moves(want, world, OPTIONS)]


def _short(move: Move) -> str:
    return move.name.removeprefix(f"{child(SHOP, 'web')}-")


def test_plan_of_what_is_as_wanted_is_empty() -> None:
    world = seen(container(WANT, 0), container(WANT, 1), network(WANT), volume())
    assert moves(WANT, world) == []


def test_plan_from_nothing_makes_network_then_volume_then_replicas() -> None:
    assert [verb for verb, _, _ in moves(WANT, seen())] == ["network", "volume", "create", "create"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({}, {}, [("replace", "0", True), ("replace", "1", False)], id="both serve: the first, alone"),
        pytest.param({}, {"ready": "no"}, [("replace", "1", True), ("replace", "0", False)], id="the broken one first"),
        pytest.param(
            {"state": "stopping", "ready": "no"},
            {},
            [("replace", "0", False), ("replace", "1", False)],
            id="one stops: all wait",
        ),
    ],
)
def test_change_rolls_one_replica_at_a_time(
    first: dict[str, str], second: dict[str, str], expected: list[tuple[str, str, bool]]
) -> None:
    old = replace(WANT, workloads=(replace(WEB, argv=("odoo", "--old")),))
    world = seen(container(old, 0, **first), container(old, 1, **second), network(WANT), volume())
    assert moves(WANT, world) == expected


def test_change_waits_while_the_new_replica_is_not_ready() -> None:
    old = replace(WANT, workloads=(replace(WEB, argv=("odoo", "--old")),))
    world = seen(container(WANT, 0, ready="no"), container(old, 1), network(WANT), volume())
    assert moves(WANT, world) == [("replace", "1", False)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"replicas": 2, "image": replace(WEB.image, source="odoo:latest")}, id="another tag, same image"),
        pytest.param({"env": ()}, id="a field at its default"),
    ],
)
def test_change_that_means_nothing_restarts_nothing(change: dict[str, object]) -> None:
    world = seen(container(WANT, 0), container(WANT, 1), network(WANT), volume())
    assert moves(replace(WANT, workloads=(replace(WEB, **change),)), world) == []  # type: ignore[arg-type]  # any field


def test_drift_replaces_the_replica() -> None:
    world = seen(container(WANT, 0, drift="its file was changed"), container(WANT, 1), network(WANT), volume())
    assert moves(WANT, world) == [("replace", "0", True)]


@pytest.mark.parametrize("state", ["exited", "dead"])
def test_replica_that_does_not_run_is_started(state: str) -> None:
    world = seen(container(WANT, 0, state=state, ready="no"), container(WANT, 1), network(WANT), volume())
    assert moves(WANT, world) == [("start", "0", True)]


def test_replica_whose_start_was_interrupted_is_made_anew() -> None:
    world = seen(container(WANT, 0, state="created", ready="no"), container(WANT, 1), network(WANT), volume())
    assert moves(WANT, world) == [("replace", "0", True)]


def test_replica_off_its_network_that_is_on_others_is_connected() -> None:
    world = seen(container(WANT, 0, networks="other-network"), container(WANT, 1), network(WANT), volume())
    assert moves(WANT, world) == [("connect", "0", True)]


@pytest.mark.parametrize("ready", ["yes", "no"])
def test_replica_off_every_network_is_made_anew_whatever_the_others_are(ready: str) -> None:
    world = seen(container(WANT, 0, networks="", ready="no"), container(WANT, 1, ready=ready), network(WANT), volume())
    assert moves(WANT, world) == [("replace", "0", True)]


def test_replica_off_every_network_that_does_not_run_is_connected_and_started() -> None:
    world = seen(
        container(WANT, 0, networks="", state="exited", ready="no"), container(WANT, 1), network(WANT), volume()
    )
    assert moves(WANT, world) == [("start", "0", True), ("connect", "0", True)]


def test_replica_that_others_link_to_is_connected_to_them() -> None:
    world = seen(container(WANT, 0, unlinked="other-network"), container(WANT, 1), network(WANT), volume())
    assert moves(WANT, world) == [("connect", "0", True)]


def test_server_off_our_network_is_connected() -> None:
    world = seen(container(WANT, 0), container(WANT, 1), network(WANT, missing="db-0"), volume())
    assert [verb for verb, _, _ in moves(WANT, world)] == ["link"]


@pytest.mark.parametrize(
    "want",
    [
        pytest.param(replace(WANT, policy=Policy("none")), id="policy"),
        pytest.param(
            replace(WANT, links=(Link(Ref("DatabaseServer", "default", "db"), "database", 5432),)), id="links"
        ),
    ],
)
def test_network_whose_making_changed_is_replaced(want: Desired) -> None:
    world = seen(container(want, 0), container(want, 1), network(WANT), volume())
    assert ("renetwork", MAIN, True) in moves(want, world)


def test_nothing_wanted_removes_containers_first_and_never_volumes() -> None:
    nothing = Desired(SHOP, OURS, network=False)
    world = seen(container(WANT, 0), container(WANT, 1), network(WANT), volume())
    assert moves(nothing, world) == [("remove", "0", True), ("remove", "1", True), ("unnetwork", MAIN, False)]
    assert moves(nothing, seen(network(WANT), volume())) == [("unnetwork", MAIN, True)]
    assert moves(nothing, seen(network(WANT), volume(), tasks=("t",))) == [("unnetwork", MAIN, False)]


def test_removal_forgets_ended_tasks_of_this_identity_and_nothing_else_does() -> None:
    left = ObjectSeen("task", "probe", "", OURS, {"state": "exited"})
    others = replace(left, name="other", identity=Identity("here", "2"))
    world = seen(network(WANT), volume(), left, others)
    nothing = Desired(SHOP, OURS, network=False)
    assert moves(nothing, world) == [("forget", "probe", True), ("unnetwork", MAIN, True)]
    assert moves(replace(WANT, workloads=()), world) == []


def test_stopping_replica_that_is_not_wanted_still_differs() -> None:
    nothing = replace(WANT, workloads=())
    world = seen(container(WANT, 0, state="stopping"), network(WANT), volume())
    assert moves(nothing, world) == [("remove", "0", False)]


@pytest.mark.parametrize("identity", [None, Identity("here", "2"), Identity("elsewhere", "1")], ids=str)
def test_object_of_another_identity_refuses_everything(identity: Identity | None) -> None:
    world = seen(replace(container(WANT, 0), identity=identity), network(WANT), volume())
    assert {verb for verb, _, _ in moves(WANT, world)} == {"refuse"}


def test_host_of_another_instance_is_refused() -> None:
    endpoint = Endpoint("web", (Route("/", "web", 8069),), ("Shop.example.com",))
    want = replace(WANT, endpoints=(endpoint,))
    hosts = '{"shop.example.com": ["OdooInstance", "default", "other"]}'
    ingress = ObjectSeen("ingress", "mooring-ingress", "", Identity("here", "ingress"), {"hosts": hosts})
    world = seen(container(want, 0), container(want, 1), network(WANT), volume(), ingress)
    assert [verb for verb, _, _ in moves(want, world)] == ["refuse"]


def test_endpoint_without_hosts_gets_a_gateway_that_a_fixed_port_replaces() -> None:
    endpoint = Endpoint("web", (Route("/", "web", 8069),))
    free = plan_units(replace(WANT, endpoints=(endpoint,)), OPTIONS)[1]
    fixed = plan_units(replace(WANT, endpoints=(replace(endpoint, port=8069),)), OPTIONS)[1]
    assert (free.purpose, free.port, fixed.port) == ("gateway", None, 8069)
    assert free.fingerprint != fixed.fingerprint


def test_volume_larger_than_the_free_space_is_said() -> None:
    want = replace(WANT, volumes=(Volume("filestore", size_bytes=10 << 30),))
    world = replace(seen(network(WANT)), free_bytes=1 << 30)
    reasons = [move.change.reason for move in plan_moves(want, world, OPTIONS) if move.verb == "volume"]
    assert reasons == ["it is missing; 10240 MiB are asked for and 1024 are free"]
