# SPDX-License-Identifier: Apache-2.0
"""`mooring restore`: brings a snapshot of an instance back in place of its present data."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "restore",
    short="Bring a snapshot of an instance back.",
    examples=("mooring restore shop", "mooring restore shop --snapshot 5f2c90aa --yes"),
)
@click.argument("name")
@click.option("--snapshot", default="latest", metavar="ID", help="Which one (default: the newest).")
@click.option("--repository", metavar="NAME", help="BackupRepository to read instead of the instance's own.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, snapshot: str, repository: str | None, yes: bool, wait: bool) -> int:
    """Bring a snapshot back in place of the present data of the instance NAME.

    It is built beside the present data, checked and tried while users work on, and then takes its place. What it replaced
    is kept: `mooring rollback` returns to it. Afterwards cron stays away until `mooring release-hold`, since mail and jobs
    of the time between would be sent again.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.names import find_instance
    from mooring.cli.verbs import ask_for
    from mooring.domain.instance.ledger import load_ledger

    source: dict[str, Any] = {"snapshot": snapshot}
    if repository is not None:
        source["repository"] = repository

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        if load_ledger(doc.status.get("ledger")).initialized:
            which = "the newest snapshot" if snapshot == "latest" else f"the snapshot {snapshot}"
            app.progress.line(
                f"{doc.ref.name} goes back to {which}. What was written since is kept aside, and not in use any more."
            )
            if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
                raise NotConfirmed(f"{doc.ref.name} was not restored.")
        await ask_for(app, doc.ref, "OdooRestoreJob", {"source": source}, verb="restore", wait=wait)

    run(options, work)
    return 0
