# SPDX-License-Identifier: Apache-2.0
"""A stack is what the target itself would make of the same values."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from mooring.domain.model.desired import Desired, File
from mooring.domain.model.identity import Identity, child
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.drivers.docker.engine import Engine
from mooring.targets.docker.boxes import Box
from mooring.targets.docker.converge import Converger
from mooring.targets.docker.images import portable_image
from mooring.targets.docker.plan import plan_units
from mooring.targets.docker.rendering import (
    NotRenderable,
    PortUnknown,
    check_text,
    decide_stack,
    has_secrets,
    render_holes,
    stack_files,
    stack_folders,
)
from tests.unit.targets.docker.stacks import OPTIONS, REF, SERVER, STACKS, instance, server, stack


class NoNetworks:
    """An engine that has none: whatever links to a role is not there yet."""

    def networks(self, *, labels: list[str] | None = None) -> list[dict[str, Any]]:
        return []


def made_by_the_target(want: Desired, role: str, index: int) -> Box:
    converger = Converger(cast("Engine", NoNetworks()), OPTIONS, cast("Any", None), lambda key: b"")
    unit = next(one for one in plan_units(want, OPTIONS) if one.workload.role == role)
    return converger._box(want, unit, index)


@pytest.mark.parametrize(
    ("service", "role", "want"),
    [
        pytest.param("web", "web", instance(), id="web"),
        pytest.param("cron", "cron", instance(), id="cron"),
        pytest.param("database", "database", server(), id="database"),
        pytest.param("gateway", "gateway-http", instance(), id="gateway"),
    ],
)
def test_box_of_a_stack_is_the_one_that_the_target_makes(service: str, role: str, want: Desired) -> None:
    found = next(one for one in STACKS["plain"].services if one.name == service).box
    target = made_by_the_target(want, role, 0)
    # The target joins linked networks, publishes and grants the one capability by itself; images are named to be pulled.
    own: dict[str, Any] = {"networks": found.networks[:1], "publish": (), "capabilities": (), "image": target.image}
    own["labels"] = target.labels
    assert dataclasses.replace(found, **own) == target


def test_stack_carries_neither_notes_nor_other_labels_of_mooring() -> None:
    assert instance().notes
    assert [dict(box.labels) for one in STACKS["plain"].services for box in one.boxes if box.labels] == []


def test_replicas_differ_in_their_names_only() -> None:
    first, second = next(one for one in STACKS["replicas"].services if one.name == "web").boxes
    assert (first.name, second.name) == (f"{child(REF, 'web')}-0", f"{child(REF, 'web')}-1")
    assert dataclasses.replace(second, name=first.name) == first


def test_services_come_in_the_order_of_the_files() -> None:
    assert [one.name for one in STACKS["plain"].services] == ["web", "cron", "database", "gateway"]
    assert [one.name for one in STACKS["staging-hosts"].services] == ["web", "cron", "mail", "database", "ingress"]
    assert [one.name for one in STACKS["external"].services] == ["web", "cron", "gateway"]


def test_database_is_on_the_instances_network_under_its_own_name() -> None:
    database = next(one for one in STACKS["plain"].services if one.name == "database").box
    keys = [STACKS["plain"].network_key(one.network) for one in database.networks]
    assert keys == ["server", "instance"]
    assert {one.aliases for one in database.networks} == {(child(SERVER, "database"),)}


def test_staging_reaches_nothing_and_is_reached_over_a_network_of_its_own() -> None:
    found = stack(environment="Staging")
    assert {key: net.internal for key, net in found.networks.items()} == {
        "instance": True,
        "server": True,
        "publish": False,
    }
    on_publish = [
        one.name
        for one in found.services
        for attachment in one.box.networks
        if found.network_key(attachment.network) == "publish"
    ]
    assert on_publish == ["gateway"]


def test_port_that_is_not_chosen_yet_is_an_error() -> None:
    with pytest.raises(PortUnknown, match="OdooInstance shop publishes no port"):
        decide_stack(instance(), server(), OPTIONS, ports={})


def test_port_of_the_manifest_needs_no_observation() -> None:
    found = decide_stack(instance(service={"port": 18100}), server(), OPTIONS, ports={})
    assert found.services[-1].box.publish[0].port == 18100


def test_site_brings_its_certificate_as_files() -> None:
    paths = [one.path.rpartition("/")[2] for one in stack_files(STACKS["staging-hosts"]) if "/ingress/" in one.path]
    site = child(REF, "site-http")
    assert paths == ["Caddyfile", f"{site}.caddy", f"{site}.crt", f"{site}.key"]


def test_folder_that_web_and_cron_share_is_copied_once() -> None:
    assert [(one.path, one.folder.source) for one in stack_folders(STACKS["staging-hosts"])] == [
        ("addons/0", "/srv/addons")
    ]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(ResolvedRelease("odoo:14.0", "sha256:aa", "sha256:dd"), "odoo@sha256:dd", id="pulled"),
        pytest.param(
            ResolvedRelease("r.example.test:5000/a/odoo:1", "sha256:aa", "sha256:dd"),
            "r.example.test:5000/a/odoo@sha256:dd",
            id="registry-with-port",
        ),
        pytest.param(
            ResolvedRelease("odoo@sha256:dd", "sha256:aa", "sha256:dd"), "odoo@sha256:dd", id="pinned-by-the-user"
        ),
        pytest.param(ResolvedRelease("odoo:14.0", "sha256:aa", "sha256:aa"), "sha256:aa", id="built-here"),
        pytest.param(ResolvedRelease("caddy:2", "caddy:2", "caddy:2"), "caddy:2", id="not-pinned"),
    ],
)
def test_image_is_one_that_can_be_had(image: ResolvedRelease, expected: str) -> None:
    assert portable_image(image) == expected


def test_hole_names_the_secret_and_shows_nothing_else() -> None:
    slot = SecretKey(SecretRef("default", "shop-odoo"), "master-password", "version")
    assert render_holes(File("/x", ("a = ", slot, "\n"))) == "a = <secret shop-odoo/master-password>\n"


def test_stack_with_a_database_has_secrets() -> None:
    assert has_secrets(STACKS["plain"])
    without = dataclasses.replace(
        STACKS["plain"], services=tuple(one for one in STACKS["plain"].services if one.name == "gateway")
    )
    assert not has_secrets(without)


def test_control_character_in_a_command_is_refused() -> None:
    web = STACKS["plain"].services[0]
    box = dataclasses.replace(web.box, argv=("odoo", "a\0b"), identity=Identity("i", "j"))
    bad = dataclasses.replace(STACKS["plain"], services=(dataclasses.replace(web, boxes=(box,)),))
    with pytest.raises(NotRenderable, match="web"):
        check_text(bad)
