# SPDX-License-Identifier: Apache-2.0
"""`mooring open`: an instance's address, in the browser where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare("open", short="Open an instance in the browser.", examples=("mooring open shop", "mooring open shop --print"))
@click.argument("name")
@click.option("--print", "only_print", is_flag=True, help="Only print the address.")
def command(options: Options, name: str, *, only_print: bool) -> int:
    """Open the address of the instance NAME in the browser, and print it."""
    import webbrowser

    from mooring.cli.context import run
    from mooring.cli.errors import NoAddress
    from mooring.cli.names import find_instance
    from mooring.cli.output import print_data, print_text

    async def work(app: App) -> str:
        doc = await find_instance(app, name)
        url = doc.status.get("url")
        if not url:
            raise NoAddress(f"{doc.ref} has no address yet.")
        return str(url)

    url = run(options, work)
    if options.output == "table":
        print_text(url)
    else:
        print_data(options, {"name": name, "url": url})
    # A browser of a text terminal would take the terminal over; only one with a display is opened.
    shown = options.environ.get("DISPLAY") or options.environ.get("WAYLAND_DISPLAY")
    if not only_print and options.output == "table" and shown:
        webbrowser.open(url)
    return 0
