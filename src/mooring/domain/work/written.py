# SPDX-License-Identifier: Apache-2.0
"""The document of the task that counts what users wrote since a time: what a rollback gives up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection

USUAL_TABLES = (
    "res_partner",
    "res_users",
    "product_template",
    "sale_order",
    "purchase_order",
    "account_move",
    "account_payment",
    "stock_picking",
    "mrp_production",
    "pos_order",
    "crm_lead",
    "project_task",
    "helpdesk_ticket",
    "hr_leave",
    "hr_expense",
    "calendar_event",
    "mail_message",
    "ir_attachment",
)
"""Where people's own work is, in Odoo 14 to 20; those that a database has are counted."""
MOST = 10_000


@dataclass(frozen=True)
class WrittenCount(Document):
    """How many rows of the usual tables were written since a time. Owner's connection; changes nothing; gives `Written`.

    Attributes:
        since: RFC 3339, UTC.
    """

    TASK: ClassVar[str] = "written-count"

    connection: Connection
    database: str
    since: str


@dataclass(frozen=True)
class WrittenRows(Shape):
    """Rows of a table that were made or changed; `more` where counting ended at `MOST`, or took too long."""

    table: str
    rows: int
    more: bool


@dataclass(frozen=True)
class Written(Shape):
    """Result of `written-count`: the tables with any."""

    tables: tuple[WrittenRows, ...]
