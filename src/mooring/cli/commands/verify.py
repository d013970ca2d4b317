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
    from mooring.domain.model.identity import Ref


@declare(
    "verify",
    short="Verify that an instance's backup can be restored.",
    examples=(
        "mooring verify shop",
        "mooring verify shop --read-data",
        "mooring verify shop --snapshot 5f2c90aa --read-data=10",
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
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, snapshot: str, read_data: int, wait: bool) -> int:
    """Verify a snapshot of the instance NAME: everything that it needs is there and of its size.

    With --read-data every byte of it is read and compared. What is damaged is named. Nothing is changed or stopped.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.names import find_instance
    from mooring.cli.output import print_text
    from mooring.cli.verbs import ask_for

    if not 0 <= read_data <= 100:
        raise BadRequest(f"--read-data {read_data} is no share.", resolution="Give a number from 0 to 100.")
    spec: dict[str, Any] = {"type": "Verify"}
    if snapshot != "latest":
        spec["to"] = {"snapshot": snapshot}
    if read_data:
        spec["readData"] = read_data

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        operation = await ask_for(app, doc.ref, "OdooOperation", spec, verb="verify", wait=wait)
        if wait and options.output == "table":
            print_text(_describe(await _results(app, operation)))

    run(options, work)
    return 0


async def _results(app: App, operation: Ref) -> Mapping[str, Any]:
    """What each step of the operation gave, by its name."""
    from mooring.control.operations import read_operation

    doc = await app.documents.get(operation)
    log = read_operation(doc).log if doc is not None else ()
    return {one.step: one.result for one in log if one.state == "done" and isinstance(one.result, Mapping)}


def _describe(results: Mapping[str, Any]) -> str:
    from mooring.cli.output import render_bytes
    from mooring.domain.instance.verified import VERIFY

    found = results.get(VERIFY)
    if found is None:
        return "Nothing was found."
    text = f"Snapshot {found['snapshot'][:12]} of {found['time']} is sound: {found['files']} files"
    text += f", {render_bytes(found['readBytes'])} read" if found["packs"] else ", nothing read"
    text += f", in {found['durationMs'] / 1000:.1f} s."
    if found["state"] != "Complete":
        text += " It lacks files that were missing before it was taken."
    return text
