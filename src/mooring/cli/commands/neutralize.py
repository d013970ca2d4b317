# SPDX-License-Identifier: Apache-2.0
"""`mooring neutralize`: keeps a Staging instance from acting on the world once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "neutralize",
    short="Keep a Staging instance from acting on the world, again.",
    examples=("mooring neutralize shop-test",),
)
@click.argument("name")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, wait: bool) -> int:
    """Keep the Staging instance NAME from acting on the world, again.

    Every copy is neutral before anybody sees it, and after each of its upgrades. This does the same once more: after people
    switched something on in it, or after `neutralize.sql` of its manifest was changed. The instance is stopped meanwhile.

    A Production instance is refused.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance
    from mooring.cli.verbs import ask_for
    from mooring.domain.instance.ledger import load_ledger
    from mooring.domain.work.copy_errors import ProductionData

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        settled = load_ledger(doc.status.get("ledger")).environment
        if settled == "Production":
            raise ProductionData(f"{doc.ref} is a Production instance: its data is what it acts with.")
        await ask_for(app, doc.ref, "OdooOperation", {"type": "Neutralize"}, verb="neutralize", wait=wait)

    run(options, work)
    return 0
