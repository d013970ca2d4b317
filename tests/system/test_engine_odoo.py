# SPDX-License-Identifier: Apache-2.0
"""The engine beside a real Odoo 14: what `-i` leaves is proved, finished and served."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.domain.task import read_messages
from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseFinishInit, DatabaseInspect, DatabaseProvision, DatabaseVerify
from mooring.domain.work.errors import NotOdoo
from mooring.domain.work.release_probe import SCRIPT, parse_release_probe
from mooring.domain.work.serve_probe import render_odoo_argv, render_probe_argv
from tests.support.engine_server import Server, done, postgres, refused

pytestmark = pytest.mark.real

IMAGE = "odoo:14.0"
NAME = "shop"
PASSWORD = "owner-secret"
AUTHENTICATE = """
import sys, odoo
from odoo.tools import config
config.parse_config(["-c", "/tmp/odoo.conf", "--logfile=/dev/null"])
from odoo.modules.registry import Registry
from odoo import api
with api.Environment.manage(), Registry(sys.argv[1]).cursor() as cr:
    print("UID", odoo.service.common.exp_authenticate(sys.argv[1], sys.argv[2], sys.argv[3], {}))
    env = api.Environment(cr, 1, {})
    print("COMPANY", env.company.country_id.code, env.company.currency_id.name, env.ref("base.user_admin").lang)
"""


def odoo(server: Server, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command in Odoo's image, with a configuration for the server."""
    conf = server.folder / "odoo.conf"
    conf.write_text(
        f"[options]\ndb_host = {server.address}\ndb_port = 5432\ndb_user = {NAME}\ndb_password = {PASSWORD}\n"
        f"db_name = {NAME}\nlist_db = False\ndbfilter = ^{NAME}$\ndata_dir = /tmp/data\n"
    )
    conf.chmod(0o644)
    name = subprocess.run(
        ("docker", "create", "--rm", "--user", "101:101", IMAGE, *argv), check=True, capture_output=True, text=True
    ).stdout.strip()
    subprocess.run(("docker", "cp", str(conf), f"{name}:/tmp/odoo.conf"), check=True, capture_output=True)
    return subprocess.run(("docker", "start", "-a", name), capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("odoo")) as found:
        done(
            DatabaseProvision(
                found.connection(), Fence("op-init", 1), "id-shop", NAME, NAME, found.secret(PASSWORD), "create"
            )
        )
        ran = odoo(
            found, "odoo", "-c", "/tmp/odoo.conf", "-i", "base", "--load-language=fr_FR", "--without-demo=all",
            "--stop-after-init", "--no-http",
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-3000:]
        yield found


def verify(server: Server, *expect: str, series: str | None = None) -> DatabaseVerify:
    return DatabaseVerify(server.connection(NAME, PASSWORD), NAME, expect, series)


def finish(server: Server, **changes: str | bool) -> DatabaseFinishInit:
    document = DatabaseFinishInit(server.connection(NAME, PASSWORD), Fence("op-init", 1), "id-shop", NAME)
    return dataclasses.replace(document, **changes)  # type: ignore[arg-type]  # the fields' types differ


def test_inspect_of_a_real_odoo_tells_its_modules(server: Server) -> None:
    facts = done(DatabaseInspect(server.connection(NAME, PASSWORD), NAME))
    assert (facts["initialized"], facts["series"], facts["pendingModules"]) == (True, "14.0", [])
    assert facts["modules"]["base"]["state"] == "installed"
    assert facts["modules"]["base"]["version"].startswith("14.0.")
    assert "sale" not in facts["modules"]


def test_verify_of_what_odoo_installed_passes(server: Server) -> None:
    assert done(verify(server, "base", "web", series="14.0"))["initialized"] is True


def test_verify_names_everything_that_is_wrong(server: Server) -> None:
    fault = refused(verify(server, "sale", "sael", series="15.0"), "MOOR-428")
    assert "Module sael is unknown" in fault["details"]
    assert "Module sale is uninstalled" in fault["details"]
    assert "Odoo 14.0, not 15.0" in fault["details"]


def test_verify_of_a_module_in_between_fails(server: Server) -> None:
    server.query("UPDATE ir_module_module SET state = 'to install' WHERE name = 'sale'", database=NAME)
    try:
        assert "sale (to install)" in refused(verify(server), "MOOR-428")["brief"]
    finally:
        server.query("UPDATE ir_module_module SET state = 'uninstalled' WHERE name = 'sale'", database=NAME)


def test_finish_init_lets_the_administrator_in_with_the_new_password(server: Server) -> None:
    document = finish(
        server, admin_password_file=server.secret("s3cret pässword"), admin_login="boss", language="fr_FR", country="CH",
        base_url="https://shop.example", freeze_base_url=True, report_url="http://127.0.0.1:8069",
    )  # fmt: skip
    server.query("UPDATE res_partner SET lang = 'en_US'", database=NAME)
    made = done(document)
    assert made["login"] == "boss"
    assert {"password", "login", "language", "country", "web.base.url", "report.url"} <= set(made["changed"])
    assert done(document)["changed"] == []
    ran = odoo(server, "python3", "-c", AUTHENTICATE, NAME, "boss", "s3cret pässword")
    assert "UID 2" in ran.stdout, ran.stdout + ran.stderr[-2000:]
    assert "COMPANY CH CHF fr_FR" in ran.stdout
    ran = odoo(server, "python3", "-c", AUTHENTICATE, NAME, "boss", "admin")
    assert "UID False" in ran.stdout


def test_finish_init_with_what_is_not_there_names_all_and_changes_nothing(server: Server) -> None:
    document = finish(server, language="de_DE", country="XX", base_url="https://other.example")
    fault = refused(document, "MOOR-430")
    assert "de_DE" in fault["brief"]
    assert "XX" in fault["brief"]
    rows = server.query("SELECT 1 FROM ir_config_parameter WHERE value = 'https://other.example'", database=NAME)
    assert rows == []


def test_finish_init_proves_what_odoo_did_before_it_sets_anything(server: Server) -> None:
    document = finish(server, base_url="https://unproved.example")
    fault = refused(dataclasses.replace(document, expect=("base", "sael"), series="14.0"), "MOOR-428")
    assert "Module sael is unknown" in fault["details"]
    assert (
        server.query("SELECT 1 FROM ir_config_parameter WHERE value = 'https://unproved.example'", database=NAME) == []
    )
    made = done(dataclasses.replace(document, expect=("base", "web"), series="14.0"))
    assert (made["initialized"], made["series"], made["login"]) == (True, "14.0", "boss")


def test_finish_init_of_no_odoo_is_refused(server: Server, tmp_path: Path) -> None:
    document = dataclasses.replace(finish(server), connection=server.connection(), database="postgres")
    refused(document, "MOOR-429")


def test_release_probe_of_odoo_and_of_another_image() -> None:
    def probe(image: str) -> str:
        argv = ("docker", "run", "--rm", "--network=none", "--user=65532:65532", image, "sh", "-c", SCRIPT)
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    facts = parse_release_probe(probe(IMAGE))
    assert (facts.series, facts.uid, facts.program, facts.python) == ("14.0", 101, "/usr/bin/odoo", "3.9")
    assert facts.core_addons.endswith("/addons")
    with pytest.raises(NotOdoo):
        parse_release_probe(probe("postgres:17"))


def test_serve_probe_of_a_good_database_serves(server: Server) -> None:
    command = render_probe_argv(
        render_odoo_argv("odoo", "/tmp/odoo.conf", database=NAME, port=8075),
        port=8075,
        deadline_s=90,
        evented=8076,
        evented_option="--longpolling-port",
        pdf=True,
    )
    ran = odoo(server, *command)
    assert ran.returncode == 0, ran.stdout[-3000:]
    result = read_messages(ran.stdout.splitlines()).result
    assert (result["serves"], result["evented"], result["pdf"]) == (True, True, True)


def test_serve_probe_of_an_evented_process_that_listens_elsewhere_says_so(server: Server) -> None:
    command = render_probe_argv(
        render_odoo_argv("odoo", "/tmp/odoo.conf", database=NAME, port=8075),
        port=8075,
        deadline_s=20,
        evented=8076,
        evented_option="--http-port",
    )
    ran = odoo(server, *command)
    fault = read_messages(ran.stdout.splitlines()).error
    assert fault is not None
    assert fault["code"] == "MOOR-593"


@pytest.mark.parametrize(
    ("database", "deadline_s", "says"),
    [
        pytest.param("nowhere", 15, "redirection to the database manager", id="database that is not there"),
        pytest.param(NAME, 0, "within 0 seconds", id="deadline"),
    ],
)
def test_serve_probe_of_a_bad_start_ends_with_the_log(
    server: Server, database: str, deadline_s: int, says: str
) -> None:
    odoo_argv = render_odoo_argv("odoo", "/tmp/odoo.conf", database=database, port=8075)
    ran = odoo(server, *render_probe_argv(odoo_argv, port=8075, deadline_s=deadline_s))
    assert ran.returncode == 1
    fault = read_messages(ran.stdout.splitlines()).error
    assert fault is not None
    assert fault["code"] == "MOOR-441"
    assert says in fault["brief"]


def test_serve_probe_of_a_program_that_dies_says_so(server: Server) -> None:
    ran = odoo(server, *render_probe_argv(("sh", "-c", "echo the reason; exit 3"), port=8075, deadline_s=20))
    fault = read_messages(ran.stdout.splitlines()).error
    assert fault is not None
    assert "exit code 3" in fault["brief"]
    assert "the reason" in fault["details"]
