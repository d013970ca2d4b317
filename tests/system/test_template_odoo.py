# SPDX-License-Identifier: Apache-2.0
"""A template of a real Odoo 14: what it leaves is packed, copied to a stranger, unpacked, and served to its administrator."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseFinishInit, DatabaseInspect, DatabaseProvision
from mooring.domain.work.templates import (
    DatabaseFromTemplate,
    TemplateBegin,
    TemplatePack,
    TemplatePublish,
    template_building,
    template_database,
)
from tests.support.engine_server import Server, done, postgres

pytestmark = pytest.mark.real

IMAGE = "odoo:14.0"
TEMPLATE = "0123456789abcdef0123"
MAKER, OWNER = "maker-secret", "owner-secret"
NAME = "shop"
ASK = """
import sys, odoo
from odoo.tools import config
config.parse_config(["-c", "/tmp/odoo.conf", "--logfile=/dev/null"])
from odoo.modules.registry import Registry
from odoo import api
with api.Environment.manage(), Registry("shop").cursor() as cr:
    print("UID", odoo.service.common.exp_authenticate("shop", "admin", sys.argv[1], {}))
    env = api.Environment(cr, 1, {})
    files = env["ir.attachment"].search([("store_fname", "!=", False)])
    print("FILES", len(files), "LOST", sum(not one.raw for one in files))
    partner = env["res.partner"].create({"name": "First"})
    env["ir.attachment"].create({"name": "one", "raw": b"written later"})
    print("LANG", env.ref("base.user_admin").lang, partner.id > 0)
"""


@dataclass(frozen=True)
class Odoo:
    """Odoo's image with a configuration for one database, and a data folder that stays."""

    server: Server
    database: str
    user: str
    password: str
    data: Path

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its data folder comes in before and out after."""
        conf = self.server.folder / f"{self.database}.conf"
        conf.write_text(
            f"[options]\ndb_host = {self.server.address}\ndb_port = 5432\ndb_user = {self.user}\n"
            f"db_password = {self.password}\ndb_name = {self.database}\nlist_db = False\ndata_dir = /tmp/data\n"
        )
        conf.chmod(0o644)
        box = f"template-{uuid.uuid4().hex[:8]}"
        _docker("create", "--user", "0:0", "--name", box, IMAGE, *argv)  # the folder is whoever's runs the test
        try:
            _docker("cp", str(conf), f"{box}:/tmp/odoo.conf")
            _docker("cp", str(self.data), f"{box}:/tmp/data")
            ran = subprocess.run(
                ("docker", "start", "-a", box), capture_output=True, text=True, timeout=900, check=False
            )
            _docker("cp", f"{box}:/tmp/data/.", str(self.data))
        finally:
            _docker("rm", "-f", box)
        return ran


def _docker(*argv: str) -> None:
    subprocess.run(("docker", *argv), check=True, capture_output=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("secrets")) as found:
        yield found


def test_template_of_a_real_odoo_becomes_an_instance_that_serves_its_administrator(
    server: Server, tmp_path: Path
) -> None:
    admin = server.connection()
    made, shop = tmp_path / "made", tmp_path / "shop"
    made.mkdir()
    shop.mkdir()
    done(TemplateBegin(admin, Fence("run-1", 1), TEMPLATE, "here", server.secret(MAKER), {"release": IMAGE}))
    name, building = template_database(TEMPLATE), template_building(TEMPLATE)
    ran = Odoo(server, building, name, MAKER, made).run(
        "odoo", "-c", "/tmp/odoo.conf", "-i", "base", "--load-language=fr_FR", "--without-demo=all", "--stop-after-init",
        "--no-http",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    packed = done(TemplatePack(server.connection(name, MAKER), TEMPLATE, str(made), ("base",), "14.0"))
    assert packed["files"] > 0
    stock = done(TemplatePublish(admin, Fence("run-1", 1), TEMPLATE, "here", 5, 86_400, {"release": IMAGE}))
    assert [one["id"] for one in stock["templates"]] == [TEMPLATE]

    done(DatabaseProvision(admin, Fence("op-p", 1), "id-shop", NAME, NAME, server.secret(OWNER), "create"))
    copied = done(DatabaseFromTemplate(admin, Fence("op-1", 1), "id-shop", NAME, NAME, TEMPLATE))
    assert copied["install"] is False
    finish = DatabaseFinishInit(
        server.connection(NAME, OWNER), Fence("op-1", 1), "id-shop", NAME, ("base",), "14.0",
        server.secret("boss-secret"), language="fr_FR", unpack_into=str(shop),
    )  # fmt: skip
    assert done(finish)["login"] == "admin"
    assert done(DatabaseInspect(server.connection(NAME, OWNER), NAME))["initialized"] is True

    ran = Odoo(server, NAME, NAME, OWNER, shop).run("python3", "-c", ASK, "boss-secret")
    assert "UID 2" in ran.stdout, ran.stdout + ran.stderr[-3000:]
    assert "LOST 0" in ran.stdout, ran.stdout
    assert "LANG fr_FR True" in ran.stdout
    unlike = server.query("SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'", database=NAME)
    assert unlike[0][0]
    assert server.query(
        "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = %s", (name,), database=NAME
    ) == [(0,)]
