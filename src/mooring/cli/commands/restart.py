# SPDX-License-Identifier: Apache-2.0
"""`mooring restart`: asks for the operation Restart."""

from __future__ import annotations

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare


@declare("restart", short="Restart an instance's processes.", examples=("mooring restart shop",))
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, wait: bool) -> int:
    """Restart the web and cron processes of the instance NAME."""
    from mooring.cli.verbs import ask

    return ask(options, name, "OdooOperation", {"type": "Restart"}, verb="restart", wait=wait)
