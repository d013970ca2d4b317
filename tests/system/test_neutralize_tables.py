# SPDX-License-Identifier: Apache-2.0
"""Neutralizing and proving it on a real PostgreSQL, with tables like those of Odoo 18 in which everything is alive."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mooring.domain.odoo import neutralize_rules
from mooring.domain.work.common import Fence
from mooring.domain.work.promote import DatabasePromote
from mooring.engine.neutralize import rules
from tests.support.engine_server import Server, done, outcome, postgres, refused, start_task
from tests.support.neutralize_world import (
    INSTANCE,
    NATIVE_18,
    OWNER,
    PASSWORD,
    URL,
    WAKE_18,
    build,
    build_18,
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
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres(tmp_path_factory.mktemp("neutralize")) as found:
        build_18(found, "alive")
        yield found


@pytest.fixture
def alive(server: Server) -> str:
    """A copy of the database in which everything is alive."""
    name = f"copy{next(NUMBERS)}"
    build(server, name, template="alive")
    return name


@pytest.fixture(scope="module")
def neutral(server: Server) -> str:
    """A neutralized database, for tests that wake something up and put it back."""
    build(server, "neutral", template="alive")
    done(neutralize(server, "neutral"))
    return "neutral"


def state(server: Server, name: str) -> dict[str, str]:
    """Every table's content."""
    tables = server.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", database=name)
    return {
        table: str(server.query(f"SELECT string_agg(t::text, '|' ORDER BY t::text) FROM {table} t", database=name))
        for (table,) in tables
    }


def test_verify_of_what_was_never_neutralized_names_everything(server: Server, alive: str) -> None:
    fault = refused(verify(server, alive), "MOOR-493")
    missing = [
        key
        for key, wake in WAKE_18.items()
        if key not in {"no-mail-server", "secret", "url", "uuid"}
        and wake.finds.partition(": ")[0] not in fault["details"]
    ]
    assert not missing, fault["details"]
    assert "nothing says that database.uuid is not its source's" in fault["details"]


def test_neutralize_leaves_nothing_alive(server: Server, alive: str) -> None:
    made = done(neutralize(server, alive))
    proof = done(verify(server, alive))
    assert made["scripts"] == ["base", "mail"]  # and not that of `sale`, which is not installed
    assert (made["fresh"], made["banner"], made["statements"]) == (True, "odoo", 0)
    assert "payment providers (payment_provider)" not in proof["absent"]
    assert "payment provider (payment_acquirer)" in proof["absent"]
    rows = server.query("SELECT name, smtp_host FROM ir_mail_server WHERE active", database=alive)
    assert rows == [("neutralization - disable emails", "invalid")]
    assert server.query("SELECT state FROM mail_mail", database=alive) == [("cancel",)] * 2
    assert server.query("SELECT id FROM ir_cron WHERE active", database=alive) == [(1,)]
    assert server.query("SELECT DISTINCT active FROM ir_ui_view", database=alive) == [(True,)]


def test_neutralize_gives_a_new_identity_once(server: Server, alive: str) -> None:
    first = done(neutralize(server, alive))
    assert first["fresh"] is True
    identity = [parameter(server, alive, key) for key in ("database.uuid", "database.secret")]
    assert str(uuid.UUID(identity[0])) == identity[0] != "one"
    assert identity[1] != "two"
    again = done(neutralize(server, alive, fence=Fence("op-copy", 2, 5)))
    assert (again["fresh"], again["origin"]) == (False, first["origin"])
    assert [parameter(server, alive, key) for key in ("database.uuid", "database.secret")] == identity
    rows = server.query("SELECT count(*) FROM ir_mail_server WHERE name LIKE 'neutralization%%'", database=alive)
    assert rows == [(1,)]  # the release's own SQL adds one each time
    assert done(verify(server, alive, origin=first["origin"]))["checked"]


def test_neutralize_of_a_copy_of_a_copy_gives_another_identity(server: Server, neutral: str) -> None:
    build(server, "grandchild", template=neutral)
    other = "0a0a0a0a0a0b0b0b0b0b"
    mark(server, "grandchild", "building", other)
    made = done(neutralize(server, "grandchild", instance=other))
    assert made["fresh"] is True
    assert parameter(server, "grandchild", "database.uuid") != parameter(server, neutral, "database.uuid")


def test_neutralize_sets_and_removes_system_parameters(server: Server, alive: str) -> None:
    done(neutralize(server, alive))
    assert parameter(server, alive, "web.base.url") == URL
    assert parameter(server, alive, "web.base.url.freeze") == "True"
    assert parameter(server, alive, "database.is_neutralized") == "true"
    assert parameter(server, alive, "report.url") == "http://127.0.0.1:8069"
    assert parameter(server, alive, "auth_signup.reset_password") == "True"
    assert parameter(server, alive, "ir_attachment.location") == "file"
    assert parameter(server, alive, "carrier.api_key") is None
    assert parameter(server, alive, "database.enterprise_code") is None


def test_neutralize_empties_columns_that_hold_credentials(server: Server, alive: str) -> None:
    run(
        server,
        alive,
        "INSERT INTO shop_backend (api_key, client_secret, access_token) VALUES ('live', 'secret', 'mine');"
        "INSERT INTO whatsapp_account (whatsapp_access_token) VALUES ('live');"
        "UPDATE res_company SET l10n_xx_client_secret = 'live', l10n_xx_production_env = true",
    )
    made = done(neutralize(server, alive))
    assert {
        "shop_backend.api_key",
        "whatsapp_account.whatsapp_access_token",
        "payment_provider.stripe_secret_key",
    } <= set(made["blanked"])
    assert server.query("SELECT api_key, client_secret, access_token FROM shop_backend", database=alive) == [
        ("", None, "mine")
    ]
    assert server.query("SELECT password, totp_secret FROM res_users", database=alive) == [("hash", "totp")]
    company = "SELECT l10n_xx_client_secret, l10n_xx_production_env, l10n_xx_test_env FROM res_company"
    assert server.query(company, database=alive) == [(None, False, True)]


def test_neutralize_reports_a_credential_that_an_add_on_keeps(server: Server, alive: str) -> None:
    run(
        server,
        alive,
        "ALTER TABLE shop_backend ADD CHECK (client_secret IS NOT NULL);"
        "INSERT INTO shop_backend (api_key, client_secret) VALUES ('live', 'secret')",
    )
    made = done(neutralize(server, alive))
    assert [text.partition(":")[0] for text in made["kept"]] == ["shop_backend.client_secret"]
    assert "secret'" not in str(made["kept"])
    assert server.query("SELECT api_key FROM shop_backend", database=alive) == [("",)]


def promote(server: Server, name: str, *, attempt: int = 1, instance: str = INSTANCE) -> DatabasePromote:
    """The document of `database-promote`."""
    return DatabasePromote(server.connection(OWNER, PASSWORD), Fence("op-promote", attempt, 5), instance, name)


def test_promoted_database_says_no_more_that_it_is_a_copy_and_counts_what_stays_off(server: Server, alive: str) -> None:
    done(neutralize(server, alive, sink_host="sink.example"))
    mark(server, alive, "current")
    made = done(promote(server, alive))
    off = {one["what"]: one["rows"] for one in made["off"]}
    assert (made["banner"], made["baseUrl"]) == (True, URL)
    assert off["scheduled actions"] == 2
    assert off["outgoing mail servers"] >= 1
    assert off["payment providers"] == 1
    assert off["carriers in their test environment"] >= 1
    assert "mails that wait or failed" not in off
    assert server.query("SELECT count(*) FROM ir_mail_server WHERE active", database=alive) == [(0,)]
    assert parameter(server, alive, "database.is_neutralized") is None
    assert parameter(server, alive, "mooring.neutralized") is None
    assert parameter(server, alive, "web.base.url.freeze") == "True"
    banner = "SELECT active FROM ir_ui_view WHERE key = 'web.neutralize_banner'"
    assert server.query(banner, database=alive) == [(False,)]
    # A kill after it runs it again, and the answer is the same but for the banner, which is gone.
    again = done(promote(server, alive, attempt=2))
    assert (again["banner"], again["off"]) == (False, made["off"])
    # From now on nothing neutralizes it: it may be production's.
    refused(neutralize(server, alive, role="current", fence=Fence("op-neutralize", 1, 5)), "MOOR-494")


def test_another_instances_database_is_not_promoted(server: Server, alive: str) -> None:
    done(neutralize(server, alive))
    mark(server, alive, "current")
    before = state(server, alive)
    refused(promote(server, alive, instance="0a0a0a0a0a0b0b0b0b0b"), "MOOR-420")
    assert state(server, alive) == before


def test_neutralize_runs_the_manifests_sql_in_order(server: Server, alive: str) -> None:
    statements = (
        "UPDATE shop_backend SET access_token = 'one'; UPDATE shop_backend SET access_token = access_token || ' two'",
        "UPDATE shop_backend SET access_token = access_token || ' 100%' -- the end",
    )
    run(server, alive, "INSERT INTO shop_backend (api_key) VALUES ('live')")
    assert done(neutralize(server, alive, statements=statements))["statements"] == 2
    assert server.query("SELECT access_token FROM shop_backend", database=alive) == [("one two 100%",)]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        pytest.param("UPDATE no_such_table SET a = 1", "no_such_table", id="no-table"),
        pytest.param(
            "UPDATE website SET domain = NULL UPDATE website SET name = 'x'", "syntax error", id="no-semicolon"
        ),
        pytest.param("UPDATE website SET name = 'x'; COMMIT", "EXECUTE of transaction commands", id="commit"),
        pytest.param("ROLLBACK; UPDATE website SET name = 'x'", "EXECUTE of transaction commands", id="rollback"),
        pytest.param("BEGIN; UPDATE website SET name = 'x'; COMMIT;", "EXECUTE of transaction commands", id="begin"),
    ],
)
def test_neutralize_with_sql_that_is_refused_changes_nothing(
    server: Server, alive: str, statement: str, words: str
) -> None:
    before = state(server, alive)
    fault = refused(neutralize(server, alive, statements=("SELECT 1", statement)), "MOOR-492")
    assert "neutralize.sql[1]" in fault["brief"]
    assert words in fault["details"]
    assert state(server, alive) == before


def test_neutralize_with_a_modules_broken_sql_names_it_and_changes_nothing(server: Server, alive: str) -> None:
    """As Odoo shipped it once for `website`: odoo/odoo#169593."""
    broken = {**NATIVE_18, "mail": "UPDATE website SET domain = NULL UPDATE website SET name = 'x'"}
    before = state(server, alive)
    code = pack(["base", "mail", "sale", "web"], broken, series="18.0", native=True)
    assert "module mail" in refused(neutralize(server, alive, release=code), "MOOR-492")["brief"]
    assert state(server, alive) == before


def test_neutralize_where_a_module_has_no_code_fails_closed(server: Server, alive: str) -> None:
    before = state(server, alive)
    run(server, alive, "INSERT INTO ir_module_module (name, state) VALUES ('connector', 'to upgrade')")
    fault = refused(neutralize(server, alive), "MOOR-491")
    assert "connector" in fault["brief"]
    assert "studio_things" not in fault["details"]  # imported by hand: it has no code anywhere
    assert {**state(server, alive), "ir_module_module": ""} == {**before, "ir_module_module": ""}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(pack(["base"], {}, series="17.0", native=True), "18.0.1.3", id="another-series"),
        pytest.param(pack(["base"], {}, series="18.0", native=False), "does not have", id="without-its-own"),
    ],
)
def test_neutralize_with_a_release_that_does_not_fit_is_refused(
    server: Server, alive: str, code: Any, words: str
) -> None:
    assert words in refused(neutralize(server, alive, release=code), "MOOR-490")["brief"]


def test_neutralize_of_a_database_in_use_is_refused(server: Server, alive: str) -> None:
    with psycopg.connect(host="127.0.0.1", port=server.port, user=OWNER, password=PASSWORD, dbname=alive):
        assert alive in refused(neutralize(server, alive), "MOOR-425")["brief"]
    until = time.monotonic() + 10
    while server.query("SELECT 1 FROM pg_stat_activity WHERE datname = %s", (alive,)) and time.monotonic() < until:
        time.sleep(0.1)
    done(neutralize(server, alive))


def test_neutralize_of_present_data_needs_that_it_is_a_copy(server: Server, alive: str) -> None:
    """A restored production must never be neutralized by a mistaken name."""
    mark(server, alive, "current")
    before = state(server, alive)
    refused(neutralize(server, alive), "MOOR-420")
    refused(neutralize(server, alive, role="current"), "MOOR-494")
    assert state(server, alive) == before
    assert done(neutralize(server, alive, role="current", first=True))["fresh"] is True
    assert done(neutralize(server, alive, role="current"))["fresh"] is False


def test_neutralize_of_anothers_database_is_refused(server: Server, alive: str) -> None:
    mark(server, alive, "building", "anotheranotheranothe")
    refused(neutralize(server, alive), "MOOR-420")


def test_neutralize_by_a_late_attempt_is_refused(server: Server, alive: str) -> None:
    done(neutralize(server, alive, fence=Fence("op", 2, 5)))
    refused(neutralize(server, alive, fence=Fence("op", 1, 5)), "MOOR-424")


def test_mail_goes_to_the_sink_that_is_named(server: Server, alive: str) -> None:
    done(neutralize(server, alive, sink_host="sink.internal", sink_port=2525))
    rows = server.query("SELECT smtp_host, smtp_port FROM ir_mail_server WHERE active", database=alive)
    assert rows == [("sink.internal", 2525)]
    assert "leads to sink.internal" in refused(verify(server, alive), "MOOR-493")["details"]
    done(verify(server, alive, sink_host="sink.internal"))


@pytest.mark.parametrize("key", WAKE_18)
def test_what_wakes_up_again_is_found_and_put_to_sleep_again(server: Server, neutral: str, key: str) -> None:
    origin = parameter(server, neutral, "mooring.neutralized")
    run(server, neutral, WAKE_18[key].sql)
    assert WAKE_18[key].finds in refused(verify(server, neutral), "MOOR-493")["details"]
    done(neutralize(server, neutral, fence=Fence("op-again", 1, 5)))
    done(verify(server, neutral))
    assert origin is not None


@pytest.mark.parametrize(
    "left_out",
    [
        pytest.param(number, id=f"{rule.table}-{number}")
        for number, rule in enumerate(neutralize_rules.RULES)
        if rule.table in {
            "ir_cron", "ir_mail_server", "fetchmail_server", "mail_mail", "mail_message_schedule", "mail_scheduled_message",
            "sms_sms", "snailmail_letter", "mailing_mailing", "social_post", "whatsapp_message", "queue_job",
            "payment_provider", "delivery_carrier", "iap_account", "auth_oauth_provider", "ir_act_server", "res_users_settings",
            "mail_push_device", "website", "fs_storage",
        }
    ],
)  # fmt: skip
def test_verify_finds_what_a_forgotten_rule_leaves_alive(
    server: Server, monkeypatch: pytest.MonkeyPatch, left_out: int
) -> None:
    name = f"forgotten{left_out}"
    build(server, name, template="alive")
    kept = tuple(rule for number, rule in enumerate(neutralize_rules.RULES) if number != left_out)
    monkeypatch.setattr(rules, "RULES", kept)
    code = pack(["base", "mail", "sale", "web"], {}, series="18.0", native=True)
    done(neutralize(server, name, release=code))
    assert neutralize_rules.RULES[left_out].table in refused(verify(server, name), "MOOR-493")["details"] or (
        neutralize_rules.RULES[left_out].table == "ir_mail_server"
    )
    server.query(f"DROP DATABASE {name}")


def test_verify_without_a_table_of_every_odoo_proves_nothing(server: Server, neutral: str) -> None:
    build(server, "half", template=neutral)
    run(server, "half", "ALTER TABLE ir_cron RENAME TO ir_cron_away")
    assert "ir_cron" in refused(verify(server, "half"), "MOOR-429")["brief"]


def test_a_view_in_the_place_of_a_table_is_not_believed(server: Server, neutral: str) -> None:
    build(server, "viewed", template=neutral)
    run(server, "viewed", "ALTER TABLE ir_cron RENAME TO c; CREATE VIEW ir_cron AS SELECT * FROM c WHERE NOT active")
    refused(verify(server, "viewed"), "MOOR-429")


@pytest.mark.parametrize("moment", [0.0, 0.6, 1.2])
def test_neutralize_killed_inside_its_transaction_changes_nothing(
    server: Server, alive: str, tmp_path: Path, moment: float
) -> None:
    before = state(server, alive)
    process = start_task(neutralize(server, alive, statements=("SELECT pg_sleep(3)",)), tmp_path)
    assert process.stdout is not None
    said = next(line for line in process.stdout if "the manifest's SQL" in line)
    time.sleep(moment)
    process.kill()
    process.communicate(timeout=30)
    assert said
    until = time.monotonic() + 15
    while server.query("SELECT 1 FROM pg_stat_activity WHERE datname = %s", (alive,)):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert state(server, alive) == before
    assert server.mark(alive).get("steps") is None
    ran = start_task(neutralize(server, alive, fence=Fence("op-copy", 2, 30)), tmp_path)
    text, _ = ran.communicate(timeout=60)
    assert outcome(ran.returncode, text).code == 0, text
    done(verify(server, alive))


OLD, RETURNED, NEW = "2026-01-01 10:00:00", "2026-01-02T00:00:00+01:00", "2026-01-02 10:00:00"


@pytest.fixture
def production(server: Server) -> str:
    """Present data that went back in time, with things that wait from before and from after."""
    name = f"back{next(NUMBERS)}"
    build(server, name, template="alive")
    mark(server, name, "current")
    for moment in (OLD, NEW):
        run(
            server,
            name,
            f"INSERT INTO mail_mail (email_to, state, create_date) VALUES ('a', 'outgoing', '{moment}'),"
            f" ('b', 'sent', '{moment}');"
            f"INSERT INTO sms_sms (state, create_date) VALUES ('outgoing', '{moment}');"
            f"INSERT INTO queue_job (name, state, date_created) VALUES ('job', 'pending', '{moment}');"
            f"INSERT INTO mailing_mailing (subject, state, create_date) VALUES ('News', 'in_queue', '{moment}');"
            f"INSERT INTO mail_scheduled_message (subject, create_date) VALUES ('Hi', '{moment}');"
            f"INSERT INTO sale_order (name, next_invoice_date, subscription_state) VALUES"
            f" ('S1', date '{moment}', '3_progress'), ('S2', current_date + 9, '3_progress')",
        )
    return name


def waiting(server: Server, name: str, older_than: str | None = None) -> dict[str, tuple[int, int, bool]]:
    """What waits: total, older, cancellable by kind."""
    found = done(count(server, name, older_than))["waiting"]
    return {item["kind"]: (item["total"], item["older"], item["cancellable"]) for item in found}


def test_outgoing_count_tells_old_from_new(server: Server, production: str) -> None:
    found = waiting(server, production, RETURNED)
    # One of each is from the world itself, and does not say since when it waits.
    assert found["mail"] == (3, 2, True)
    assert found["queue-job"] == (3, 2, True)
    assert found["subscription"] == (2, 1, False)
    assert found["cron"] == (2, 0, False)
    assert waiting(server, production)["mail"] == (3, 3, True)
    oldest = {item["kind"]: item["oldest"] for item in done(count(server, production))["waiting"]}
    assert oldest["mail"] == "2026-01-01T10:00:00+00:00"


def test_outgoing_cancel_takes_what_is_older_and_leaves_the_rest(server: Server, production: str) -> None:
    made = done(cancel(server, production, RETURNED))
    cancelled = {item["kind"]: item["rows"] for item in made["cancelled"]}
    assert {"mail": 2, "queue-job": 2, "mailing": 2}.items() <= cancelled.items()
    found = waiting(server, production, RETURNED)
    assert found["mail"] == (1, 0, True)
    assert found["scheduled-message"] == (1, 0, True)
    assert found["subscription"] == (2, 1, False)
    again = done(cancel(server, production, RETURNED, attempt=2))
    assert again["cancelled"] == []
    states = "SELECT state, count(*) FROM mail_mail GROUP BY 1 ORDER BY 1"
    assert server.query(states, database=production) == [("cancel", 2), ("exception", 1), ("outgoing", 1), ("sent", 2)]


def test_outgoing_cancel_of_one_kind_leaves_the_others(server: Server, production: str) -> None:
    done(cancel(server, production, RETURNED, "sms"))
    found = waiting(server, production, RETURNED)
    assert found["sms"][:2] == (1, 0)
    assert found["mail"] == (3, 2, True)


def test_outgoing_cancel_of_what_is_not_present_data_is_refused(server: Server, alive: str) -> None:
    refused(cancel(server, alive, RETURNED), "MOOR-420")
