# SPDX-License-Identifier: Apache-2.0
"""Neutralizing a real Odoo 14 with the usual add-ons: nothing is alive, nothing can be sent, and people see what it is."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from mooring.domain.task import read_messages
from mooring.domain.work.common import Fence
from mooring.domain.work.database import DatabaseProvision
from mooring.domain.work.neutralize import ReleaseCode, unpack_code
from mooring.domain.work.neutralize_script import render_neutralize_argv
from tests.support.engine_server import Server, done, postgres, refused
from tests.support.neutralize_world import (
    INSTANCE,
    OWNER,
    PASSWORD,
    URL,
    Wake,
    build,
    cancel,
    count,
    mark,
    neutralize,
    pack,
    parameter,
    run,
    verify,
)

pytestmark = pytest.mark.real

IMAGE = "odoo:14.0"
ADDONS = "/usr/lib/python3/dist-packages/odoo/addons"
MODULES = (
    "mail,fetchmail,calendar,google_calendar,microsoft_calendar,sms,base_automation,sale_management,payment_stripe,"
    "mass_mailing,delivery,auth_oauth,website,snailmail"
)
SEND = """
import sys, odoo
from odoo.tools import config
config.parse_config(["-c", "/tmp/odoo.conf", "--logfile=/dev/null"])
from odoo import api
with api.Environment.manage(), odoo.registry(sys.argv[1]).cursor() as cr:
    env = api.Environment(cr, 1, {})
    mail = env["mail.mail"].create({"email_to": "a@b.example", "email_from": "c@d.example", "subject": "x"})
    mail.send()
    print("SENT", mail.state)
    print("TEMPLATES", env["mail.template"].search_count([("mail_server_id", "!=", False)]))
    print("ACQUIRERS", env["payment.acquirer"].search_count([("state", "=", "enabled")]))
"""
PAGE = """
import http.client, subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(240):
    try:
        link = http.client.HTTPConnection("127.0.0.1", 8069, timeout=30)
        link.request("GET", "/web/login")
        answer = link.getresponse()
        print(answer.status, answer.read().decode())
        break
    except OSError:
        time.sleep(0.5)
child.terminate()
"""
# OCA's queue_job 14.0, the columns that matter.
QUEUE_JOB = (
    "CREATE TABLE queue_job (id serial PRIMARY KEY, uuid varchar NOT NULL, name varchar, state varchar NOT NULL,"
    " date_created timestamp, date_cancelled timestamp)"
)
_UTC = "now() AT TIME ZONE 'UTC'"
WAKE: Mapping[str, Wake] = {
    "cron": Wake(
        "UPDATE ir_cron SET active = true WHERE cron_name = 'Mail: Email Queue Manager'", "Email Queue Manager"
    ),
    "mail-server": Wake(
        "INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_pass, active)"
        " VALUES ('live', 'smtp.example', 25, 'none', 'pw', true)",
        "mail server live leads to smtp.example",
    ),
    "template": Wake(
        "UPDATE mail_template SET mail_server_id = (SELECT max(id) FROM ir_mail_server WHERE smtp_host = 'smtp.example')",
        "mail_template use an outgoing mail server",
    ),
    "fetchmail": Wake(
        "INSERT INTO fetchmail_server (name, server_type, active, state, password)"
        " VALUES ('in', 'imap', true, 'done', 'pw')",
        "incoming mail server: 1",
    ),
    "mail": Wake(
        "WITH m AS (INSERT INTO mail_message (message_type) VALUES ('email') RETURNING id) INSERT INTO mail_mail"
        f" (mail_message_id, state, create_date) SELECT id, 'outgoing', {_UTC} FROM m",
        "mail in the queue: 1",
    ),
    "sms": Wake(f"INSERT INTO sms_sms (state, create_date) VALUES ('outgoing', {_UTC})", "SMS in the queue: 1"),
    "mailing": Wake(
        "INSERT INTO mailing_mailing (subject, email_from, state, mailing_type, mailing_model_id, source_id, medium_id,"
        f" create_date) SELECT 'News', 'a@b', 'in_queue', 'mail', min(id), (SELECT min(id) FROM utm_source), (SELECT min(id)"
        f" FROM utm_medium), {_UTC} FROM ir_model",
        "mailing in the queue: 1",
    ),
    "letter": Wake(
        "INSERT INTO snailmail_letter (model, res_id, partner_id, company_id, state) VALUES ('x', 1, 1, 1, 'pending')",
        "letter in the queue: 1",
    ),
    "job": Wake(f"INSERT INTO queue_job (uuid, state, date_created) VALUES ('u', 'pending', {_UTC})", "queue job: 1"),
    "payment": Wake(
        "UPDATE payment_acquirer SET state = 'enabled', stripe_secret_key = 'sk_live' WHERE provider = 'stripe'",
        "payment provider: ",
    ),
    "carrier": Wake("UPDATE delivery_carrier SET prod_environment = true", "carrier in production: "),
    "iap": Wake("INSERT INTO iap_account (service_name, account_token) VALUES ('sms', 'abc')", "in-app purchases: 1"),
    "oauth": Wake("UPDATE auth_oauth_provider SET enabled = true", "OAuth provider: "),
    "google": Wake("UPDATE res_users SET google_calendar_rtoken = 'r' WHERE id = 2", "token of a Google calendar: 1"),
    "microsoft": Wake("UPDATE res_users SET microsoft_calendar_rtoken = 'r' WHERE id = 2", "Microsoft calendar: 1"),
    "website": Wake("UPDATE website SET domain = 'https://shop.example'", "domain of a website: 1"),
}


def odoo(server: Server, database: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command in Odoo's image, with a configuration for this database."""
    conf = server.folder / "odoo.conf"
    conf.write_text(
        f"[options]\ndb_host = {server.address}\ndb_port = 5432\ndb_user = {OWNER}\ndb_password = {PASSWORD}\n"
        f"db_name = {database}\nlist_db = False\ndbfilter = ^{database}$\ndata_dir = /tmp/data\n"
    )
    conf.chmod(0o644)
    name = subprocess.run(
        ("docker", "create", "--rm", "--user", "101:101", IMAGE, *argv), check=True, capture_output=True, text=True
    ).stdout.strip()
    subprocess.run(("docker", "cp", str(conf), f"{name}:/tmp/odoo.conf"), check=True, capture_output=True)
    return subprocess.run(("docker", "start", "-a", name), capture_output=True, text=True, timeout=590, check=False)


@pytest.fixture(scope="module")
def code() -> ReleaseCode:
    """What the release says, asked without a network, a database and rights."""
    argv = ("docker", "run", "--rm", "--network=none", "--user=65532:65532", "--env=HOME=/tmp", IMAGE)
    ran = subprocess.run((*argv, *render_neutralize_argv([ADDONS])), capture_output=True, text=True, check=False)
    messages = read_messages(ran.stdout.splitlines())
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ReleaseCode.from_json(messages.result)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("neutral14")) as found:
        secret = found.secret(PASSWORD)
        done(DatabaseProvision(found.connection(), Fence("op-init", 1), INSTANCE, "shop", OWNER, secret, "create"))
        ran = odoo(
            found, "shop", "odoo", "-c", "/tmp/odoo.conf", "-i", MODULES, "--without-demo=all", "--stop-after-init",
            "--no-http",
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-3000:]
        run(found, "shop", QUEUE_JOB)
        for wake in WAKE.values():
            run(found, "shop", wake.sql)
        yield found


@pytest.fixture(scope="module")
def neutral(server: Server, code: ReleaseCode) -> str:
    """A neutralized copy of the shop."""
    build(server, "staging", template="shop")
    done(neutralize(server, "staging", release=code))
    return "staging"


def test_release_says_what_it_holds(code: ReleaseCode) -> None:
    names, sql = unpack_code(code)
    assert (code.series, code.native) == ("14.0", False)
    assert {"base", "web", "mail", "fetchmail", "sale_management"} <= names
    assert sql == {}
    assert len(code.packed) < 8000


def test_release_with_a_folder_that_is_no_folder_of_add_ons_fails_closed() -> None:
    argv = ("docker", "run", "--rm", "--network=none", "--user=65532:65532", "--env=HOME=/tmp", IMAGE)
    ran = subprocess.run((*argv, *render_neutralize_argv(["/nowhere"])), capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    fault = read_messages(ran.stdout.splitlines()).error
    assert fault is not None
    assert fault["code"] == "MOOR-490"


def test_the_source_is_alive_in_every_way(server: Server) -> None:
    fault = refused(verify(server, "shop"), "MOOR-493")
    words = {key: wake.finds for key, wake in WAKE.items() if key != "cron"}
    assert not [key for key, text in words.items() if text.partition(": ")[0] not in fault["details"]], fault["details"]
    assert "scheduled action: " in fault["details"]


def test_neutralized_copy_is_proved_neutral(server: Server, neutral: str) -> None:
    proof = done(verify(server, neutral))
    absent = {text.partition("(")[2].rstrip(")") for text in proof["absent"]}
    assert {"payment_acquirer", "fetchmail_server", "mailing_mailing", "snailmail_letter", "queue_job"}.isdisjoint(
        absent
    )
    rows = server.query("SELECT cron_name FROM ir_cron WHERE active", database=neutral)
    assert rows == [("Base: Auto-vacuum internal data",)]
    assert server.query("SELECT count(*) FROM ir_mail_server WHERE smtp_pass <> ''", database=neutral) == [(0,)]
    assert server.query("SELECT DISTINCT state FROM fetchmail_server", database=neutral) == [("draft",)]
    assert parameter(server, neutral, "database.uuid") != parameter(server, "shop", "database.uuid")
    assert parameter(server, neutral, "database.secret") != parameter(server, "shop", "database.secret")


def test_the_source_is_untouched(server: Server, neutral: str) -> None:
    assert parameter(server, "shop", "database.is_neutralized") is None
    assert server.query("SELECT count(*) FROM mail_mail WHERE state = 'outgoing'", database="shop") == [(1,)]
    assert neutral == "staging"


def test_odoo_can_send_no_mail_from_the_copy(server: Server, neutral: str) -> None:
    ran = odoo(server, neutral, "python3", "-c", SEND, neutral)
    assert "SENT exception" in ran.stdout, ran.stdout + ran.stderr[-2000:]
    assert "TEMPLATES 0" in ran.stdout
    assert "ACQUIRERS 0" in ran.stdout
    run(server, neutral, "UPDATE mail_mail SET state = 'cancel' WHERE state = 'exception'")


def test_odoo_serves_the_copy_with_a_banner(server: Server, neutral: str) -> None:
    ran = odoo(
        server, neutral, "python3", "-c", PAGE, "odoo", "-c", "/tmp/odoo.conf", "--workers=0", "--max-cron-threads=0",
        "--http-interface=127.0.0.1",
    )  # fmt: skip
    assert ran.stdout.startswith("200 "), ran.stdout[:2000] + ran.stderr[-2000:]
    assert "Nothing is sent, nothing is charged." in ran.stdout


@pytest.mark.parametrize("key", WAKE)
def test_what_wakes_up_in_a_neutralized_copy_is_found(
    server: Server, neutral: str, code: ReleaseCode, key: str
) -> None:
    if key == "template":  # it needs a server to point at
        run(server, neutral, WAKE["mail-server"].sql)
    run(server, neutral, WAKE[key].sql)
    assert WAKE[key].finds in refused(verify(server, neutral), "MOOR-493")["details"]
    done(neutralize(server, neutral, release=code, fence=Fence(f"op-{key}", 1, 5)))
    done(verify(server, neutral))


def test_neutralize_again_after_an_upgrade_keeps_the_identity(server: Server, neutral: str, code: ReleaseCode) -> None:
    build(server, "upgraded", template=neutral)
    mark(server, "upgraded", "current")
    ran = odoo(
        server,
        "upgraded",
        "odoo",
        "-c",
        "/tmp/odoo.conf",
        "-u",
        "fetchmail,mass_mailing",
        "--stop-after-init",
        "--no-http",
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    identity = parameter(server, "upgraded", "database.uuid")
    again = done(neutralize(server, "upgraded", release=code, role="current", fence=Fence("op-upgrade", 1, 5)))
    assert (again["fresh"], again["banner"]) == (False, "mooring")
    assert parameter(server, "upgraded", "database.uuid") == identity
    done(verify(server, "upgraded"))
    assert server.query("SELECT count(*) FROM ir_ui_view WHERE key LIKE 'mooring%%'", database="upgraded") == [(1,)]


def test_release_without_an_add_on_of_the_copy_fails_closed(server: Server, code: ReleaseCode) -> None:
    names, _ = unpack_code(code)
    build(server, "without", template="shop")
    less = pack(sorted(names - {"sale_management"}), {}, series="14.0", native=False)
    assert "sale_management" in refused(neutralize(server, "without", release=less), "MOOR-491")["brief"]
    assert parameter(server, "without", "database.is_neutralized") is None


def test_outgoing_of_a_real_odoo_is_counted_and_cancelled(server: Server) -> None:
    build(server, "returned", template="shop")
    mark(server, "returned", "current")
    later = "2100-01-01T00:00:00+00:00"
    found = {item["kind"]: item for item in done(count(server, "returned", "2000-01-01T00:00:00+00:00"))["waiting"]}
    assert {kind: item["total"] for kind, item in found.items() if kind not in {"cron", "subscription"}} == {
        "mail": 1, "sms": 1, "letter": 1, "mailing": 1, "queue-job": 1,
    }  # fmt: skip
    assert (found["mail"]["older"], found["cron"]["cancellable"]) == (0, False)
    assert {item["kind"] for item in done(cancel(server, "returned", later))["cancelled"]} == {
        "mail", "sms", "letter", "mailing", "queue-job",
    }  # fmt: skip
    left = done(count(server, "returned"))["waiting"]
    assert [item["kind"] for item in left if item["total"]] in ([], ["cron"])


def test_base_url_of_the_copy_is_its_own(server: Server, neutral: str, code: ReleaseCode) -> None:
    document = dataclasses.replace(neutralize(server, neutral, release=code), fence=Fence("op-url", 1, 5))
    done(dataclasses.replace(document, base_url="https://other.example"))
    assert "web.base.url is https://other.example" in refused(verify(server, neutral), "MOOR-493")["details"]
    done(dataclasses.replace(document, fence=Fence("op-url-back", 1, 5)))
    assert parameter(server, neutral, "web.base.url") == URL
