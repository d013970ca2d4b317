# SPDX-License-Identifier: Apache-2.0
"""`mooring verify`: asks for the operation Verify, and says what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "verify",
    short="Verify that an instance's backup can be restored.",
    examples=(
        "mooring verify shop",
        "mooring verify shop --read-data",
        "mooring verify shop --snapshot 5f2c90aa --read-data=10",
        "mooring verify shop --restore",
    ),
)
@click.argument("name")
@click.option("--snapshot", default="latest", metavar="ID", help="First digits of its id; the newest by default.")
@click.option(
    "--read-data",
    is_flag=False,
    flag_value=100,
    default=0,
    type=int,
    metavar="PERCENT",
    help="Read and compare its content, too, or this share of it.",
)
@click.option("--restore", is_flag=True, help="A drill: restore it aside, try it, and remove all of that.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, snapshot: str, read_data: int, restore: bool, wait: bool) -> int:
    """Verify a snapshot of the instance NAME: everything that it needs is there and of its size.

    With --read-data every byte of it is read and compared. With --restore it is restored on a database server of its own,
    neutralized, compared, and a page is served from it; how long that took is the recovery time to expect. What is damaged
    is named. Nothing of the instance is changed or stopped.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.names import find_instance
    from mooring.cli.output import print_text
    from mooring.cli.verbs import ask_for
    from mooring.control.operations import read_operation
    from mooring.domain.operations.drill import recovery_seconds

    if not 0 <= read_data <= 100:
        raise BadRequest(f"--read-data {read_data} is no share.", resolution="Give a number from 0 to 100.")
    spec: dict[str, Any] = {"type": "Verify"}
    if snapshot != "latest":
        spec["to"] = {"snapshot": snapshot}
    if read_data:
        spec["readData"] = read_data
    if restore:
        spec["restore"] = True

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        operation = await ask_for(app, doc.ref, "OdooOperation", spec, verb="verify", wait=wait)
        if wait and options.output == "table":
            record = await app.documents.get(operation)
            log = read_operation(record).log if record is not None else ()
            print_text(_describe({one.step: one.result for one in log if one.state == "done"}, recovery_seconds(log)))

    run(options, work)
    return 0


def _describe(results: Mapping[str, Any], recovery_s: int) -> str:
    from mooring.cli.output import render_bytes, render_seconds
    from mooring.domain.instance.verified import VERIFY
    from mooring.domain.operations.aside import BUILD, BUILD_FILES

    found = results.get(VERIFY)
    if found is None:
        return "Nothing was found."
    text = f"Snapshot {found['snapshot'][:12]} of {found['time']} is sound: {found['files']} files"
    text += f", {render_bytes(found['readBytes'])} read" if found["packs"] else ", nothing read"
    text += f", in {found['durationMs'] / 1000:.1f} s."
    if found["state"] != "Complete":
        text += " It lacks files that were missing before it was taken."
    if recovery_s:
        database, files = results[BUILD], results[BUILD_FILES]
        text += (
            f"\nIt was restored aside: {database['rows']} rows in {database['tables']} tables and {files['files']} files are "
            f"as they were, it is neutral, and it serves a page. Recovery time to expect: {render_seconds(recovery_s)}."
        )
    return text
