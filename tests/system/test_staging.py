# SPDX-License-Identifier: Apache-2.0
"""A Staging instance of a real Odoo 14: nothing leaves it but what is opened, its mail is caught, people see what it is.

One instance for the whole file; the tests go in order, and the last makes production of it.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from mooring.control.operations import list_operations
from mooring.control.services import Services
from mooring.domain.instance.subject import load_subject
from mooring.domain.instance.tasks import odoo_task
from mooring.domain.mailsink import READ_ARGV
from mooring.domain.model.identity import child
from mooring.domain.task import TaskState
from tests.conformance.odoo_client import eventually
from tests.conformance.places import PLACES, EnginePlace, free_port, machine_address
from tests.conformance.world import Instance, World

pytestmark = pytest.mark.real

API, OTHER = "api.outside.test", "other.outside.test"
LISTEN = """
import socket, sys, time
for port in sys.argv[1:]:
    one = socket.socket()
    one.bind(("", int(port)))
    one.listen()
    globals()["port" + port] = one
time.sleep(3600)
"""
# Prints each place that answers, of those that are given as HOST:PORT.
TRY = """
import socket, sys
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=3) as link:
            # A relay takes every connection, and resets those that lead nowhere.
            link.settimeout(1)
            try:
                if link.recv(1) == b"":
                    continue
            except socket.timeout:  # in Python 3.9, which Odoo 14 runs on, no TimeoutError
                pass
        print("reached", place)
    except OSError:
        pass
"""
SEND = """
mail = env["ir.mail_server"].build_email("odoo@shop.example", ["{to}"], "{subject}", "Thank you.", email_bcc=["b@c.example"])
env["ir.mail_server"].send_email(mail)
"""


@dataclass(frozen=True)
class Far:
    """Places outside: the API that is opened later, and all that never is.

    Attributes:
        here: the machine itself, which Podman's bridges leave in reach (docs/explanation/safety.md).
    """

    container: str
    here: str
    never: tuple[str, ...]

    @property
    def api(self) -> str:
        """The one that is opened."""
        return f"{API}:8070"


@pytest.fixture(scope="module", params=["docker", pytest.param("podman", marks=pytest.mark.full)])
def place(request: pytest.FixtureRequest) -> EnginePlace:
    found = PLACES[request.param]()
    if isinstance(found, str):
        pytest.skip(f"{request.param}: {found}")
    assert isinstance(found, EnginePlace)
    return found


@pytest.fixture(scope="module")
def world(place: EnginePlace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(place, tmp_path_factory.mktemp("staging") / "state", f"stage-{secrets.token_hex(3)}")
    try:
        yield made
    finally:
        place.clean(made.namespace)


@pytest.fixture(scope="module")
def far(place: EnginePlace, world: World) -> Iterator[Far]:
    """A container of nobody's with two ports, one of the machine's, and addresses of the world."""
    container = place.cli(
        "run", "-d", "--name", f"{world.namespace}-far", "odoo:14.0-base", "python3", "-c", LISTEN, "8070", "8071"
    ).strip()
    try:
        bridge = json.loads(place.cli("inspect", container))[0]["NetworkSettings"]
        address = next(
            (str(one["IPAddress"]) for one in (bridge["Networks"] or {}).values() if one["IPAddress"]),
            str(bridge.get("IPAddress") or "192.0.2.1"),
        )
        with closing(socket.create_server(("0.0.0.0", free_port()))) as listener:
            here = f"{machine_address()}:{listener.getsockname()[1]}"
            never = (f"{address}:8070", f"{address}:8071", f"{API}:8071", f"{OTHER}:8070", "1.1.1.1:53", "8.8.8.8:443")
            yield Far(container, here, (*never, here) if place.name == "docker" else never)
    finally:
        place.cli("rm", "-fv", container)


@pytest.fixture(scope="module")
def stage(world: World, far: Far) -> Instance:
    """Staging from its first apply, a copy of nothing."""
    del far  # it outlives the networks that it is put on
    return world.instance("stage", environment="Staging").apply()


def reached(stage: Instance, role: str, *places: str) -> list[str]:
    """What a process of this role reaches."""
    said = stage.inside(role, "python3", "-c", TRY, *places)
    return [line.partition(" ")[2] for line in said.splitlines() if line.startswith("reached ")]


def reached_by_task(stage: Instance, *places: str) -> list[str]:
    """What a task reaches that is made like a run of Odoo's own program."""

    async def work(services: Services) -> TaskState:
        done = (await list_operations(services, stage.ref))[-1]
        subject = load_subject({**done.doc.status["accepted"]["subject"], "spec": stage.spec})
        name = f"{stage.ref.namespace}-try-{secrets.token_hex(3)}"
        task = odoo_task(subject, name, ("python3", "-c", TRY, *places)).attempt(1)
        await services.target.start(task)
        until = time.monotonic() + 120
        while (state := await services.target.task(task.name)).phase in {"pending", "running"}:
            assert time.monotonic() < until
            await services.clock.sleep(0.2)
        await services.target.forget(task.name)
        return state

    state = stage.world.run(work)
    assert state.phase == "succeeded", state.log_tail
    return [line.partition(" ")[2] for line in state.log_tail.splitlines() if line.startswith("reached ")]


def own(stage: Instance) -> tuple[str, ...]:
    """Its database and its mail sink."""
    conf = dict(line.split(" = ", 1) for line in stage.conf("web") if " = " in line)
    return (f"{conf['db_host']}:{conf['db_port']}", f"{conf['smtp_server']}:{conf['smtp_port']}")


def send(stage: Instance, subject: str) -> None:
    """Odoo sends a mail, by the mail server that its database names."""
    argv = ("/usr/bin/odoo", "shell", "-c", "/etc/mooring/odoo.conf", "--no-http", "--max-cron-threads=0")
    place = stage.world.place
    code, said = place.run(stage.ref, "web", argv, stdin=SEND.format(to="customer@a.example", subject=subject))
    assert code == 0, said
    assert "Traceback" not in said, said


def caught(stage: Instance) -> list[dict[str, Any]]:
    """What `mooring mail -o json` prints."""
    found: list[dict[str, Any]] = json.loads(stage.inside("mail", *READ_ARGV, "list", "json", "50"))
    return found


@pytest.mark.parametrize("role", ["web", "cron"])
def test_staging_reaches_its_database_and_its_sink_and_nothing_else(stage: Instance, far: Far, role: str) -> None:
    mine = own(stage)
    assert reached(stage, role, *mine, far.api, *far.never) == list(mine)


def test_task_of_staging_reaches_its_database_and_its_sink_and_nothing_else(stage: Instance, far: Far) -> None:
    mine = own(stage)
    assert reached_by_task(stage, *mine, far.api, *far.never) == list(mine)


def test_new_staging_shows_a_banner_and_keeps_its_own_address(stage: Instance) -> None:
    code, page = stage.odoo.get("/web/login")
    assert code == 200
    assert "o_mooring_copy" in page
    assert stage.odoo.parameter("web.base.url") == stage.status["url"]
    assert stage.odoo.parameter("web.base.url.freeze") == "True"
    active = stage.odoo.call("ir.cron", "search_count", [["active", "=", True]])
    assert active <= 1  # Odoo's own clean-up
    assert stage.status["environment"] == "Staging"


def test_mail_that_odoo_sends_ends_in_the_sink_and_outlives_its_process(stage: Instance) -> None:
    send(stage, "Order 7")
    (first,) = caught(stage)
    assert (first["subject"], first["from"]) == ("Order 7", "odoo@shop.example")
    assert {"customer@a.example", "b@c.example"} <= set(first["to"].replace(",", " ").split())
    place = stage.world.place
    place.remove_replica(stage.ref, "mail")
    stage.drive()
    eventually(lambda: stage.processes("mail") != [], within_s=60, what="the sink is back")
    send(stage, "Order 8")
    assert [one["subject"] for one in caught(stage)] == ["Order 7", "Order 8"]
    assert "Thank you." in stage.inside("mail", *READ_ARGV, "show", "2")


@pytest.mark.full
def test_way_that_the_spec_opens_is_the_only_one(stage: Instance, far: Far, place: EnginePlace) -> None:
    opened = stage.apply(neutralize={"allowEgress": [far.api]})
    # Where its relay looks the name up.
    place.cli("network", "connect", "--alias", API, "--alias", OTHER, child(stage.ref, "outbound"), far.container)
    mine = own(opened)
    for role in ("web", "cron"):
        found: list[str] = []
        for _ in range(5):  # with Podman a new relay's address is learnt within seconds
            found = reached(opened, role, *mine, far.api, *far.never)
            if far.api in found:
                break
            time.sleep(1)
        assert found == [*mine, far.api], role
    assert reached_by_task(opened, *mine, far.api, *far.never) == [*mine, far.api]
    shut = stage.apply()
    assert reached(shut, "web", far.api) == []


@pytest.mark.full
def test_update_of_staging_leaves_it_neutral(stage: Instance) -> None:
    stage.ask("OdooUpgradeJob", modules=["base"])
    assert stage.operations("Upgrade")[-1] == ("Upgrade", "Succeeded")
    assert "o_mooring_copy" in stage.odoo.get("/web/login")[1]
    assert stage.odoo.call("ir.cron", "search_count", [["active", "=", True]]) <= 1


@pytest.mark.full
def test_promotion_opens_the_network_and_takes_banner_and_sink_away(stage: Instance, far: Far) -> None:
    here = far.here
    assert here not in far.never or reached(stage, "web", here) == []
    stage.ask("Promote")
    assert stage.operations("Promote") == [("Promote", "Succeeded")]
    assert sorted(one.role for one in stage.processes()) == ["cron", "web"]
    for role in ("web", "cron"):
        assert reached(stage, role, here) == [here]
    assert reached_by_task(stage, here) == []  # tasks reach their database alone, in production too
    assert "o_mooring_copy" not in stage.odoo.get("/web/login")[1]
    assert stage.odoo.parameter("database.is_neutralized") == ""
    assert stage.odoo.parameter("mooring.neutralized") == ""
    assert stage.odoo.call("ir.mail_server", "search_count", []) == 0
    assert stage.status["environment"] == "Production"
    (result,) = stage.results("Promote", "promote-database")
    assert (result["banner"], result["baseUrl"]) == (True, stage.status["url"])
