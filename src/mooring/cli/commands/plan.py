# SPDX-License-Identifier: Apache-2.0
"""`mooring plan`: what apply would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.control.plan import InstancePlan


@declare(
    "plan",
    short="Show what apply would do, and do nothing.",
    examples=("mooring plan -f shop.yaml", "mooring plan -f shop.yaml -o json"),
)
@click.option("-f", "--file", "files", multiple=True, required=True, metavar="FILE", help="Manifest; `-` is stdin.")
def command(options: Options, files: tuple[str, ...]) -> int:
    """Show what apply would do, and do nothing.

    Each change says why it would be made and what users would notice: none, restart, downtime, data.
    """
    from mooring.cli.context import run
    from mooring.cli.manifests import read_manifests
    from mooring.cli.output import print_data, print_text, style_for
    from mooring.control.plan import plan_json, plan_manifests

    manifests = read_manifests(files, namespace=options.namespace)

    async def work(app: App) -> Sequence[InstancePlan]:
        return await plan_manifests(await app.services(), manifests)

    plans = run(options, work)
    if options.output != "table":
        print_data(options, plan_json(plans))
        return 0
    style = style_for(options)
    for one in plans:
        print_text(style.strong(str(one.ref)) + f": {_record(one)}")
        for change in one.changes:
            print_text(f"  {change.action:<8}{change.object}: {change.reason}  [{change.consequence}]")
        for operation in one.operations:
            print_text(f"  {'run':<8}{operation.type}: {operation.reason}  [{operation.consequence}]")
        for text in one.unknown:
            print_text(f"  {'?':<8}{text}")
        for text in one.notes:
            print_text(f"  {'note':<8}{text}")
    return 0


def _record(plan: InstancePlan) -> str:
    if plan.empty:
        return "nothing to do"
    words = {"created": "is new", "changed": "changes", "unchanged": "the manifest is as recorded"}
    return words.get(plan.record, plan.record)
