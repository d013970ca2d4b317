# SPDX-License-Identifier: Apache-2.0
"""`mooring release-hold`: lets cron run again after an instance's data went back in time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.domain.work.neutralize import Waiting


@declare(
    "release-hold",
    short="Let cron run again after data went back in time.",
    examples=("mooring release-hold shop", "mooring release-hold shop --cancel-older"),
)
@click.argument("name")
@click.option(
    "--cancel-older/--keep",
    "cancel",
    default=None,
    help="Cancel what waits since before the return, or let it be sent. Left out: counts are shown, and you are asked.",
)
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, cancel: bool | None, wait: bool) -> int:
    """Let cron of the instance NAME run again.

    After a restore or a rollback cron stays away: what waited in the data that came back may have been sent since, and would
    go out a second time. Mail, scheduled messages, SMS, letters, mailings and queue jobs that wait are counted; those that
    wait since before the return can be cancelled. Due subscriptions and scheduled actions are counted only: whether they are
    skipped is decided in Odoo.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance
    from mooring.cli.verbs import ask_for
    from mooring.control.outgoing import count_outgoing
    from mooring.domain.instance.ledger import load_ledger

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        ledger = load_ledger(doc.status.get("ledger"))
        spec: dict[str, Any] = {"type": "ReleaseHold"}
        more: dict[str, Any] = {}
        if ledger.cron_held:
            await app.prepare()
            found = await count_outgoing(await app.services(), doc, timeout_s=options.timeout_s)
            app.progress.close()
            _show(app, found.waiting, since=ledger.cron_held_since)
            chosen = _choose(doc.ref.name, found.waiting, cancel, since=ledger.cron_held_since)
            more = {"since": ledger.cron_held_since or None, "cancelOlder": chosen}
            more["waiting"] = [one.to_json() for one in found.waiting]
            spec |= {"cancelOlder": chosen}
        elif cancel is not None:
            spec |= {"cancelOlder": cancel}
        await ask_for(app, doc.ref, "OdooOperation", spec, verb="release-hold", wait=wait, more=more)

    run(options, work)
    return 0


def _show(app: App, waiting: Sequence[Waiting], *, since: str) -> None:
    """What would be sent or done now, for a person; with -o json or yaml the result carries it."""
    from mooring.cli.output import print_text, render_table

    if app.options.output != "table":
        return
    rows = [
        (one.kind, str(one.total), str(one.older) if since else "?", "can be cancelled" if one.cancellable else "")
        for one in waiting
        if one.total
    ]
    if not rows:
        print_text("Nothing waits to be sent or done.")
        return
    print_text(render_table(("KIND", "WAITING", "BEFORE THE RETURN", ""), rows))
    if since:
        print_text(f"The data went back at {since}. What waits since before that may have been sent already.")


def _choose(name: str, waiting: Sequence[Waiting], cancel: bool | None, *, since: str) -> bool:
    """Whether what is older is cancelled: as it was said, else asked; nothing is asked where there is nothing.

    Raises:
        NotConfirmed: there is something, nobody said what becomes of it, and nobody can be asked.
    """
    from mooring.cli.errors import NotConfirmed

    if cancel is not None:
        return cancel
    old = {one.kind: one.older for one in waiting if one.cancellable and one.older}
    if not old:
        return False
    words = ", ".join(f"{count} {kind}" for kind, count in old.items())
    if not since:
        raise NotConfirmed(
            f"Cron of {name} stays held: {words} wait, and nobody wrote down when the data went back.",
            resolution="Cancel in Odoo what was sent already, then say --keep.",
        )
    if not sys.stdin.isatty():
        raise NotConfirmed(
            f"Cron of {name} stays held: {words} wait since before the return.",
            resolution="Say --cancel-older to cancel them, or --keep to let them be sent.",
        )
    answer = click.prompt(
        f"Cancel {words}? (cancel, keep, stop)", type=click.Choice(["cancel", "keep", "stop"]), err=True
    )
    if answer == "stop":
        raise NotConfirmed(f"Cron of {name} stays held.", resolution="Ask again when you know what was sent.")
    return bool(answer == "cancel")
