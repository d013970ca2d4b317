# SPDX-License-Identifier: Apache-2.0
"""`mooring adopt`: goes on with what an installation made, after its state directory was lost."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.control.adopt import Adopted, FileReader
    from mooring.domain.instance.subject import PinnedRelease
    from mooring.domain.model.observed import Found


@declare(
    "adopt",
    short="Go on with what runs, after the state directory was lost.",
    examples=("mooring adopt", "mooring adopt --installation 0b6f7f9e-93c1-4a1c-8f4e-3a4c1f0d2b77 --yes"),
)
@click.option("--installation", metavar="ID", help="The lost installation, where objects of several are found.")
@click.option("--yes", is_flag=True, help="Do not ask before stepping in for another installation.")
def command(options: Options, *, installation: str | None, yes: bool) -> int:
    """Take up again what runs and what is kept on the target, after the state directory was lost.

    The new, empty state directory takes over the id that the objects carry. Generated secrets are read back from where they
    are in use, and records from the labels of what runs. What could not be told is said: apply its manifest again. Nothing
    is stopped or changed here, and records that are there stay as they are.

    Never adopt what another Mooring still works with: two would work on the same objects.
    """
    from mooring.cli.context import run
    from mooring.cli.output import print_result, print_text, render_table

    found, own = run(options, lambda app: _adopt(app, installation, yes=yes))
    rows = [
        {
            "kind": one.ref.kind,
            "namespace": one.ref.namespace,
            "name": one.ref.name,
            "release": one.release,
            "workloads": list(one.workloads),
            "volumes": list(one.volumes),
            "recovered": list(one.recovered),
            "lost": list(one.lost),
            "recorded": one.recorded,
            "unfinished": one.unfinished,
        }
        for one in found
    ]
    if options.output != "table":
        print_result(options, {"installation": own, "items": rows})
        return 0
    table = [
        (str(one.ref), one.release, ", ".join(one.volumes), ", ".join(one.recovered), ", ".join(one.lost))
        for one in found
    ]
    print_text(render_table(("FOUND", "RELEASE", "VOLUMES", "SECRETS RECOVERED", "SECRETS LOST"), table))
    for one in found:
        if one.unfinished and not one.recorded:
            print_text(
                f"\n{one.unfinished} was changing the data of {one.ref} when the records were lost. Its copies of before"
                "\nare beside the data: look at it before you apply its manifest."
            )
    missing = [str(one.ref) for one in found if not one.recorded]
    if missing:
        print_text(f"\nWhat is wanted of {', '.join(missing)} is in your manifests: `mooring apply -f FILE` for each.")
    print_text(
        "\nLabels hold no secrets: where a manifest has `webhook`, or passwords in `configOptions`, apply it again,"
    )
    print_text(
        "before `mooring agent` starts. The password of Odoo's user `admin` is as it was, and only people know it."
    )
    return 0


async def _adopt(app: App, installation: str | None, *, yes: bool) -> tuple[list[Adopted], str]:
    from mooring.cli.errors import NotConfirmed
    from mooring.control.adopt import choose_installation, recover
    from mooring.control.adopt_records import learn_release, restore_records

    target = await _reader(app)
    found = await target.inventory()
    fresh = not await app.documents.list()
    chosen = choose_installation(found, app.state.installation, fresh=fresh, wanted=installation)
    if chosen != app.state.installation:
        text = f"{app.state.path} becomes the installation {chosen}. Is its own state directory lost, and no agent of it alive?"
        if not yes and not (sys.stdin.isatty() and click.confirm(text, err=True)):
            raise NotConfirmed(f"{text} Nothing was adopted.")
        await app.become(chosen)
        target = await _reader(app)
    adopted = await recover(found, target, app.secrets, app.documents, installation=chosen)
    services = await app.services()

    async def learn(one: Found) -> PinnedRelease | None:
        return await learn_release(services, one)

    await restore_records(found, app.documents, learn, installation=chosen, now=app.clock.now())
    return [replace(one, recorded=await app.documents.get(one.ref) is not None) for one in adopted], chosen


async def _reader(app: App) -> FileReader:
    from mooring.cli.errors import UnknownTarget
    from mooring.control.adopt import FileReader

    target = await app.target()
    if not isinstance(target, FileReader):
        raise UnknownTarget(
            f"From the target {target.capabilities.name} nothing can be adopted: its records are kept there.",
            resolution="Name another target with -t.",
        )
    return target
