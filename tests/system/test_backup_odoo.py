# SPDX-License-Identifier: Apache-2.0
"""A real Odoo 14 backed up, restored beside, and its zip given to Odoo's own database manager."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mooring.domain.work.backup import BackupArchive
from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseVerify
from mooring.domain.work.imports import (
    ArchiveReceive,
    ArchiveSource,
    DatabaseCreate,
    DatabaseLoad,
    FilestoreLoad,
    OdooManager,
)
from tests.conformance.odoo_client import Odoo, eventually
from tests.support.backup_world import PASSWORD, World, make_world
from tests.support.engine_server import Server, done, postgres, refused

pytestmark = pytest.mark.real
RESTORE = """
import sys, odoo
from odoo.tools import config
config.parse_config(["-c", "/tmp/odoo.conf", "--logfile=/dev/null"])
from odoo import api
with api.Environment.manage():
    odoo.service.db.restore_db(sys.argv[1], "/tmp/data/shop.zip", True)
"""
LOOK = """
import hashlib, sys, odoo
from odoo.tools import config
config.parse_config(["-c", "/tmp/odoo.conf", "--logfile=/dev/null"])
from odoo.modules.registry import Registry
from odoo import api
with api.Environment.manage(), Registry(sys.argv[1]).cursor() as cr:
    print("UID", odoo.service.common.exp_authenticate(sys.argv[1], "admin", "admin", {}))
    env = api.Environment(cr, 1, {})
    found = env["ir.attachment"].search(["|", ("res_field", "=", False), ("res_field", "!=", False)])
    stored = [one for one in found if one.store_fname]
    wrong = [one for one in stored if hashlib.sha1(one.raw).hexdigest() != one.checksum]
    print("FILES", len(stored), "WRONG", len(wrong))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("odoo"), "postgres:15") as found:
        yield found


def odoo(world: World, *argv: str, database: str | None = None) -> str:
    """Run a command in Odoo's image on the instance's data; what it printed."""
    conf = world.home / "odoo.conf"
    conf.write_text(
        f"[options]\ndb_host = {world.server.address}\ndb_port = 5432\ndb_user = {world.name}\n"
        f"db_password = {PASSWORD}\ndb_name = {database or world.name}\ndata_dir = /tmp/data\nlist_db = True\n"
    )
    conf.chmod(0o644)
    world.data.chmod(0o755)
    os.chown(world.data, 101, 101)
    mounts = ("-v", f"{conf}:/tmp/odoo.conf:ro", "-v", f"{world.data}:/tmp/data")
    command = ("docker", "run", "--rm", "--user", "101:101", *mounts, "odoo:14.0", *argv)
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


def test_real_odoo_comes_back_and_its_zip_restores_in_odoos_own_manager(server: Server, tmp_path: Path) -> None:
    world = make_world(server, tmp_path, fill=False)
    world.filestore.rmdir()
    world.filestore.parent.rmdir()
    odoo(
        world, "odoo", "-c", "/tmp/odoo.conf", "-i", "base,web", "--without-demo=all", "--stop-after-init", "--no-http"
    )
    said = odoo(world, "python3", "-c", LOOK, world.name)
    assert "UID 2" in said
    assert "WRONG 0" in said
    assert "FILES 0" not in said

    result = done(world.backup())
    assert (result["state"], result["missing"]) == ("Complete", 0)
    assert result["files"] > 10
    restored = done(world.restore())
    assert restored["tables"] > 80
    files = done(world.restore_files())
    assert files["linked"] == result["files"]
    done(DatabaseVerify(world.owner(), world.building, ("base", "web"), "14.0"))
    assert odoo(world, "python3", "-c", LOOK, world.building, database=world.building) == said
    done(world.swap())
    done(world.swap_files())
    assert odoo(world, "python3", "-c", LOOK, world.name) == said

    server.query(f"ALTER ROLE {world.name} CREATEDB")
    archive = BackupArchive(
        world.owner(), Fence("op-a", 1), world.instance, world.name, str(world.data / "shop.zip"), str(tmp_path / "s"),
        data_dir=str(world.data),
    )  # fmt: skip
    assert done(archive)["missing"] == 0
    (world.data / "shop.zip").chmod(0o644)
    copy = f"{world.name}_copy"
    odoo(world, "python3", "-c", RESTORE, copy, database=copy)
    assert odoo(world, "python3", "-c", LOOK, copy, database=copy) == said


@contextlib.contextmanager
def manager(world: World) -> Iterator[str]:
    """A real Odoo on the world's data, whose database manager hands out backups; its address."""
    odoo(world, "true")
    conf = world.home / "odoo.conf"
    conf.write_text(conf.read_text() + "admin_passwd = ma&ster\n")
    mounts = ("-v", f"{conf}:/tmp/odoo.conf:ro", "-v", f"{world.data}:/tmp/data")
    command = ("docker", "run", "-d", "--rm", "--user", "101:101", "-p", "127.0.0.1::8069", *mounts, "odoo:14.0")
    serve = ("odoo", "-c", "/tmp/odoo.conf", "--max-cron-threads=0")
    container = subprocess.run((*command, *serve), check=True, capture_output=True, text=True).stdout.strip()
    try:
        told = subprocess.run(("docker", "port", container, "8069/tcp"), check=True, capture_output=True, text=True)
        url = f"http://{told.stdout.split()[0]}"
        eventually(lambda: Odoo(url, world.name, "").answers(), within_s=180, what="the other Odoo")
        yield url
    finally:
        subprocess.run(("docker", "rm", "-f", container), check=False, capture_output=True)


@pytest.mark.full
def test_running_odoos_own_backup_is_brought_in(tmp_path: Path) -> None:
    """By Odoo's own database manager, with the pg_dump of its image, and loaded without psql."""
    with postgres(tmp_path, "postgres:13") as server:
        old, new = make_world(server, tmp_path / "old", fill=False), make_world(server, tmp_path / "new", fill=False)
        old.filestore.rmdir()
        old.filestore.parent.rmdir()
        odoo(old, "odoo", "-c", "/tmp/odoo.conf", "-i", "base", "--without-demo=all", "--stop-after-init", "--no-http")
        fence = Fence("op-r", 1, wait_s=5)
        with manager(old) as url:
            wrong, right = server.secret("wrong"), server.secret("ma&ster")
            receive = ArchiveReceive(
                fence,
                new.instance,
                str(new.data),
                new.name,
                ArchiveSource(odoo=OdooManager(url, old.name, wrong)),
                "14.0",
            )
            refused(receive, "MOOR-577")
            came = done(replace(receive, source=ArchiveSource(odoo=OdooManager(url, old.name, right))))
        said = odoo(old, "python3", "-c", LOOK, old.name)  # a page that was served left files behind
        assert "UID 2" in said
        assert (came["kind"], came["series"], came["serverMajor"], came["altered"]) == ("odoo-zip", "14.0", 13, 0)
        done(DatabaseCreate(server.connection(), fence, new.instance, new.name, new.name, came["serverMajor"]))
        loaded = done(
            DatabaseLoad(new.owner(), fence, new.instance, new.name, str(new.data), str(tmp_path / "scratch"))
        )
        assert loaded["tables"] > 80
        files = done(FilestoreLoad(fence, new.instance, str(new.data), new.name, new.owner()))
        assert (files["missing"], files["files"] > 5) == (0, True)
        done(new.swap())
        done(new.swap_files())
        assert odoo(new, "python3", "-c", LOOK, new.name) == said
