# SPDX-License-Identifier: Apache-2.0
"""`mooring mail`: what a Staging instance wanted to send, and its mail sink kept."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "mail",
    short="Read the mail that a staging instance did not send.",
    examples=("mooring mail shop-staging", "mooring mail shop-staging --show 12", "mooring mail shop-staging -o json"),
)
@click.argument("name")
@click.option("--show", "number", type=click.IntRange(1), help="Show this message as it came, with its headers.")
@click.option("--clear", is_flag=True, help="Remove all of them.")
@click.option("--last", type=click.IntRange(1), default=50, show_default=True, help="List so many from the end.")
def command(options: Options, name: str, *, number: int | None, clear: bool, last: int) -> int:
    """List the mail that the Staging instance NAME wanted to send.

    All of it ends in a mail sink beside the instance, which sends nothing on. It keeps the newest 256 MiB, and stays with the
    instance's data.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance
    from mooring.control.errors import NotStaging
    from mooring.domain.instance.ledger import load_ledger
    from mooring.domain.instance.subject import MAIL
    from mooring.domain.mailsink import READ_ARGV

    if number is not None and clear:
        raise click.UsageError("--show and --clear exclude each other.")
    words: tuple[str, ...] = ("list", "table" if options.output == "table" else "json", str(last))
    if number is not None:
        words = ("show", str(number))
    elif clear:
        words = ("clear",)

    async def work(app: App) -> int:
        doc = await find_instance(app, name)
        if load_ledger(doc.status.get("ledger")).environment != "Staging":
            raise NotStaging(f"{doc.ref} is no Staging instance: its mail goes out.")
        target = await app.target()
        sys.stdout.flush()
        return await target.attach(doc.ref, (*READ_ARGV, *words), role=MAIL, tty=False)

    return run(options, work)
