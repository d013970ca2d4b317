# SPDX-License-Identifier: Apache-2.0
"""Give a copy an identity of its own, a mail server that sends nothing, and a banner. Inside the caller's transaction.

The identity is made once for a copy of an instance and stays when it is neutralized again, so that sessions live on through an
upgrade. Sources: ir_config_parameter.py of 14.0 to 20.0 (`init`), data/neutralize.sql of base (16.0).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mooring.domain.odoo.neutralize import IDENTITY, SINK_NAME
from mooring.domain.odoo.neutralize_banner import ARCH, KEY, NATIVE_KEY, PARENT, WEBSITE_KEY
from mooring.domain.work.neutralize import DatabaseNeutralize
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.marks import now
from mooring.engine.neutralize.schema import Table, has
from mooring.engine.parameters import ensure_parameter, read_parameter

Banner = Literal["odoo", "mooring", "none"]


@dataclass(frozen=True)
class Remembered:
    """What a copy remembers: for which instance it got its identity, and a digest of the one before."""

    instance: str
    origin: str | None


def digest(text: str) -> str:
    """SHA-256 of a `database.uuid`, in hex: enough to compare, nothing to use."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


def read_remembered(session: Session) -> Remembered | None:
    """What the copy remembers; None where nothing readable is there."""
    try:
        value: Any = json.loads(read_parameter(session, IDENTITY) or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("instance"), str):
        return None
    origin = value.get("origin")
    return Remembered(value["instance"], origin if isinstance(origin, str) else None)


def ensure_identity(session: Session, document: DatabaseNeutralize) -> tuple[bool, str | None]:
    """New `database.uuid` and `database.secret`, unless this instance's copy has its own.

    Returns:
        Whether they are new, and the digest of the `database.uuid` before.
    """
    present = read_parameter(session, "database.uuid")
    remembered = read_remembered(session)
    if (
        remembered is not None
        and remembered.instance == document.instance
        and present
        and digest(present) != remembered.origin
        and read_parameter(session, "database.secret")
    ):
        return False, remembered.origin
    origin = digest(present) if present else None
    ensure_parameter(session, "database.uuid", str(uuid.uuid4()))
    ensure_parameter(session, "database.secret", str(uuid.uuid4()))
    moment = session.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')", doing="read the time")
    ensure_parameter(session, "database.create_date", str(moment))
    ensure_parameter(session, IDENTITY, json.dumps({"instance": document.instance, "origin": origin, "at": now()}))
    return True, origin


def ensure_address(session: Session, document: DatabaseNeutralize) -> None:
    """The copy's own address, which no login rewrites, and the flag that Odoo's own modules ask."""
    ensure_parameter(session, "web.base.url", document.base_url)
    ensure_parameter(session, "web.base.url.freeze", "True")
    ensure_parameter(session, "database.is_neutralized", "true")


def ensure_sink(session: Session, tables: Mapping[str, Table], document: DatabaseNeutralize) -> None:
    """One active mail server, which leads to the sink: without any, Odoo would take the one of its configuration."""
    columns = tables["ir_mail_server"]
    rows = session.rows(
        "SELECT id FROM public.ir_mail_server WHERE name = %s ORDER BY id", (SINK_NAME,), doing="look for the sink"
    )
    values: dict[str, object] = {
        "name": SINK_NAME,
        "smtp_host": document.sink_host,
        "smtp_port": document.sink_port,
        "smtp_encryption": "none",
        "smtp_user": None,
        "smtp_pass": None,
        "smtp_debug": False,
        "smtp_authentication": "login",
        "from_filter": None,
        "sequence": 1,
        "active": True,
    }
    given = {name: value for name, value in values.items() if name in columns}
    names = SQL(", ").join(Identifier(name) for name in given)
    if not rows:
        holes = SQL(", ").join(SQL("%s") for _ in given)
        query = SQL("INSERT INTO public.ir_mail_server ({}) VALUES ({})").format(names, holes)
        session.execute(query, tuple(given.values()), doing="make the sink")
        return
    kept = rows[0][0]
    # Odoo's own neutralization adds one each time.
    session.execute(
        "DELETE FROM public.ir_mail_server WHERE name = %s AND id <> %s", (SINK_NAME, kept), doing="keep one sink"
    )
    sets = SQL(", ").join(SQL("{} = %s").format(Identifier(name)) for name in given)
    query = SQL("UPDATE public.ir_mail_server SET {} WHERE id = %s").format(sets)
    session.execute(query, (*given.values(), kept), doing="set the sink")


def ensure_banner(session: Session, tables: Mapping[str, Table]) -> Banner:
    """Odoo's own banner where it has one, else a view of ours."""
    if not has(tables, "ir_ui_view", "key", "arch_db", "inherit_id", "mode", "active"):
        return "none"
    found = session.value(
        "SELECT count(*) FROM public.ir_ui_view WHERE key = %s", (NATIVE_KEY,), doing="look for Odoo's banner"
    )
    if found:
        query = "UPDATE public.ir_ui_view SET active = true WHERE key = ANY (%s) AND active IS DISTINCT FROM true"
        session.execute(query, ([NATIVE_KEY, WEBSITE_KEY],), doing="show Odoo's banner")
        return "odoo"
    parent = session.value(
        "SELECT d.res_id FROM public.ir_model_data d JOIN public.ir_ui_view v ON v.id = d.res_id"
        " WHERE d.model = 'ir.ui.view' AND d.module = %s AND d.name = %s",
        PARENT,
        doing="look for the page",
    )
    if parent is None or tables["ir_ui_view"]["arch_db"].kind != "text":
        return "none"
    count = session.execute(
        "UPDATE public.ir_ui_view SET arch_db = %s, inherit_id = %s, active = true WHERE key = %s",
        (ARCH, parent, KEY),
        doing="show the banner",
    )
    if not count:
        session.execute(
            "INSERT INTO public.ir_ui_view (name, key, type, mode, priority, active, inherit_id, arch_db, create_uid,"
            " write_uid, create_date, write_date) VALUES ('Copy of a database', %s, 'qweb', 'extension', 99, true, %s, %s, 1,"
            " 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')",
            (KEY, parent, ARCH),
            doing="make the banner",
        )
    return "mooring"
