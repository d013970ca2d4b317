# SPDX-License-Identifier: Apache-2.0
"""`mooring start`: asks for the operation Start."""

from __future__ import annotations

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare


@declare("start", short="Start a stopped instance.", examples=("mooring start shop",))
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, wait: bool) -> int:
    """Start the processes of the instance NAME after `mooring stop`."""
    from mooring.cli.verbs import ask

    return ask(options, name, "OdooOperation", {"type": "Start"}, verb="start", wait=wait)
