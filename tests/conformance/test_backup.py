# SPDX-License-Identifier: Apache-2.0
"""Promises about backups: what comes back is what was there, and nothing that was there is lost on the way."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mooring.api.loader import load_documents
from mooring.control.accept import accept_manifests
from mooring.control.exports import export_instance
from mooring.domain.operations.backup import BACK_UP
from tests.conformance.conftest import make_copy
from tests.conformance.moments import every_moment, moment
from tests.conformance.world import NEXT, Instance, World

pytestmark = pytest.mark.real
REPOSITORY = "vault"


@pytest.fixture(scope="module")
def vault(world: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An encrypted repository in a folder of the engine's machine."""
    folder: Path = tmp_path_factory.mktemp("vault") / "repository"
    world.set_secret(REPOSITORY, passphrase="correct horse battery staple")
    spec = {
        "url": f"file://{folder}",
        "encryption": {"passphraseSecretRef": {"name": REPOSITORY, "key": "passphrase"}},
    }
    world.accept(world.manifest("BackupRepository", REPOSITORY, spec))
    return REPOSITORY


def back_up(instance: Instance) -> Mapping[str, Any]:
    """A backup; its result."""
    instance.ask("OdooBackupJob", repository=REPOSITORY)
    assert instance.operations("Backup")[-1][1] == "Succeeded", instance.failure("Backup")
    (*_, last) = instance.results("Backup", BACK_UP)
    return last


def test_backup_and_restore(copy: Instance, vault: str) -> None:
    """A restore brings back what the backup saw, keeps what was written since aside, and holds cron until it is released."""
    instance = copy.apply(backup={"repository": vault})
    first = instance.odoo.plant("before the backup")
    web = instance.processes("web")
    whole = back_up(instance)
    assert whole["state"] == "Complete"
    assert instance.processes("web") == web
    again = back_up(instance)
    assert again["sizes"]["stored"] < whole["sizes"]["stored"] / 5
    second = instance.odoo.plant("after the backup")

    instance.ask("OdooRestoreJob", source={"snapshot": whole["snapshot"]})
    assert instance.phase == "Running"
    instance.odoo.check(first)
    assert instance.odoo.lacks(second)
    assert instance.processes("cron") == []

    instance.ask("ReleaseHold")
    assert len(instance.processes("cron")) == 1

    instance.ask("Rollback")
    instance.odoo.check(first)
    instance.odoo.check(second)
    assert instance.status["lastBackup"]["snapshot"] == again["snapshot"]


@pytest.mark.full
@every_moment("Verify")
def test_drill(copy: Instance, vault: str, chance: random.Random, at: int) -> None:
    """A drill restores the newest backup on a server of its own, is cut, goes on and leaves nothing; users go on."""
    instance = copy.apply(backup={"repository": vault})
    first = instance.odoo.plant("in the snapshot of the drill")
    back_up(instance)
    web = instance.processes("web")
    instance.request("Verify", readData=100, restore=True)
    instance.killed("Verify", moment(chance, "Verify", at))
    instance.drive()
    assert instance.operations("Verify")[-1][1] == "Succeeded", instance.failure("Verify")
    last = instance.status["lastVerify"]
    assert (last["result"], last["scope"]) == ("Sound", "Restore")
    assert last["recoverySeconds"] > 0
    assert instance.processes("web") == web
    instance.odoo.check(first)
    left = instance.world.run(lambda services: services.target.inventory())
    assert [one for one in left if one.ref.kind.startswith("Drill")] == []


@every_moment("Restore")
def test_kill_during_restore(copy: Instance, vault: str, chance: random.Random, at: int) -> None:
    """A restore that was cut ends with the snapshot's data or with the data of before, and leaves nothing half built."""
    instance = copy.apply(backup={"repository": vault})
    first = instance.odoo.plant("in the snapshot")
    snapshot = back_up(instance)["snapshot"]
    second = instance.odoo.plant("not in the snapshot")
    instance.request("OdooRestoreJob", source={"snapshot": snapshot})
    instance.killed("Restore", moment(chance, "Restore", at))
    instance.drive()
    instance.odoo.check(first)
    assert instance.operations("Restore")[-1][1] == "Succeeded"
    assert instance.odoo.lacks(second)
    doc = instance.document
    assert doc is not None
    building = instance.world.server_sql(
        "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE '%building%'"
        f" AND shobj_description(oid, 'pg_database') LIKE '%{doc.id}%'"
    )
    assert building == []


def test_back_from_the_repository_alone(copy: Instance, vault: str) -> None:
    """After a purge the repository and its passphrase are enough: the same instance comes back, without another init."""
    instance = copy.apply(backup={"repository": vault})
    planted = instance.odoo.plant("survives a purge")
    back_up(instance)
    doc = instance.document
    assert doc is not None
    instance.delete(purge=True)

    job = instance.world.manifest(
        "OdooRestoreJob",
        f"{instance.name}-back",
        {"instanceRef": {"name": instance.name}, "source": {"snapshot": "latest", "repository": vault}},
    )
    text = f"{instance.manifest}---\n{job}".encode()
    instance.world.run(
        lambda services: accept_manifests(
            services, load_documents(text, source="test"), identities={instance.ref: doc.id}
        )
    )
    instance.drive()
    assert instance.phase == "Running"
    assert instance.operations("Init") == []
    instance.odoo.check(planted)


@pytest.mark.full
def test_archive_out_and_in(copy: Instance, vault: str, tmp_path: Path) -> None:
    """An instance goes out as Odoo's own zip while it runs; such a zip comes in beside its data, a copy or the real one."""
    instance = copy.apply(backup={"repository": vault})
    first = instance.odoo.plant("in the archive")
    before = instance.odoo.parameter("database.uuid")
    web, path = instance.processes("web"), tmp_path / "shop.zip"
    doc = instance.document
    assert doc is not None
    with path.open("wb") as file:
        said = instance.world.run(
            lambda services: export_instance(
                services, doc, form="zip", with_filestore=True, sink=file.write, timeout_s=600
            )
        )
    assert instance.processes("web") == web
    assert said["sizeBytes"] == path.stat().st_size
    second = instance.odoo.plant("not in the archive")

    instance.ask("OdooRestoreJob", source={"url": f"file://{path}"})
    assert instance.operations("Restore")[-1][1] == "Succeeded", instance.failure("Restore")
    instance.odoo.check(first)
    assert instance.odoo.lacks(second)
    assert instance.odoo.parameter("database.uuid") != before
    assert instance.odoo.parameter("database.is_neutralized")
    assert len(instance.processes("cron")) == 1  # nothing in it acts

    instance.ask("OdooRestoreJob", source={"url": f"file://{path}"}, mode="move")
    assert instance.operations("Restore")[-1][1] == "Succeeded", instance.failure("Restore")
    instance.odoo.check(first)
    assert instance.odoo.parameter("database.uuid") == before
    assert not instance.odoo.parameter("database.is_neutralized")
    assert instance.processes("cron") == []
    instance.ask("ReleaseHold")

    bad = tmp_path / "bad.zip"
    bad.write_bytes(path.read_bytes()[:-5000])
    instance.ask("OdooRestoreJob", source={"url": f"file://{bad}"})
    assert instance.failure("Restore")["code"] == "MOOR-570"
    instance.odoo.check(first)


@pytest.mark.full
def test_restore_of_an_older_release(world: World, shop: Instance, seed: str, vault: str) -> None:
    """A snapshot of the release before is updated beside, where its modules' files differ, before it takes its place."""
    before = make_copy(world, shop, seed, "older")
    try:
        planted = before.odoo.plant("in the snapshot")
        snapshot = back_up(before)["snapshot"]
        after = before.apply(image=NEXT, backup={"repository": vault})
        after.ask("OdooRestoreJob", source={"snapshot": snapshot})
        assert after.operations("Restore")[-1][1] == "Succeeded", after.failure("Restore")
        assert after.results("Restore", "hash-modules")[-1]["update"] == ["mooring_demo"]
        assert after.odoo.version() == "14.0.1.1.0"
        assert after.odoo.parameter("mooring_demo.migrated") == "14.0.1.0.0 to 14.0.1.1.0"
        after.odoo.check(planted)
    finally:
        world.place.clean(before.ref.namespace, before.name)
