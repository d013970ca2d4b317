# SPDX-License-Identifier: Apache-2.0
"""The state directory is lost, and `adopt` goes on with what is on the machine: nothing is restarted, nothing is guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mooring.control.adopt import Adopted, recover
from mooring.control.adopt_records import learn_release, restore_records
from mooring.control.services import Services
from mooring.domain.instance.subject import PinnedRelease
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import Found
from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.drivers.secret_store import MissingSecret
from tests.scenario.machine import MachineTarget
from tests.scenario.secrets import MemorySecrets
from tests.scenario.world import SHOP, World, instance, manifest
from tests.support.memory_documents import MemoryDocuments

MAIN = Ref("DatabaseServer", "default", "main")


class FreshSecrets(MemorySecrets):
    """A new store: no value is known, and every version is another one."""

    def __init__(self) -> None:
        super().__init__()
        self.recalled: dict[tuple[SecretRef, str], tuple[str, str]] = {}

    async def version(self, ref: SecretRef, key: str) -> str:
        """Another one than before for the same value, but where it was recalled."""
        value = self.peek(SecretKey(ref, key)).reveal()
        known = self.recalled.get((ref, key))
        if known is not None and known[0] == value:
            return known[1]
        return hashlib.sha256(f"fresh {await super().version(ref, key)}".encode()).hexdigest()[:12]

    async def recall(self, key: SecretKey, value: SecretValue) -> bool:
        """See `SecretFiles.recall`."""
        if not key.version or self.peek(key) != value:
            return False
        self.recalled[key.ref, key.key] = (value.reveal(), key.version)
        return True


class Reader:
    """Reads back files of the replicas that are there."""

    def __init__(self, world: World, target: MachineTarget, lost: MemorySecrets) -> None:
        self.world, self.target, self.lost = world, target, lost

    async def inventory(self) -> Sequence[Found]:
        """See `Target.inventory`."""
        return await self.target.inventory()

    async def read_replica_file(self, ref: Ref, *, role: str, path: str) -> bytes | None:
        """With the values that were in force when the replica was made."""
        for box in self.world.sim.containers.values():
            if (box.ref, box.role) == (ref, role):
                for file in box.workload.files:
                    if file.path == path:
                        parts = (one if isinstance(one, str) else self.lost.peek(one).reveal() for one in file.parts)
                        return "".join(parts).encode()
        return None

    async def read_volume_file(self, ref: Ref, identity: Identity, *, role: str, path: str) -> bytes | None:
        """The superuser's password beside its data."""
        assert path
        assert identity.installation == "here"
        known = SecretKey(SecretRef(ref.namespace, f"{ref.name}-superuser"), "password")
        return self.lost.peek(known).reveal().encode() if role == "database" else None


async def lose_and_adopt(world: World) -> list[Adopted]:
    """Nothing is left but the machine; then `mooring adopt`."""
    lost, fresh = world.secrets, FreshSecrets()
    world.documents, world.secrets = MemoryDocuments(), fresh
    world.connect()
    services: Services = world.life()
    assert world.target is not None
    found = await world.target.inventory()
    adopted = await recover(
        found, Reader(world, world.target, lost), fresh, services.documents, installation=services.installation
    )

    async def learn(one: Found) -> PinnedRelease | None:
        return await learn_release(services, one)

    await restore_records(found, services.documents, learn, installation="here", now=world.clock.now())
    return [replace(one, recorded=await services.documents.get(one.ref) is not None) for one in adopted]


def processes(world: World) -> set[tuple[str, object]]:
    """Every replica with the time of its start."""
    return {(box.name, box.started_at) for box in world.sim.containers.values()}


async def test_first_pass_after_adoption_restarts_nothing(shop: World) -> None:
    before, effects = processes(shop), len(shop.sim.effects)
    adopted = await lose_and_adopt(shop)
    assert all(one.recorded and not one.lost for one in adopted)
    await shop.drive()
    assert processes(shop) == before
    assert not [text for text in shop.sim.effects[effects:] if "container" in text]
    assert await shop.phase() == "Running"
    assert await shop.operations() == []
    await shop.check_nothing_lost()


async def test_changed_secret_after_adoption_rolls_the_processes(shop: World) -> None:
    await lose_and_adopt(shop)
    await shop.drive()
    before = processes(shop)
    shop.secrets.put(SecretRef("default", "shop-odoo"), master_password="another")
    await shop.drive()
    assert processes(shop) != before


async def test_admin_password_that_odoo_never_got_is_not_made(shop: World) -> None:
    key = SecretKey(SecretRef("default", "shop-odoo"), "admin-password")
    assert shop.secrets.peek(key).reveal()
    await lose_and_adopt(shop)
    await shop.drive()
    await shop.apply(instance(image="odoo:14.0-next"))
    await shop.drive()
    with pytest.raises(MissingSecret):
        shop.secrets.peek(key)


async def test_stopped_instance_is_adopted_and_stays_stopped(shop: World) -> None:
    await shop.ask("Stop")
    await shop.drive()
    wrote = list(shop.machine.writes.get(SHOP, []))
    adopted = await lose_and_adopt(shop)
    assert all(one.recorded for one in adopted)
    await shop.drive()
    assert await shop.phase() == "Stopped"
    assert shop.running("web") == 0
    await shop.ask("Start")
    await shop.drive()
    assert await shop.phase() == "Running"
    assert set(wrote) <= set((await shop.current()).rows)
    await shop.check_rest()


async def test_rollback_is_possible_after_adoption(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-next"))
    await shop.drive()
    await lose_and_adopt(shop)
    await shop.drive()
    await shop.ask("Rollback")
    await shop.drive()
    known = (await shop.ledger()).release((await shop.ledger()).runs)
    assert known is not None
    assert known.release.source == "odoo:14.0"
    await shop.check_rest()


async def test_upgrade_that_failed_is_not_tried_again_after_adoption(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-bad-migrate"))
    assert await shop.rest() is not None
    await lose_and_adopt(shop)
    assert await shop.rest() is None or await shop.phase() == "UpgradeFailed"
    assert [one.type.value for one in await shop.operations()] == []
    assert await shop.phase() == "UpgradeFailed"


async def test_default_server_of_another_name_is_adopted_with_who_uses_it(world: World) -> None:
    await world.bring_up(manifest("DatabaseServer", "main", default=True, managed={"version": 16}), instance())
    before = processes(world)
    adopted = await lose_and_adopt(world)
    assert {one.ref for one in adopted if one.recorded} == {MAIN, SHOP}
    await world.drive()
    assert (await world.doc(MAIN)).spec == {"default": True, "managed": {"version": 16}}
    assert [one.ref for one in await world.documents.list("DatabaseServer")] == [MAIN]
    assert processes(world) == before


async def test_instance_whose_data_was_being_changed_is_left_to_a_person(shop: World) -> None:
    await shop.apply(instance(image="odoo:14.0-next"))
    services = shop.life()
    from mooring.control.reconcile import reconcile

    for _ in range(200):
        await reconcile(services, SHOP)
        await shop.clock.sleep(0.2)
        if not shop.running("web") and not shop.running("cron") and shop.sim.running_tasks(SHOP):
            break
    adopted = {one.ref: one for one in await lose_and_adopt(shop)}
    assert not adopted[SHOP].recorded
    assert adopted[SHOP].unfinished.startswith("Upgrade shop-")


async def test_deleted_instance_does_not_come_back_by_adoption(shop: World) -> None:
    await shop.delete()
    await shop.drive()
    adopted = {one.ref: one for one in await lose_and_adopt(shop)}
    assert not adopted[SHOP].recorded
    assert adopted[SHOP].volumes == ("filestore",)
