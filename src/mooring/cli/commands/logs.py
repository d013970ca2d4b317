# SPDX-License-Identifier: Apache-2.0
"""`mooring logs`: the log of an instance's processes, or of its database server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "logs",
    short="Show the log of an instance's processes.",
    examples=("mooring logs shop -f", "mooring logs shop --role cron --lines 500", "mooring logs shop --server"),
)
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@click.option("--role", type=click.Choice(("web", "cron", "mail")), default="web", show_default=True, help="Whose log.")
@click.option("--server", is_flag=True, help="The log of the instance's database server instead.")
@click.option("--lines", type=click.IntRange(0), default=100, show_default=True, help="How many lines from the end.")
def command(options: Options, name: str, *, follow: bool, role: str, server: bool, lines: int) -> int:
    """Show the log of the processes of the instance NAME.

    With several replicas each line begins with the replica's name. `-o json` prints one object a line, `-o yaml` one
    document.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance
    from mooring.cli.output import print_item, print_text
    from mooring.cli.servers import server_of
    from mooring.targets.errors import NotRunning

    async def work(app: App) -> None:
        if server:
            ref, place = await server_of(app, name), "database"
        else:
            ref, place = (await find_instance(app, name)).ref, role
        target = await app.target()
        try:
            async for line in target.logs(ref, role=place, follow=follow, lines=lines):
                if options.output == "table":
                    print_text(line)
                else:
                    print_item(options, {"type": "log", "role": place, "line": line})
        except NotRunning as error:
            # It may never have run: then what keeps it from starting is what to look at.
            problem = getattr(await app.documents.get(ref), "status", {}).get("problem") or {}
            if not problem.get("brief"):
                raise
            raise NotRunning(
                error.brief, details=str(problem["brief"]), resolution=problem.get("resolution") or None
            ) from error

    run(options, work)
    return 0
