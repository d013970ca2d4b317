# SPDX-License-Identifier: Apache-2.0
"""Several instances, several controllers, and a world that shows old or doubled things."""

from __future__ import annotations

import asyncio
import http.server
import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mooring.control.drive import drive
from mooring.control.errors import OperationFailed
from mooring.control.lead_server import lead_server
from mooring.control.reconcile import reconcile
from mooring.control.services import Services
from mooring.domain.instance.tasks import generated_secret
from mooring.domain.model.identity import Ref, child
from mooring.domain.model.secret import SecretRef
from mooring.domain.operations.plan import OperationType
from mooring.drivers.locks import AgentLock, InstanceLock
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.sqlite_documents import SqliteDocuments
from mooring.errors import TimeoutExceeded
from tests.scenario.data import Database, Postgres, Role
from tests.scenario.machine import digest, kind_of
from tests.scenario.world import DEFAULT_SERVER, SHOP, World, instance, manifest, repository

BLOG = Ref("OdooInstance", "default", "blog")
NEXT = instance(image="odoo:14.0-next")


def containers(world: World, role: str) -> list[str]:
    """Every replica of a role that was ever started."""
    return [one.name for one in world.sim.timeline if one.what == "started" and one.role == role]


# Servers


async def test_two_instances_share_one_default_server_with_a_database_and_role_each(world: World) -> None:
    await world.bring_up(instance("shop"), instance("blog"))
    servers = await world.documents.list("DatabaseServer")
    assert [one.ref for one in servers] == [DEFAULT_SERVER]
    (server,) = world.machine.servers()
    owners = {name: one.owner for name, one in server.databases.items()}
    assert len(owners) == 2
    assert len(set(owners.values())) == 2
    await world.check_rest(SHOP)
    await world.check_rest(BLOG)


async def test_default_server_is_made_once_although_two_instances_ask_at_the_same_moment(world: World) -> None:
    await world.apply(instance("shop"), instance("blog"))
    results = await asyncio.gather(world.drive(SHOP), world.drive(BLOG))
    assert [one.phase for one in results] == ["Running", "Running"]
    assert len(await world.documents.list("DatabaseServer")) == 1
    assert containers(world, "database") == [f"{child(DEFAULT_SERVER, 'database')}-0"]


async def test_another_default_server_is_for_new_instances_and_moves_none(world: World) -> None:
    await world.bring_up()
    rows = (await world.current()).rows
    await world.apply(
        manifest("DatabaseServer", "another", default=True, managed={"version": 16}),
        manifest("DatabaseServer", "default", managed={}),
    )
    assert await world.rest() is None
    await world.check_rest()
    assert (await world.current()).rows is rows
    assert (await world.doc()).status["database"]["server"] == "default"
    await world.bring_up(instance("blog"))
    assert (await world.doc(BLOG)).status["database"]["server"] == "another"


async def test_deletion_of_one_instance_leaves_the_other_and_the_server(world: World) -> None:
    await world.bring_up(instance("shop"), instance("blog"))
    rows = list((await world.current(BLOG)).rows)
    await world.delete(purge=True)
    assert (await world.drive()).gone
    assert world.running("web", BLOG) == 1
    assert set(rows) <= set((await world.current(BLOG)).rows)
    assert await world.rest(BLOG) is None
    await world.check_rest(BLOG)


async def test_server_applied_by_itself_is_led_to_running(world: World) -> None:
    await world.apply(manifest("DatabaseServer", "main", managed={"version": 16}))
    ref = Ref("DatabaseServer", "default", "main")
    assert await lead_server(world.life(), ref, timeout_s=60) == "Running"
    assert world.running("database", ref) == 1


async def test_server_held_by_another_process_is_only_looked_at(shop: World) -> None:
    shop.sim.end(f"{child(DEFAULT_SERVER, 'database')}-0")
    with InstanceLock(shop.locks, DEFAULT_SERVER).acquire(command="other", now=shop.clock.now()):
        await shop.passes(3)
        assert shop.running("database", DEFAULT_SERVER) == 0
        assert await shop.phase() == "Degraded"
    assert await shop.rest() is None
    assert shop.running("database", DEFAULT_SERVER) == 1


async def test_external_database_needs_no_administrator(world: World) -> None:
    external = {"host": "db.example.com", "secretRef": {"name": "mydb"}}
    world.secrets.put(SecretRef("default", "mydb"), user="me", password="pw", dbname="mine")
    server = Postgres(roles={"me": Role(None, "pw")})
    server.databases["mine"] = Database("me")
    world.machine.external["db.example.com"] = server
    await world.bring_up(instance(database={"external": external}))
    await world.check_rest()
    assert not await world.documents.list("DatabaseServer")
    # An upgrade would need a copy that nobody here may make: it is refused before anything stops.
    boxes = containers(world, "web")
    await world.apply(instance(image="odoo:14.0-next", database={"external": external}))
    error = await world.rest()
    assert isinstance(error, OperationFailed)
    assert "safety copy" in str(error)
    assert containers(world, "web") == boxes
    await world.passes(5)
    assert len([one for one in await world.operations() if one.type is OperationType.UPGRADE]) == 1
    await world.delete(purge=True)
    assert (await world.drive()).gone
    assert "mine" in server.databases


# Locks


async def test_second_drive_follows_the_first_and_ends_when_it_ends(world: World) -> None:
    await world.apply(instance())
    first, second = await asyncio.gather(world.drive(), world.drive())
    assert (first.phase, second.phase) == ("Running", "Running")
    assert any("following" in one.text for one in world.events)
    assert len(await world.operations()) == 2


async def test_second_drive_raises_what_the_first_fails_with(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-bad-probe"))
    results = await asyncio.gather(shop.drive(), shop.drive(), return_exceptions=True)
    assert [type(one) for one in results] == [OperationFailed, OperationFailed]


async def test_drive_with_an_agent_alive_only_follows(world: World) -> None:
    await world.apply(instance())
    with AgentLock(world.locks).acquire(command="agent", now=world.clock.now()):
        effects = len(world.sim.effects)
        with pytest.raises(TimeoutExceeded):
            await world.drive(timeout_s=5)
        assert len(world.sim.effects) == effects
        services = world.life()

        async def agent() -> None:
            while not (await reconcile(services, SHOP)).settled:
                await world.clock.sleep(0.3)

        _, result = await asyncio.gather(agent(), world.drive(timeout_s=600))
        assert result.phase == "Running"


async def test_drive_that_times_out_is_resumed_by_the_next(shop: World) -> None:
    await shop.apply(NEXT)
    with pytest.raises(TimeoutExceeded):
        await shop.drive(timeout_s=1.5)
    assert await shop.rest() is None
    assert (await shop.picture()).runs == digest("odoo:14.0-next")
    assert len([one for one in await shop.operations() if one.type is OperationType.UPGRADE]) == 1


async def test_paused_instance_is_not_touched(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-next", paused=True, replicas=3))
    effects = len(shop.sim.effects)
    for box in shop.sim.running(SHOP, "cron"):
        shop.sim.drop(box.name)
    result = await shop.drive()
    assert (result.phase, result.settled) == ("Paused", True)
    assert len(shop.sim.effects) == effects
    await shop.apply(instance(image="odoo:14.0-next", replicas=2))
    assert await shop.rest() is None
    assert (shop.running("web"), shop.running("cron")) == (2, 1)


# A world that shows old or doubled things


@pytest.mark.parametrize("flaw", ["", "-bad-probe"])
async def test_stale_observations_never_let_a_barrier_pass(shop: World, flaw: str) -> None:
    release = f"odoo:14.0{flaw}" if flaw else "odoo:14.0-next"
    await shop.apply(instance(image=release))
    services = shop.life()
    assert shop.target is not None
    for number in range(400):
        shop.target.stale_reads(number % 7)
        if (await reconcile(services, SHOP)).settled:
            break
        await shop.clock.sleep(0.2)
    else:
        raise AssertionError("it never ends")
    await shop.check_rest()  # that nothing ran beside a task, `Machine.watch` says
    await shop.check_nothing_lost()


async def test_stale_documents_never_start_anything_twice(shop: World) -> None:
    await shop.apply(NEXT)
    services = shop.life()
    for number in range(600):
        shop.documents.stale_reads = number % 3
        if (await reconcile(services, SHOP)).settled and number > 60:
            break
        await shop.clock.sleep(0.2)
    shop.documents.stale_reads = 0
    assert await shop.rest() is None
    assert len([one for one in await shop.operations() if one.type is OperationType.UPGRADE]) == 1
    await shop.check_rest()


async def test_every_effect_done_twice_changes_nothing(world: World) -> None:
    await world.apply(instance(replicas=2))
    services = world.life()
    assert world.target is not None
    world.target.duplicates = True
    result = await drive(services, SHOP, command="test", timeout_s=600)
    assert result.phase == "Running"
    assert (world.running("web"), world.running("cron")) == (2, 1)
    await world.check_rest()


async def test_lost_races_are_run_again(shop: World) -> None:
    await shop.apply(NEXT)
    services = shop.life()
    for number in range(600):
        shop.documents.conflicts = 1 if number % 3 == 0 else 0
        try:
            if (await reconcile(services, SHOP)).settled:
                break
        finally:
            shop.documents.conflicts = 0
        await shop.clock.sleep(0.2)
    assert (await shop.picture()).runs == digest("odoo:14.0-next")
    await shop.check_rest()


async def test_engine_that_is_away_for_a_while_is_waited_for(shop: World) -> None:
    await shop.apply(NEXT)
    services = shop.life()
    target = shop.target
    assert target is not None

    async def away() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        target.unreachable = True
        for _ in range(20):
            await asyncio.sleep(0)
        target.unreachable = False

    _, result = await asyncio.gather(away(), drive(services, SHOP, command="test", timeout_s=600))
    assert result.phase == "Running"
    await shop.check_rest()


# Changes that roll


async def test_changed_configuration_rolls_every_process_once(shop: World) -> None:
    before = len(containers(shop, "web")), len(containers(shop, "cron"))
    await shop.apply(instance(configOptions={"limit_time_real": 600}))
    assert await shop.rest() is None
    assert await shop.rest() is None
    assert (len(containers(shop, "web")), len(containers(shop, "cron"))) == (before[0] + 1, before[1] + 1)


async def test_nothing_to_do_does_nothing(shop: World) -> None:
    await shop.apply(instance())
    version, effects = (await shop.doc()).version, len(shop.sim.effects)
    for _ in range(3):
        assert await shop.rest() is None
    assert len(shop.sim.effects) == effects
    assert (await shop.doc()).version == version


async def test_rotated_owner_password_is_set_once_and_rolls_the_processes_once(shop: World) -> None:
    before = len(containers(shop, "web")), len(containers(shop, "cron"))
    shop.secrets.put(generated_secret(SHOP, "database"), password="a-new-one")
    assert await shop.rest() is None
    assert await shop.rest() is None
    kinds = [one.type for one in await shop.operations()]
    assert kinds.count(OperationType.PROVISION) == 2
    (server,) = shop.machine.servers()
    assert "a-new-one" in [role.password for role in server.roles.values()]
    assert (len(containers(shop, "web")), len(containers(shop, "cron"))) == (before[0] + 1, before[1] + 1)
    await shop.check_rest()


@pytest.mark.parametrize(
    ("verb", "task"),
    [
        pytest.param("release", "database-safety-copy", id="upgrade, while it copies"),
        pytest.param("release", "update", id="upgrade, while it migrates"),
        pytest.param("release", "probe", id="upgrade, while it probes"),
        pytest.param("bad", "update", id="upgrade that goes back"),
        pytest.param("Restart", "", id="restart"),
        pytest.param("Rollback", "database-return", id="rollback"),
        pytest.param("Restore", "database-restore", id="restore, while it builds"),
        pytest.param("Restore", "filestore-swap", id="restore, while it swaps"),
        pytest.param("Backup", "backup", id="backup"),
    ],
)
async def test_owner_password_rotated_during_an_operation_is_taken_up_between_two_steps(
    shop: World, verb: str, task: str
) -> None:
    await shop.apply(repository(), instance(backup={"repository": "nas"}))
    await shop.ask("Backup", repository="nas")
    assert await shop.rest() is None
    if verb == "Rollback":
        await shop.ask("Restart")
        await shop.apply(instance(image="odoo:14.0-next", backup={"repository": "nas"}))
        assert await shop.rest() is None
    match verb:
        case "release":
            await shop.apply(instance(image="odoo:14.0-next", backup={"repository": "nas"}))
        case "bad":
            await shop.apply(instance(image="odoo:14.0-bad-migrate", backup={"repository": "nas"}))
        case "Restore":
            await shop.ask(verb, source={"snapshot": "latest"})
        case "Backup":
            await shop.ask(verb, repository="nas")
        case _:
            await shop.ask(verb)
    services = shop.life()
    for _ in range(400):
        await reconcile(services, SHOP)
        runs = [kind_of(one) for one in shop.sim.running_tasks() if one.argv[0] != "sh"]
        if task in runs or (not task and any(one.phase == "Running" for one in await shop.operations())):
            break
        await shop.clock.sleep(0.1)
    else:
        raise AssertionError(f"no {task}")
    shop.secrets.put(generated_secret(SHOP, "database"), password="a-new-one")
    began = shop.clock.monotonic()
    error = await shop.rest()
    assert (error is None) == (verb != "bad"), error
    assert shop.clock.monotonic() - began < 120
    last = [one.phase for one in await shop.operations() if one.type is not OperationType.PROVISION][-1]
    assert last == ("Failed" if verb == "bad" else "Succeeded")
    (server,) = shop.machine.servers()
    assert "a-new-one" in [role.password for role in server.roles.values()]
    assert shop.running("web") == 1
    await shop.check_rest()


async def test_scaling_changes_only_what_is_asked_for(shop: World) -> None:
    await shop.apply(instance(replicas=3))
    assert await shop.rest() is None
    assert shop.running("web") == 3
    assert len(containers(shop, "cron")) == 1
    await shop.apply(instance(replicas=1))
    assert await shop.rest() is None
    assert (shop.running("web"), len(containers(shop, "web"))) == (1, 3)


async def test_stop_holds_through_apply_and_reboot_until_start(shop: World) -> None:
    await shop.ask("Stop")
    assert await shop.rest() is None
    await shop.apply(instance(configOptions={"limit_time_real": 600}))
    shop.sim.reboot()
    assert await shop.rest() is None
    assert (await shop.phase(), len(shop.sim.running(SHOP))) == ("Stopped", 0)
    await shop.ask("Start")
    assert await shop.rest() is None
    assert (await shop.phase(), shop.running("web")) == ("Running", 1)


async def test_deletion_that_fails_is_said_and_not_repeated_without_a_pause(shop: World) -> None:
    from mooring.domain.work.errors import DatabaseInUse

    shop.machine.fail_next += [("database-drop", DatabaseInUse("somebody is connected"))] * 6
    await shop.delete(purge=True)
    error = await shop.rest()
    assert error is not None
    assert "somebody is connected" in str(error)
    deletions = [one for one in await shop.operations() if one.type is OperationType.DELETE]
    assert len(deletions) == 1
    await shop.passes(3, step_s=0.5)
    assert len([one for one in await shop.operations() if one.type is OperationType.DELETE]) == 1
    assert await shop.rest() is not None  # a person asks again
    assert (await shop.drive()).gone


# Notifications


class _Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked += 1
        refuse = server.asked in server.refuse
        if not refuse:
            server.got.append((self.headers["X-Mooring-Delivery"], body, self.headers.get("X-Mooring-Signature")))
        self.send_response(503 if refuse else 204)
        self.end_headers()

    def log_message(self, *_: Any, **__: Any) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Any]:
    server: Any = http.server.HTTPServer(("127.0.0.1", 0), _Receiver)
    server.got, server.asked, server.refuse = [], 0, set()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


async def test_every_change_of_phase_is_told_once_and_in_order(world: World, receiver: Any) -> None:
    world.secrets.put(SecretRef("default", "hook"), token="t0ken")
    hook = {
        "url": f"http://127.0.0.1:{receiver.server_port}/x",
        "secretTokenSecretRef": {"name": "hook", "key": "token"},
    }
    receiver.refuse = {2, 3}
    await world.bring_up(instance(webhook=hook))
    for _ in range(10):
        await world.clock.sleep(30)
        await world.rest()
    ids = [one[0] for one in receiver.got]
    assert len(ids) == len(set(ids))
    phases = [(one[1]["previousPhase"], one[1]["phase"]) for one in receiver.got if "phase" in one[1]]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(phases)), phases
    assert phases[-1][1] == "Running"
    assert {"Provisioning", "Initializing"} <= {one[1] for one in phases}
    times = [one[1]["time"] for one in receiver.got]
    assert times == sorted(times)
    assert all(one[2] for one in receiver.got)
    assert not (await world.doc()).status["notifications"]
    count = len(receiver.got)
    await world.rest()
    assert len(receiver.got) == count


async def test_receiver_that_is_away_holds_nothing_up(world: World) -> None:
    await world.bring_up(instance(webhook={"url": "http://127.0.0.1:9/"}))
    assert await world.phase() == "Running"
    assert (await world.doc()).status["notifications"]


# The real stores


async def test_one_life_over_the_real_stores(tmp_path: Path) -> None:
    world = World(tmp_path)
    secrets = SecretFiles(tmp_path / "secrets")
    documents = await SqliteDocuments.open(tmp_path / "state.db", clock=world.clock)
    world.machine.password = lambda key: secrets._value(key.ref, key.key).reveal()
    life = world.life

    def real() -> Services:
        from dataclasses import replace

        from tests.scenario.machine import MachineTarget

        services = life()
        target = MachineTarget(world.sim, secrets=secrets, installation="here")
        target.machine = world.machine
        return replace(services, documents=documents, secrets=secrets, target=target)

    world.life = real  # type: ignore[method-assign]  # the same world, other stores
    world.documents = documents  # type: ignore[assignment]
    try:
        await world.bring_up()
        await world.apply(NEXT)
        assert await world.rest() is None
        await world.check_rest()
        await world.apply(instance(image="odoo:14.0-bad-verify"))
        assert isinstance(await world.rest(), OperationFailed)
        await world.check_rest()
        await world.check_nothing_lost()
        await world.delete(purge=True)
        assert (await world.drive()).gone
        assert not [one for one in await secrets.list() if one.name.startswith("shop")]
    finally:
        await documents.close()
