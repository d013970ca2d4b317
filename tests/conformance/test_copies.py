# SPDX-License-Identifier: Apache-2.0
"""Promises about copies: they have the source's data, act on nothing, and cannot reach what they are copies of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mooring.domain.instance.tasks import generated_secret
from tests.conformance.test_backup import back_up, vault
from tests.conformance.world import Instance, World

__all__ = ["vault"]
pytestmark = pytest.mark.real
STATEMENT = """
import sys, psycopg2
host, user, password, statement = sys.argv[1:]
link = psycopg2.connect(host=host, user=user, dbname=user, password=password, connect_timeout=5)
link.autocommit = True
try:
    link.cursor().execute(statement)
    print("done")
except psycopg2.Error as error:
    print(error)
"""
JOBS = "SELECT cron_name FROM ir_cron WHERE active AND cron_name <> 'Base: Auto-vacuum internal data'"
SERVERS = "SELECT name || ' ' || smtp_host FROM ir_mail_server WHERE active ORDER BY id"


@pytest.fixture(scope="module")
def twin(world: World, vault: str) -> Iterator[Instance]:
    """A Staging instance that is not there yet."""
    instance = world.instance("twin", environment="Staging", backup={"repository": vault})
    yield instance
    world.place.clean(instance.ref.namespace, instance.name)


@pytest.mark.full
def test_copy_of_another(world: World, copy: Instance, twin: Instance, vault: str) -> None:
    """A snapshot of one instance becomes another's data: neutral, with its own identity, and shut out of its source."""
    source = copy.apply(backup={"repository": vault}, cron={"replicas": 0})  # what waits goes on waiting
    source.ask("OdooUpgradeJob", install=["mail"])
    assert source.phase == "Running", source.failure("Upgrade")
    live = {"name": "live", "smtp_host": "smtp.example.com", "smtp_user": "shop", "smtp_pass": "secret"}
    source.odoo.call("ir.mail_server", "create", live)
    mail = source.odoo.call("mail.mail", "create", {"email_to": "customer@example.com", "subject": "invoice"})
    first = source.odoo.plant("in the snapshot")
    identity = source.odoo.parameter("database.uuid")
    snapshot = back_up(source)["snapshot"]
    second = source.odoo.plant("not in the snapshot")
    jobs = world.server_sql(JOBS, source.database)
    assert any("Email Queue" in one for one in jobs)

    twin.accept()
    twin.request("OdooRestoreJob", source={"snapshot": snapshot, "snapshotOf": source.name})
    twin.drive()
    assert twin.phase == "Running", twin.failure("Restore")
    twin.odoo.check(first)
    assert twin.odoo.lacks(second)
    assert twin.odoo.parameter("database.uuid") not in ("", identity)
    assert twin.odoo.parameter("database.secret") != source.odoo.parameter("database.secret")
    assert twin.odoo.parameter("web.base.url.freeze") == "True"
    assert world.server_sql(JOBS, twin.database) == []
    (sink,) = world.server_sql(SERVERS, twin.database)
    assert "example.com" not in sink
    assert world.server_sql("SELECT smtp_pass FROM ir_mail_server WHERE smtp_pass IS NOT NULL", twin.database) == []
    assert world.server_sql(f"SELECT state FROM mail_mail WHERE id = {mail}", twin.database) == ["cancel"]
    assert len(twin.processes("cron")) == 1

    # The source goes on as it was, and the copy's role finds no way into it.
    source.odoo.check(second)
    assert source.odoo.parameter("database.uuid") == identity
    assert world.server_sql(JOBS, source.database) == jobs
    assert world.server_sql(SERVERS, source.database) == ["live smtp.example.com"]
    assert world.server_sql(f"SELECT state FROM mail_mail WHERE id = {mail}", source.database) == ["outgoing"]
    password = world.read_secret(generated_secret(twin.ref, "database"), "password")
    assert "permission denied" in twin.connect(password, database=source.database)
    for statement in (
        f'DROP DATABASE "{source.database}"',
        f'ALTER DATABASE "{source.database}" OWNER TO CURRENT_USER',
    ):
        assert "must be owner" in _run(twin, password, statement)
    assert "permission denied" in _run(twin, password, f'SET ROLE "{source.database}"')

    # What somebody switches on in it is off again when a person asks.
    woken = twin.odoo.call("ir.cron", "search", [["active", "=", False]], limit=1)
    twin.odoo.call("ir.cron", "write", woken, {"active": True})
    known = twin.odoo.parameter("database.uuid")
    twin.ask("Neutralize")
    assert twin.phase == "Running", twin.failure("Neutralize")
    assert world.server_sql(JOBS, twin.database) == []
    assert twin.odoo.parameter("database.uuid") == known
    twin.odoo.check(first)


def _run(instance: Instance, password: str, statement: str) -> str:
    """What PostgreSQL says to a statement of the instance's role, in its own database."""
    host = next(line.partition("= ")[2] for line in instance.conf("web") if line.startswith("db_host"))
    return instance.inside("web", "python3", "-c", STATEMENT, host, instance.database, password, statement)
