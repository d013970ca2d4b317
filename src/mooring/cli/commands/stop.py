# SPDX-License-Identifier: Apache-2.0
"""`mooring stop`: asks for the operation Stop."""

from __future__ import annotations

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare


@declare("stop", short="Stop an instance until it is started again.", examples=("mooring stop shop",))
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, wait: bool) -> int:
    """Stop the processes of the instance NAME, until `mooring start`.

    Its data stays, and so do its address and its port. `mooring apply` does not start it.
    """
    from mooring.cli.verbs import ask

    return ask(options, name, "OdooOperation", {"type": "Stop"}, verb="stop", wait=wait)
