# SPDX-License-Identifier: Apache-2.0
"""`mooring promote`: makes production of a Staging instance, and says what a person has to turn on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.domain.model.identity import Ref


@declare(
    "promote",
    short="Make production of a staging instance.",
    examples=("mooring promote shop-staging", "mooring promote shop-staging --yes -o json"),
)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, yes: bool, wait: bool) -> int:
    """Make production of the Staging instance NAME: it reaches the world, and its mail goes out.

    There is no way back. What was switched off when its data was neutralized stays off: scheduled actions, mail servers,
    payment providers and the like. At its end they are listed, and you turn on in Odoo what production needs.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.names import find_instance
    from mooring.cli.verbs import ask_for
    from mooring.control.errors import NotStaging
    from mooring.domain.instance.ledger import load_ledger

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        if load_ledger(doc.status.get("ledger")).environment != "Staging":
            raise NotStaging(f"{doc.ref} is no Staging instance.")
        app.progress.line(
            f"{doc.ref.name} becomes production: it restarts, reaches the world, and its mail goes to people. There is no way "
            "back to Staging. What was switched off stays off until you turn it on in Odoo."
        )
        if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
            raise NotConfirmed(f"{doc.ref.name} was not promoted.")
        operation = await ask_for(app, doc.ref, "OdooOperation", {"type": "Promote"}, verb="promote", wait=wait)
        if wait and options.output == "table":
            await _say_what_stays_off(app, operation)

    run(options, work)
    return 0


async def _say_what_stays_off(app: App, operation: Ref) -> None:
    """What the operation's record has of it, which `mooring operations show` shows too."""
    from mooring.cli.output import print_text
    from mooring.control.requests import read_request
    from mooring.domain.operations.promote import FORGET

    record = await read_request(await app.services(), operation)
    log = record.log if record is not None else ()
    found: Any = next((one.result for one in reversed(log) if one.step == FORGET and one.state == "done"), None) or {}
    off = found.get("off", ())
    if not off:
        return
    print_text("Off, as in the copy that it was; turn on in Odoo what production needs:")
    for one in off:
        print_text(f"  {one['rows']:>5}  {one['what']}")
    if found.get("baseUrl"):
        print_text(f"Its address in Odoo (web.base.url) is {found['baseUrl']}, frozen.")
