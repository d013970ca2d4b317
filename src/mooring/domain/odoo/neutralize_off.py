# SPDX-License-Identifier: Apache-2.0
"""What stays off in a database that was neutralized, for the person who makes production of it. Data only.

Nothing remembers what was on before: what a copy had switched off, and what was never on, look alike. The rows are counted
where their table and columns are there (`mooring.engine.neutralize.promote`); sources as in `neutralize_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, LiteralString

from mooring.domain.odoo.neutralize import SINK_NAME


@dataclass(frozen=True)
class Off:
    """Rows of a table that are off.

    Attributes:
        what: for people, in the plural.
        where: condition.
        needs: columns that it reads.
    """

    what: str
    table: str
    where: LiteralString
    needs: tuple[str, ...]


OFF: Final[tuple[Off, ...]] = (
    Off("scheduled actions", "ir_cron", "active IS NOT TRUE", ("active",)),
    Off(
        "outgoing mail servers",
        "ir_mail_server",
        f"active IS NOT TRUE AND name <> '{SINK_NAME}'",
        ("active", "name"),
    ),
    Off("incoming mail servers", "fetchmail_server", "active IS NOT TRUE OR state <> 'done'", ("active", "state")),
    Off("mails that wait or failed", "mail_mail", "state IN ('outgoing', 'exception')", ("state",)),
    Off("payment providers", "payment_acquirer", "state = 'disabled'", ("state",)),
    Off("payment providers", "payment_provider", "state = 'disabled'", ("state",)),
    Off("carriers", "delivery_carrier", "active IS NOT TRUE", ("active",)),
    Off(
        "carriers in their test environment", "delivery_carrier", "prod_environment IS NOT TRUE", ("prod_environment",)
    ),
    Off("accounts of in-app purchases", "iap_account", "account_token LIKE '%+disabled'", ("account_token",)),
    Off("OAuth providers", "auth_oauth_provider", "enabled IS NOT TRUE", ("enabled",)),
    Off("webhooks", "ir_act_server", "webhook_url = 'neutralization - disable webhook'", ("webhook_url",)),
    Off("websites without a domain", "website", "coalesce(domain, '') = ''", ("domain",)),
)
