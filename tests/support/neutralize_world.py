# SPDX-License-Identifier: Apache-2.0
"""Copies of databases that could act on the world in every way that is known, and what wakes each way up again."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from mooring.domain.work.common import Fence
from mooring.domain.work.neutralize import (
    DatabaseNeutralize,
    DatabaseVerifyNeutral,
    OutgoingCancel,
    OutgoingCount,
    ReleaseCode,
)
from tests.support.engine_server import Server

OWNER = "shop"
PASSWORD = "owner-secret"
INSTANCE = "5f0c1e2d3b4a59687786"
URL = "https://staging.example"

# What Odoo 16 to 18 have, as far as somebody outside notices it; columns as in their models.
TABLES_18 = """
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar, state varchar, latest_version varchar, imported boolean);
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '18.0.1.3'),
  ('web', 'installed', '18.0.1.0'), ('mail', 'installed', '18.0.1.19'), ('sale', 'uninstalled', NULL);
INSERT INTO ir_module_module (name, state, latest_version, imported) VALUES ('studio_things', 'installed', '1.0', true);
CREATE TABLE ir_model_data (id serial PRIMARY KEY, module varchar, name varchar, model varchar, res_id integer);
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar UNIQUE, value text NOT NULL, create_uid integer,
  write_uid integer, create_date timestamp, write_date timestamp);
CREATE TABLE ir_cron (id serial PRIMARY KEY, cron_name varchar, active boolean, nextcall timestamp NOT NULL);
CREATE TABLE ir_cron_trigger (id serial PRIMARY KEY, cron_id integer, call_at timestamp);
CREATE TABLE ir_mail_server (id serial PRIMARY KEY, name varchar NOT NULL, from_filter varchar, smtp_host varchar,
  smtp_port integer, smtp_authentication varchar NOT NULL, smtp_user varchar, smtp_pass varchar, smtp_encryption varchar
  NOT NULL, smtp_debug boolean, sequence integer, active boolean, google_gmail_refresh_token varchar);
CREATE TABLE res_users (id serial PRIMARY KEY, login varchar, password varchar, totp_secret varchar,
  microsoft_calendar_token varchar, microsoft_calendar_rtoken varchar, oauth_access_token varchar);
CREATE TABLE res_users_settings (id serial PRIMARY KEY, user_id integer, google_calendar_rtoken varchar,
  google_calendar_token varchar, google_synchronization_stopped boolean, microsoft_synchronization_stopped boolean);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, ocn_token varchar);
CREATE TABLE res_company (id serial PRIMARY KEY, name varchar, l10n_xx_test_env boolean, l10n_xx_production_env boolean,
  l10n_xx_client_secret varchar);
CREATE TABLE ir_ui_view (id serial PRIMARY KEY, name varchar, key varchar, type varchar, mode varchar, priority integer,
  active boolean, inherit_id integer, arch_db jsonb, visibility_password varchar);
CREATE TABLE ir_act_server (id serial PRIMARY KEY, state varchar, webhook_url varchar);
CREATE TABLE mail_template (id serial PRIMARY KEY, mail_server_id integer REFERENCES ir_mail_server);
CREATE TABLE mail_mail (id serial PRIMARY KEY, email_to text, state varchar, create_date timestamp);
CREATE TABLE mail_message_schedule (id serial PRIMARY KEY, create_date timestamp);
CREATE TABLE mail_scheduled_message (id serial PRIMARY KEY, subject varchar, create_date timestamp);
CREATE TABLE mail_push_device (id serial PRIMARY KEY, endpoint varchar);
CREATE TABLE mail_push (id serial PRIMARY KEY, device integer REFERENCES mail_push_device ON DELETE CASCADE);
CREATE TABLE fetchmail_server (id serial PRIMARY KEY, name varchar, active boolean, state varchar, password varchar);
CREATE TABLE sms_sms (id serial PRIMARY KEY, uuid varchar, state varchar NOT NULL, create_date timestamp);
CREATE TABLE snailmail_letter (id serial PRIMARY KEY, state varchar NOT NULL, create_date timestamp);
CREATE TABLE mailing_mailing (id serial PRIMARY KEY, subject varchar, state varchar NOT NULL, schedule_date timestamp,
  create_date timestamp, mail_server_id integer REFERENCES ir_mail_server);
CREATE TABLE social_post (id serial PRIMARY KEY, state varchar);
CREATE TABLE whatsapp_message (id serial PRIMARY KEY, state varchar, create_date timestamp);
CREATE TABLE whatsapp_account (id serial PRIMARY KEY, whatsapp_access_token varchar);
CREATE TABLE queue_job (id serial PRIMARY KEY, uuid varchar, name varchar, state varchar NOT NULL, date_created timestamp,
  date_cancelled timestamp);
CREATE TABLE payment_provider (id serial PRIMARY KEY, code varchar, state varchar NOT NULL, stripe_secret_key varchar);
CREATE TABLE delivery_carrier (id serial PRIMARY KEY, delivery_type varchar NOT NULL, active boolean, prod_environment boolean);
CREATE TABLE iap_account (id serial PRIMARY KEY, service_name varchar, account_token varchar);
CREATE TABLE auth_oauth_provider (id serial PRIMARY KEY, name varchar, enabled boolean);
CREATE TABLE website (id serial PRIMARY KEY, name varchar, domain varchar, cdn_activated boolean, robots_txt text,
  google_maps_api_key varchar);
CREATE TABLE fs_storage (id serial PRIMARY KEY, name varchar, options text);
CREATE TABLE shop_backend (id serial PRIMARY KEY, api_key varchar NOT NULL, client_secret varchar
  CHECK (length(client_secret) > 3), access_token varchar);
CREATE TABLE sale_order (id serial PRIMARY KEY, name varchar, next_invoice_date date, subscription_state varchar,
  access_token varchar);
"""

BASE_ROWS = """
INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', 'one'), ('database.secret', 'two'),
  ('web.base.url', 'https://shop.example'), ('database.enterprise_code', 'M123'), ('auth_signup.reset_password', 'True'),
  ('report.url', 'http://127.0.0.1:8069'), ('ir_attachment.location', 's3'), ('carrier.api_key', 'live-key');
INSERT INTO ir_cron (cron_name, active, nextcall) VALUES ('Base: Auto-vacuum internal data', true, now()),
  ('Mail: Email Queue Manager', true, now() - interval '1 day'), ('Off', false, now());
INSERT INTO ir_model_data (module, name, model, res_id) VALUES ('base', 'autovacuum_job', 'ir.cron', 1),
  ('web', 'layout', 'ir.ui.view', 1);
INSERT INTO ir_ui_view (name, key, type, mode, priority, active, arch_db) VALUES
  ('layout', 'web.layout', 'qweb', 'primary', 16, true, '{"en_US": "<t/>"}'),
  ('banner', 'web.neutralize_banner', 'qweb', 'extension', 16, false, '{"en_US": "<t/>"}');
UPDATE ir_ui_view SET visibility_password = 'page';
INSERT INTO res_users (login, password, totp_secret) VALUES ('boss', 'hash', 'totp');
INSERT INTO res_users_settings (user_id) VALUES (1);
INSERT INTO res_company (name) VALUES ('Shop');
INSERT INTO website (name) VALUES ('Shop');
"""


@dataclasses.dataclass(frozen=True)
class Wake:
    """A way to act on the world: the statement that opens it, and what has to be found then."""

    sql: str
    finds: str


WAKE_18: Mapping[str, Wake] = {
    "cron": Wake("UPDATE ir_cron SET active = true WHERE id = 2", "scheduled action: 1 (ir_cron: Mail: Email Queue"),
    "mail-server": Wake(
        "INSERT INTO ir_mail_server (name, smtp_host, smtp_authentication, smtp_encryption, active, smtp_pass)"
        " VALUES ('live', 'smtp.example', 'login', 'none', true, 'pw')",
        "mail server live leads to smtp.example",
    ),
    "template-to-inactive-server": Wake(
        "INSERT INTO ir_mail_server (name, smtp_host, smtp_authentication, smtp_encryption, active)"
        " VALUES ('old', 'smtp.example', 'login', 'none', false);"
        " INSERT INTO mail_template (mail_server_id) SELECT max(id) FROM ir_mail_server",
        "1 row(s) of mail_template use an outgoing mail server",
    ),
    "no-mail-server": Wake("UPDATE ir_mail_server SET active = false", "no active mail server"),
    "fetchmail": Wake(
        "INSERT INTO fetchmail_server (name, active, state, password) VALUES ('in', true, 'done', 'pw')",
        "incoming mail server: 1 (fetchmail_server: in)",
    ),
    "mail": Wake("INSERT INTO mail_mail (email_to, state) VALUES ('a@b.example', 'outgoing')", "mail in the queue: 1"),
    "failed-mail": Wake("INSERT INTO mail_mail (state) VALUES ('exception')", "mail in the queue: 1"),
    "notification": Wake("INSERT INTO mail_message_schedule DEFAULT VALUES", "scheduled notification: 1"),
    "message": Wake("INSERT INTO mail_scheduled_message (subject) VALUES ('Hi')", "scheduled message: 1"),
    "sms": Wake("INSERT INTO sms_sms (state) VALUES ('outgoing')", "SMS in the queue: 1"),
    "sms-in-process": Wake("INSERT INTO sms_sms (state) VALUES ('process')", "SMS in the queue: 1"),
    "letter": Wake("INSERT INTO snailmail_letter (state) VALUES ('pending')", "letter in the queue: 1"),
    "mailing": Wake(
        "INSERT INTO mailing_mailing (subject, state) VALUES ('News', 'in_queue')", "mailing in the queue: 1"
    ),
    "post": Wake("INSERT INTO social_post (state) VALUES ('scheduled')", "post in the queue: 1"),
    "whatsapp": Wake("INSERT INTO whatsapp_message (state) VALUES ('outgoing')", "WhatsApp message in the queue: 1"),
    "job": Wake(
        "INSERT INTO queue_job (uuid, name, state) VALUES ('u1', 'push', 'pending')", "queue job: 1 (queue_job: u1)"
    ),
    "payment": Wake(
        "INSERT INTO payment_provider (code, state, stripe_secret_key) VALUES ('stripe', 'enabled', 'sk_live')",
        "payment provider: 1 (payment_provider: stripe)",
    ),
    "carrier": Wake(
        "INSERT INTO delivery_carrier (delivery_type, active, prod_environment) VALUES ('fixed', true, true)",
        "carrier in production: 1",
    ),
    "carrier-of-another": Wake(
        "INSERT INTO delivery_carrier (delivery_type, active) VALUES ('ups', true)", "carrier of another company: 1"
    ),
    "iap": Wake(
        "INSERT INTO iap_account (service_name, account_token) VALUES ('sms', 'abc')",
        "account of in-app purchases: 1 (iap_account: sms)",
    ),
    "oauth": Wake("INSERT INTO auth_oauth_provider (name, enabled) VALUES ('Other', true)", "OAuth provider: 1"),
    "webhook": Wake(
        "INSERT INTO ir_act_server (state, webhook_url) VALUES ('webhook', 'https://hook.example')", "webhook: 1"
    ),
    "google": Wake("UPDATE res_users_settings SET google_calendar_rtoken = 'r'", "token of a Google calendar: 1"),
    "microsoft": Wake("UPDATE res_users SET microsoft_calendar_rtoken = 'r'", "token of a Microsoft calendar: 1"),
    "push": Wake("INSERT INTO mail_push_device (endpoint) VALUES ('https://push.example')", "push device: 1"),
    "website": Wake("UPDATE website SET domain = 'https://shop.example'", "domain of a website: 1"),
    "bucket": Wake("INSERT INTO fs_storage (name, options) VALUES ('s3', '{\"key\": 1}')", "storage outside"),
    "location": Wake(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('ir_attachment.location', 's3')"
        " ON CONFLICT (key) DO UPDATE SET value = 's3'",
        "place of attachments outside: 1",
    ),
    "code": Wake(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('database.enterprise_code', 'M1')", "subscription's code"
    ),
    "uuid": Wake("UPDATE ir_config_parameter SET value = 'one' WHERE key = 'database.uuid'", "its source's"),
    "secret": Wake("DELETE FROM ir_config_parameter WHERE key = 'database.secret'", "no database.secret"),
    "flag": Wake("UPDATE ir_config_parameter SET value = 'False' WHERE key = 'database.is_neutralized'", "the flag"),
    "url": Wake(
        "UPDATE ir_config_parameter SET value = 'https://x.example' WHERE key = 'web.base.url'", "web.base.url is"
    ),
    "freeze": Wake("DELETE FROM ir_config_parameter WHERE key = 'web.base.url.freeze'", "not frozen"),
}


def pack(modules: Sequence[str], sql: Mapping[str, str], *, series: str, native: bool) -> ReleaseCode:
    """What a release of these add-ons says of itself."""
    text = json.dumps({"modules": list(modules), "sql": dict(sql)})
    return ReleaseCode(series, native, len(modules), base64.b64encode(zlib.compress(text.encode())).decode())


NATIVE_18 = {
    "base": "UPDATE ir_mail_server SET active = false;\n"
    "INSERT INTO ir_mail_server (name, smtp_port, smtp_host, smtp_encryption, active, smtp_authentication)"
    " VALUES ('neutralization - disable emails', 1025, 'invalid', 'none', true, 'login');\n-- a comment at the end",
    "mail": "UPDATE fetchmail_server SET active = false; TRUNCATE mail_push;",
    "sale": "DROP TABLE sale_order;",
}
CODE_18 = pack(["base", "mail", "sale", "web"], NATIVE_18, series="18.0", native=True)


def build(server: Server, name: str, *, template: str | None = None) -> None:
    """An empty database of the owner's, or a copy, that is this instance's building one."""
    if not server.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,)):
        server.query(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")
    source = f"TEMPLATE {template}" if template else "TEMPLATE template0"
    server.query(f"CREATE DATABASE {name} OWNER {OWNER} {source}")
    mark(server, name, "building")


def mark(server: Server, name: str, role: str, instance: str = INSTANCE) -> None:
    """Say whose database it is."""
    text = json.dumps({"mooring": 1, "instance": instance, "role": role})
    server.query(f"COMMENT ON DATABASE {name} IS '{text}'")


def run(server: Server, name: str, text: str) -> list[Any]:
    """Statements as the owner; the rows of the last."""
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user=OWNER, password=PASSWORD, dbname=name, autocommit=True
    ) as link:
        found = link.execute(text.encode())
        while found.nextset():
            pass
        return found.fetchall() if found.description else []


def build_18(server: Server, name: str) -> None:
    """A database like that of an Odoo 18, in which everything is alive."""
    build(server, name)
    run(server, name, TABLES_18)
    run(server, name, BASE_ROWS)
    for key, wake in WAKE_18.items():
        if key not in {"no-mail-server", "secret", "flag", "url", "freeze", "code", "location", "uuid"}:
            run(server, name, wake.sql)


def neutralize(server: Server, name: str, **changes: Any) -> DatabaseNeutralize:
    """The document of `database-neutralize`."""
    given: dict[str, Any] = {
        "connection": server.connection(OWNER, PASSWORD),
        "fence": Fence("op-copy", 1, 5),
        "instance": INSTANCE,
        "database": name,
        "release": CODE_18,
        "base_url": URL,
        **changes,
    }
    return DatabaseNeutralize(**given)


def verify(server: Server, name: str, **changes: Any) -> DatabaseVerifyNeutral:
    """The document of `database-verify-neutral`."""
    given: dict[str, Any] = {"connection": server.connection(OWNER, PASSWORD), "database": name, "base_url": URL}
    return DatabaseVerifyNeutral(**{**given, **changes})


def count(server: Server, name: str, older_than: str | None = None) -> OutgoingCount:
    """The document of `outgoing-count`."""
    return OutgoingCount(server.connection(OWNER, PASSWORD), name, older_than)


def cancel(server: Server, name: str, older_than: str, *kinds: Any, attempt: int = 1) -> OutgoingCancel:
    """The document of `outgoing-cancel`."""
    fence = Fence("op-release", attempt, 5)
    return OutgoingCancel(server.connection(OWNER, PASSWORD), fence, INSTANCE, name, older_than, kinds)


def parameter(server: Server, name: str, key: str) -> str | None:
    """The value of a system parameter."""
    rows = server.query("SELECT value FROM ir_config_parameter WHERE key = %s", (key,), database=name)
    return str(rows[0][0]) if rows else None
