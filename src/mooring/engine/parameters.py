# SPDX-License-Identifier: Apache-2.0
"""Read and write Odoo's system parameters. Called by tasks that have a session in an Odoo's database."""

from __future__ import annotations

from mooring.drivers.postgres import Session


def read_parameter(session: Session, key: str) -> str | None:
    """The value; None where there is none."""
    query = "SELECT value FROM public.ir_config_parameter WHERE key = %s"
    found = session.value(query, (key,), doing=f"look for {key}")
    return None if found is None else str(found)


def ensure_parameter(session: Session, key: str, value: str) -> bool:
    """Give the parameter this value; whether it had another."""
    count = session.execute(
        "INSERT INTO public.ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date)"
        " VALUES (%s, %s, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')"
        " ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, write_date = EXCLUDED.write_date"
        " WHERE ir_config_parameter.value IS DISTINCT FROM EXCLUDED.value",
        (key, value),
        doing=f"set {key}",
    )
    return bool(count)
