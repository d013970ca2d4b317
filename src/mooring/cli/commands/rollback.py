# SPDX-License-Identifier: Apache-2.0
"""`mooring rollback`: returns to the release and the data before the last upgrade."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "rollback",
    short="Return to the release and data before the last upgrade.",
    examples=("mooring rollback shop", "mooring rollback shop --yes"),
)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, yes: bool, wait: bool) -> int:
    """Return the instance NAME to its release and data before the last upgrade.

    What was written since that upgrade is given up. The release that it leaves is not taken up again until the manifest
    changes.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.names import find_instance, operations_of
    from mooring.cli.verbs import ask_for
    from mooring.control.errors import NothingToReturnTo
    from mooring.domain.instance.ledger import load_ledger

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        ledger = load_ledger(doc.status.get("ledger"))
        if ledger.previous is None:
            raise NothingToReturnTo(f"{doc.ref} has no earlier release with its data.")
        before, now = ledger.release(ledger.previous.digest), ledger.release(ledger.runs)
        upgrade = next(
            (one for one in await operations_of(app, doc.ref) if one.doc.id == ledger.previous.operation), None
        )
        since = str(upgrade.doc.status.get("completionTime", "")) if upgrade is not None else ""
        text = (
            f"{doc.ref.name} returns from {now.release.source if now else 'its release'} to "
            f"{before.release.source if before else 'the release before'}. Everything that was written to it since the "
            f"upgrade{f' at {since}' if since else ''} is given up: records, attachments, mail."
        )
        app.progress.line(text)
        if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
            raise NotConfirmed(f"{doc.ref.name} was not rolled back.")
        await ask_for(app, doc.ref, "OdooOperation", {"type": "Rollback"}, verb="rollback", wait=wait)

    run(options, work)
    return 0
