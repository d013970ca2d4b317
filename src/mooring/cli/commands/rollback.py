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
    from mooring.control.operations import Operation
    from mooring.drivers.documents import Document


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

    What was written since is given up: without --yes it is counted first, in the usual tables, and you are asked. The present
    data is kept aside. After an upgrade that updated no module the release alone goes back, and nothing is given up. What
    it leaves is not taken up again until the manifest changes.
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
        last = next((one for one in await operations_of(app, doc.ref) if one.doc.id == ledger.previous.operation), None)
        # A record goes some time; the replaced pair says when it was put aside, which is at most a little earlier.
        kept = next((one.since for one in ledger.kept if one.operation == ledger.previous.operation), "")
        since = _users_in_since(last) or kept
        text = (
            f"{doc.ref.name} returns from {now.release.source if now else 'its release'} to "
            f"{before.release.source if before else 'the release before'}. "
        )
        if ledger.previous.data:
            text += (
                f"Everything that was written to it since{f' {since}' if since else ' the upgrade'} is given up: records, "
                "attachments, mail. The present data is kept aside."
            )
        else:
            text += "No module was updated: the data stays as it is now."
        app.progress.line(text)
        if ledger.previous.data and not yes:
            await _count(app, doc, since)
        if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
            raise NotConfirmed(f"{doc.ref.name} was not rolled back.")
        await ask_for(app, doc.ref, "OdooOperation", {"type": "Rollback"}, verb="rollback", wait=wait)

    run(options, work)
    return 0


def _users_in_since(last: Operation | None) -> str:
    """When users were let in after the operation that is taken back, RFC 3339; empty where nobody knows."""
    from mooring.domain.instance.snapshot import rfc3339
    from mooring.domain.operations.aside import LET_IN
    from mooring.domain.operations.upgrade import SWITCH

    records = last.log if last is not None else ()
    return next((rfc3339(one.at) for one in records if one.step in (SWITCH, LET_IN) and one.state == "done"), "")


async def _count(app: App, doc: Document, since: str) -> None:
    """Show what would be given up; a count that cannot be had keeps nobody from going back."""
    from mooring.control.written import MOST_S, count_written
    from mooring.errors import MooringError

    if not since:
        app.progress.line("What was written since could not be counted: when users were let in is not on record.")
        return
    try:
        await app.prepare()
        found = await count_written(await app.services(), doc, since=since, timeout_s=MOST_S)
    except MooringError as error:
        app.progress.line(f"What was written since could not be counted: {error.brief}")
        return
    if found is None:
        app.progress.line("What was written since could not be counted.")
        return
    words = [f"{one.table}: {one.rows}{' or more' if one.more else ''}" for one in found.tables]
    app.progress.line(
        f"New or changed since: {', '.join(words)}." if words else "Nothing in the usual tables is newer."
    )
