# SPDX-License-Identifier: Apache-2.0
"""What of a copy could still act on the world: questions to the database, whoever neutralized it and however. Data only.

They share nothing with `neutralize_rules`: what a rule forgets, or a later Odoo run wakes up again, is found here. A row that
a check finds is alive. Checks of tables that are not there are passed over; those of `ALWAYS` have to be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, LiteralString

ALWAYS: Final = ("ir_cron", "ir_mail_server", "ir_config_parameter", "ir_model_data", "res_users")
"""Tables of every Odoo: without one of them nothing is proved."""


@dataclass(frozen=True)
class Check:
    """Rows that must not be there.

    Attributes:
        what: for people: what is alive.
        where: condition of a living row.
        needs: columns that it reads; without one of them the check does not apply.
        names: columns that name a row to people; the first that is there is used, else its id. Of messages only the id: what
            they say and to whom is nobody's business here.
    """

    what: str
    table: str
    where: LiteralString
    needs: tuple[str, ...] = ()
    names: tuple[str, ...] = ("name",)


CHECKS: Final[tuple[Check, ...]] = (
    Check(
        "scheduled action",
        "ir_cron",
        "active AND NOT EXISTS (SELECT FROM public.ir_model_data d WHERE d.model = 'ir.cron' AND d.res_id = t.id"
        " AND d.module = 'base' AND d.name = 'autovacuum_job')",
        ("active",),
        ("cron_name", "name"),
    ),
    Check("incoming mail server", "fetchmail_server", "active", ("active",)),
    Check("mail in the queue", "mail_mail", "state IN ('outgoing', 'exception')", ("state",), ()),
    Check("scheduled notification", "mail_message_schedule", "true", (), ()),
    Check("scheduled message", "mail_scheduled_message", "true", (), ()),
    Check("SMS in the queue", "sms_sms", "state NOT IN ('sent', 'canceled')", ("state",), ()),
    Check("letter in the queue", "snailmail_letter", "state NOT IN ('sent', 'canceled')", ("state",), ()),
    Check("mailing in the queue", "mailing_mailing", "state NOT IN ('draft', 'done')", ("state",), ()),
    Check("post in the queue", "social_post", "state NOT IN ('draft', 'posted')", ("state",), ()),
    Check("WhatsApp message in the queue", "whatsapp_message", "state = 'outgoing'", ("state",), ()),
    Check(
        "queue job",
        "queue_job",
        "state NOT IN ('done', 'failed', 'cancelled')",
        ("state",),
        ("uuid",),
    ),
    Check("payment provider", "payment_acquirer", "state NOT IN ('disabled', 'test')", ("state",)),
    Check("payment provider", "payment_provider", "state NOT IN ('disabled', 'test')", ("state",), ("code", "name")),
    Check("carrier in production", "delivery_carrier", "prod_environment", ("prod_environment",)),
    Check(
        "carrier of another company",
        "delivery_carrier",
        "active AND delivery_type NOT IN ('fixed', 'base_on_rule')",
        ("active", "delivery_type"),
        ("delivery_type",),
    ),
    Check(
        "account of in-app purchases",
        "iap_account",
        "account_token <> '' AND account_token NOT LIKE '%+disabled'",
        ("account_token",),
        ("service_name",),
    ),
    Check("OAuth provider", "auth_oauth_provider", "enabled", ("enabled",)),
    Check("webhook", "ir_act_server", "state = 'webhook' AND webhook_url ~* '^https?:'", ("state", "webhook_url"), ()),
    Check(
        "token of a Google calendar",
        "res_users",
        "google_calendar_rtoken <> ''",
        ("google_calendar_rtoken",),
        ("login",),
    ),
    Check(
        "token of a Google calendar",
        "res_users_settings",
        "google_calendar_rtoken <> ''",
        ("google_calendar_rtoken",),
        ("user_id",),
    ),
    Check(
        "token of a Google calendar",
        "google_calendar_credentials",
        "calendar_rtoken <> ''",
        ("calendar_rtoken",),
        (),
    ),
    Check(
        "token of a Microsoft calendar",
        "res_users",
        "microsoft_calendar_rtoken <> ''",
        ("microsoft_calendar_rtoken",),
        ("login",),
    ),
    Check(
        "token of a Microsoft calendar",
        "res_users_settings",
        "microsoft_calendar_rtoken <> ''",
        ("microsoft_calendar_rtoken",),
        ("user_id",),
    ),
    Check("push device", "mail_push_device", "true", (), ()),
    Check("push device", "mail_partner_device", "true", (), ()),
    Check("domain of a website", "website", "domain <> ''", ("domain",), ("domain",)),
    Check("storage outside with credentials", "fs_storage", "options <> ''", ("options",)),
    Check(
        "place of attachments outside",
        "ir_config_parameter",
        "key = 'ir_attachment.location' AND value NOT IN ('file', 'db')",
        ("key", "value"),
        ("value",),
    ),
    Check("subscription's code", "ir_config_parameter", "key = 'database.enterprise_code'", ("key",), ("key",)),
)
"""Asked one by one; every living row of every check is reported."""
