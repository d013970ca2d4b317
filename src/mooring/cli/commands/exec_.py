# SPDX-License-Identifier: Apache-2.0
"""`mooring exec`: a command inside a running process's container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "exec",
    short="Run a command inside an instance.",
    examples=("mooring exec shop -- odoo --version", "mooring exec shop --role cron -- cat /etc/hosts"),
)
@click.argument("name")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--role", type=click.Choice(("web", "cron")), default="web", show_default=True, help="Where.")
@click.option("--server", is_flag=True, help="In the instance's database server instead.")
def command(options: Options, name: str, arguments: tuple[str, ...], *, role: str, server: bool) -> int:
    """Run a command, given after `--`, inside the first running replica of the instance NAME.

    It ends with the command's own exit code.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance
    from mooring.cli.outlet import has_terminal
    from mooring.cli.servers import server_of

    async def work(app: App) -> int:
        if server:
            ref, place = await server_of(app, name), "database"
        else:
            ref, place = (await find_instance(app, name)).ref, role
        target = await app.target()
        return await target.attach(ref, arguments, role=place, tty=has_terminal())

    return run(options, work)
