# SPDX-License-Identifier: Apache-2.0
"""`mooring release-hold`: lets cron run again after an instance's data went back in time."""

from __future__ import annotations

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare


@declare(
    "release-hold",
    short="Let cron run again after data went back in time.",
    examples=("mooring release-hold shop",),
)
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, wait: bool) -> int:
    """Let cron of the instance NAME run again.

    After a restore or a rollback cron stays away: queued mail, reminders and jobs of the time between would go out a second
    time. Look at them in Odoo first (Settings, Technical), and cancel what was already sent.
    """
    from mooring.cli.verbs import ask

    return ask(options, name, "OdooOperation", {"type": "ReleaseHold"}, verb="release-hold", wait=wait)
