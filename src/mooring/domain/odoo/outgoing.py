# SPDX-License-Identifier: Apache-2.0
"""What waits to be sent or done in production's database, and how it is cancelled. Data only; 14.0 to 20.0.

After data went back in time these would be sent or done a second time: `outgoing-count` counts them, `outgoing-cancel` cancels
those that can be. A due subscription or scheduled action is counted only: to skip it is a person's decision, in Odoo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, LiteralString

_UTC: Final[LiteralString] = "(now() AT TIME ZONE 'UTC')"


@dataclass(frozen=True)
class Queue:
    """Rows of one kind that wait.

    Attributes:
        kind: what they are; several queues of one kind are counted together.
        where: condition of a waiting row `t`.
        needs: columns that it reads.
        since: column with the time since when it waits; without time zone it is UTC, as Odoo writes it.
        cancel: columns and values that cancel it, as SQL; empty removes it; None cannot be cancelled.
    """

    kind: str
    table: str
    where: LiteralString
    needs: tuple[str, ...]
    since: str = "create_date"
    cancel: tuple[tuple[str, LiteralString], ...] | None = None


QUEUES: Final[tuple[Queue, ...]] = (
    Queue("mail", "mail_mail", "t.state = 'outgoing'", ("state",), cancel=(("state", "'cancel'"),)),
    Queue("scheduled-message", "mail_message_schedule", "true", (), cancel=()),
    Queue("scheduled-message", "mail_scheduled_message", "true", (), cancel=()),
    Queue(
        "sms",
        "sms_sms",
        "t.state IN ('outgoing', 'process')",
        ("state",),
        cancel=(("state", "'canceled'"),),
    ),
    Queue("letter", "snailmail_letter", "t.state = 'pending'", ("state",), cancel=(("state", "'canceled'"),)),
    Queue(
        "mailing",
        "mailing_mailing",
        "t.state IN ('in_queue', 'sending')",
        ("state",),
        cancel=(("state", "'draft'"), ("schedule_date", "NULL")),
    ),
    Queue("whatsapp", "whatsapp_message", "t.state = 'outgoing'", ("state",), cancel=(("state", "'cancel'"),)),
    Queue(
        "queue-job",
        "queue_job",
        "t.state IN ('wait_dependencies', 'pending', 'enqueued', 'started')",
        ("state",),
        since="date_created",
        cancel=(("state", "'cancelled'"), ("date_cancelled", _UTC)),
    ),
    # Enterprise up to 15.0: the stage says whether it runs. From 16.0 a subscription is a sales order.
    Queue(
        "subscription",
        "sale_subscription",
        "t.recurring_next_date <= current_date AND EXISTS"
        " (SELECT FROM public.sale_subscription_stage s WHERE s.id = t.stage_id AND s.category = 'progress')",
        ("recurring_next_date", "stage_id"),
        since="recurring_next_date",
    ),
    Queue(
        "subscription",
        "sale_order",
        "t.next_invoice_date <= current_date AND t.stage_category = 'progress'",
        ("next_invoice_date", "stage_category"),
        since="next_invoice_date",
    ),
    Queue(
        "subscription",
        "sale_order",
        "t.next_invoice_date <= current_date AND t.subscription_state = '3_progress'",
        ("next_invoice_date", "subscription_state"),
        since="next_invoice_date",
    ),
    # OCA's contract.
    Queue(
        "subscription",
        "contract_contract",
        "t.recurring_next_date <= current_date AND t.active",
        ("recurring_next_date", "active"),
        since="recurring_next_date",
    ),
    Queue("cron", "ir_cron", f"t.active AND t.nextcall <= {_UTC}", ("active", "nextcall"), since="nextcall"),
)
"""Every queue that is known; those whose table or columns are not there are passed over."""

CANCELLABLE: Final = frozenset(queue.kind for queue in QUEUES if queue.cancel is not None)
"""Kinds that `outgoing-cancel` takes."""
