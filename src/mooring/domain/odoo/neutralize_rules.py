# SPDX-License-Identifier: Apache-2.0
"""What Mooring itself keeps quiet in a copy: core and the usual add-ons, 14.0 to 20.0. Data only.

For 14.0 and 15.0, whose Odoo has no neutralization, this is all there is besides the manifest's SQL; from 16.0 it is a net
beneath Odoo's own. Names of tables, columns and states of 14.0 were read from a real database (with `queue_job` of the OCA);
those of later series come from the models' public sources. The order matters where a rule names another's table.
"""

from __future__ import annotations

from typing import Final

from mooring.domain.odoo.neutralize import KEPT_CRON, Delete, Expression, Flags, Parameter, Rule, Update

_NOW: Final = Expression("(now() AT TIME ZONE 'UTC')")
# What a mail server of a large provider is reached with instead of a password (google_gmail, microsoft_outlook).
_MAIL_TOKENS: Final = (
    ("google_gmail_authorization_code", None),
    ("google_gmail_refresh_token", None),
    ("google_gmail_access_token", None),
    ("microsoft_outlook_refresh_token", None),
    ("microsoft_outlook_access_token", None),
)

QUEUES: Final[tuple[Rule, ...]] = (
    Update("queued mail", "mail_mail", (("state", "cancel"),), "state IN ('outgoing', 'exception')", ("state",)),
    Delete("scheduled notifications", "mail_message_schedule"),
    Delete("scheduled messages", "mail_scheduled_message"),
    Update(
        "queued SMS",
        "sms_sms",
        (("state", "canceled"),),
        "state IN ('outgoing', 'process', 'pending', 'error')",
        ("state",),
    ),
    Update("letters", "snailmail_letter", (("state", "canceled"),), "state IN ('pending', 'error')", ("state",)),
    Update(
        "mailings",
        "mailing_mailing",
        (("state", "draft"), ("schedule_date", None)),
        "state IN ('in_queue', 'sending')",
        ("state",),
    ),
    Update("posts", "social_post", (("state", "draft"),), "state IN ('scheduled', 'posting')", ("state",)),
    Update("WhatsApp messages", "whatsapp_message", (("state", "cancel"),), "state = 'outgoing'", ("state",)),
    Update(
        "queue jobs",
        "queue_job",
        (("state", "cancelled"), ("date_cancelled", _NOW)),
        "state IN ('wait_dependencies', 'pending', 'enqueued', 'started')",
        ("state",),
    ),
)
"""What waits to be sent or done."""

RULES: Final[tuple[Rule, ...]] = (
    Update("scheduled actions", "ir_cron", (("active", False),), f"id NOT IN {KEPT_CRON}"),
    Delete("triggers of scheduled actions", "ir_cron_trigger"),
    Update("outgoing mail servers", "ir_mail_server", (("active", False), ("smtp_pass", None), *_MAIL_TOKENS)),
    # With state `done` Odoo's next write to any of them would start their scheduled action again.
    Update(
        "incoming mail servers",
        "fetchmail_server",
        (("active", False), ("state", "draft"), ("password", None), *_MAIL_TOKENS),
    ),
    *QUEUES,
    Update(
        "payment providers",
        "payment_acquirer",
        (("state", "disabled"),),
        "state NOT IN ('disabled', 'test')",
        ("state",),
    ),
    Update(
        "payment providers",
        "payment_provider",
        (("state", "disabled"),),
        "state NOT IN ('disabled', 'test')",
        ("state",),
    ),
    Update(
        "carriers",
        "delivery_carrier",
        (("active", False),),
        "delivery_type NOT IN ('fixed', 'base_on_rule')",
        ("delivery_type",),
    ),
    Update(
        "accounts of in-app purchases",
        "iap_account",
        (("account_token", Expression("split_part(account_token, '+', 1) || '+disabled'")),),
        "account_token NOT LIKE '%+disabled'",
        ("account_token",),
    ),
    Update("OAuth providers", "auth_oauth_provider", (("enabled", False),)),
    Update("OAuth tokens", "res_users", (("oauth_access_token", None),)),
    Update(
        "webhooks",
        "ir_act_server",
        (("webhook_url", "neutralization - disable webhook"),),
        "state = 'webhook'",
        ("state",),
    ),
    # Up to 16.0 in the user, from 15.0 in a row of its own, from 17.0 in the user's settings.
    *(
        Update(
            "calendars",
            table,
            (
                ("google_calendar_rtoken", None),
                ("google_calendar_token", None),
                ("google_calendar_token_validity", None),
                ("google_calendar_sync_token", None),
                ("google_synchronization_stopped", True),
                ("microsoft_calendar_token", None),
                ("microsoft_calendar_rtoken", None),
                ("microsoft_calendar_token_validity", None),
                ("microsoft_calendar_sync_token", None),
                ("microsoft_last_sync_date", None),
                ("microsoft_synchronization_stopped", True),
            ),
        )
        for table in ("res_users", "res_users_settings")
    ),
    Update(
        "calendars",
        "google_calendar_credentials",
        (
            ("calendar_rtoken", None),
            ("calendar_token", None),
            ("calendar_token_validity", None),
            ("calendar_sync_token", None),
            ("synchronization_stopped", True),
        ),
    ),
    Delete("push messages", "mail_push"),
    Delete("push messages", "mail_notification_web_push"),
    Delete("push devices", "mail_push_device"),
    Delete("push devices", "mail_partner_device"),
    Delete("push devices", "website_visitor_push_subscription"),
    Update("push devices", "website_visitor", (("push_token", None),)),
    Update("push devices", "res_partner", (("ocn_token", None),)),
    Update(
        "websites",
        "website",
        (
            ("domain", None),
            ("cdn_activated", False),
            ("robots_txt", "User-agent: *\nDisallow: /"),
            ("google_analytics_key", None),
            ("plausible_shared_key", None),
            ("firebase_enable_push_notifications", False),
        ),
    ),
    # A copy that reads production's bucket also deletes in it.
    Update("storages outside", "fs_storage", (("options", None),)),
)
"""Applied in this order, in every series."""

PARAMETERS: Final[tuple[Parameter, ...]] = (
    Parameter("mass_mailing.outgoing_mail_server", None),
    Parameter("mass_mailing.mail_server_id", None),
    Parameter("cloud_storage_provider", None),
    Parameter("odoo_ocn.project_id", None),
    Parameter("ocn.uuid", None),
    Parameter("iap_extract_endpoint", None),
    Parameter("database.enterprise_code", None),
    Parameter("account_edi_proxy_client.demo", "true", table="account_edi_proxy_client_user"),
)

ATTACHMENT_LOCATION: Final = "ir_attachment.location"
"""Where new attachments go; a copy keeps them to itself, unless it is one of `OWN_LOCATIONS`."""

OWN_LOCATIONS: Final = ("file", "db")

CREDENTIAL_PARAMETERS: Final = (
    r"(secret|token|passw|passphrase|credential|api_?key|app_?key|access_?key|private_?key|server_key)"
)
"""POSIX pattern, without case, of keys of system parameters that hold credentials; `PLAIN_VALUES` shows those that do not."""

PLAIN_VALUES: Final = r"^(true|false|none|[0-9]+([.][0-9]+)?|)$"

KEPT_PARAMETERS: Final = ("database.secret", "database.uuid")

CREDENTIAL_COLUMNS: Final = (
    r"(^|_)(api_?key|api_?secret|client_?secret|secret|secret_?key|private_?key|access_?key|refresh_?token|passphrase"
    r"|password|passwd|merchant_?key|hmac_?key|signature_?key|transaction_?key|client_?key|webhook_?key|shakey_(in|out))$"
    r"|._(access|api|bearer|proxy|pdt)_?token$|^(proxy|api|bearer)_?token$"
)
"""POSIX pattern of names of text columns that hold credentials; a document's own `access_token` is none."""

CREDENTIALS_NOT_IN: Final = (
    "res_users",
    "res_users_apikeys",
    "auth_passkey_key",
    "auth_totp_device",
    "auth_totp_wizard",
    "ir_ui_view",
    "ir_config_parameter",
)
"""What lets people into the copy itself, as into its source; parameters have rules of their own."""

FLAGS: Final[tuple[Flags, ...]] = (
    Flags(
        ("res_company", "pos_payment_method", "account_journal", "delivery_carrier"),
        r"_test_(env|mode|environment)$|_sandbox(_mode)?$",
        True,
    ),
    Flags(
        ("res_company", "pos_payment_method", "account_journal", "delivery_carrier"),
        r"(^|_)prod(uction)?_(env|mode|environment)$",
        False,
    ),
)
"""What connects companies to authorities and terminals to their makers, where its name says which of both it is."""
