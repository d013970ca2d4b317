# SPDX-License-Identifier: Apache-2.0
"""`mooring shell`: Odoo's Python shell in a running process's container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "shell",
    short="Open Odoo's Python shell on an instance.",
    examples=("mooring shell shop", "echo 'print(env.user.login)' | mooring shell shop"),
)
@click.argument("name")
@click.option("--role", type=click.Choice(("web", "cron")), default="cron", show_default=True, help="Beside whom.")
def command(options: Options, name: str, *, role: str) -> int:
    """Open Odoo's Python shell on the instance NAME, with `env`; `env.cr.commit()` keeps what was done.

    It reads standard input where that is no terminal, and ends with the shell's own exit code. It runs beside the cron
    process, so that its memory is not taken from what users wait for.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance
    from mooring.cli.outlet import has_terminal
    from mooring.control.errors import NotInitialized
    from mooring.domain.instance.ledger import load_ledger
    from mooring.domain.odoo.argv import argv_shell

    async def work(app: App) -> int:
        doc = await find_instance(app, name)
        ledger = load_ledger(doc.status.get("ledger"))
        release, database = ledger.release(ledger.runs), (doc.status.get("database") or {}).get("name")
        if release is None or not database or not ledger.initialized:
            raise NotInitialized(f"{doc.ref} has no database that Odoo has initialized.")
        argv = argv_shell(release.odoo, database=database, program=release.facts.program)
        target = await app.target()
        return await target.attach(doc.ref, argv, role=role, tty=has_terminal())

    return run(options, work)
