# SPDX-License-Identifier: Apache-2.0
"""Run SQL that others wrote, inside the caller's transaction and never out of it: the release's own, and the manifest's."""

from __future__ import annotations

from mooring.domain.work.errors import RightsMissing, SqlFailed
from mooring.domain.work.neutralize_errors import NeutralizeFailed
from mooring.drivers.postgres import Session

_RUN = "DO $mooring$ BEGIN EXECUTE pg_catalog.current_setting('mooring.script'); END $mooring$"


def run_script(session: Session, text: str, *, whose: str) -> None:
    """Run all statements of `text`; it may name tables without their schema, as Odoo does.

    PostgreSQL runs it inside a block of its procedural language, where it refuses `COMMIT` and `ROLLBACK`: whatever the text
    holds, all of the neutralization comes or none.

    Raises:
        NeutralizeFailed: one of them was refused; says whose.
    """
    use_public(session)
    session.execute("SELECT set_config('mooring.script', %s, true)", (text,), doing=f"hand over the SQL of {whose}")
    try:
        session.execute(_RUN, doing=f"run the SQL of {whose}")
    except (SqlFailed, RightsMissing) as fault:
        raise NeutralizeFailed(
            f"PostgreSQL refused the SQL of {whose}; nothing was changed.", details=fault.details
        ) from None
    use_public(session)


def use_public(session: Session) -> None:
    """Names without a schema mean Odoo's tables, until the transaction ends; triggers of its add-ons count on it."""
    session.execute("SET LOCAL search_path = public", doing="use Odoo's schema")
