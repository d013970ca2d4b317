# SPDX-License-Identifier: Apache-2.0
"""`mooring list`: all instances and database servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App

KINDS = ("OdooInstance", "DatabaseServer")


@declare(
    "list",
    short="List instances and database servers.",
    examples=("mooring list", "mooring list -n team --instances -o json"),
)
@click.option("--instances", is_flag=True, help="Only instances.")
def command(options: Options, *, instances: bool) -> int:
    """List instances and database servers of all namespaces, or of the one that -n names.

    What is shown is what is on record; `mooring status NAME` also looks at the engine.
    """
    from mooring.cli.context import run
    from mooring.cli.driving import view
    from mooring.cli.output import mark_phase, print_data, print_text, render_age, render_table, style_for

    async def work(app: App) -> tuple[list[dict[str, Any]], Any]:
        found = [doc for kind in KINDS[: 1 if instances else 2] for doc in await app.documents.list(kind)]
        kept = [doc for doc in found if options.namespace in (None, doc.ref.namespace)]
        return [view(doc) for doc in kept], app.clock.now()

    rows, now = run(options, work)
    if options.output != "table":
        print_data(options, rows)
        return 0
    if not rows:
        print_text("There is nothing yet. `mooring init shop` writes a first manifest.")
        return 0
    style = style_for(options)
    spaced = any(row["namespace"] != "default" for row in rows)
    table = [
        (
            *((row["namespace"],) if spaced else ()),
            row["name"] if row["kind"] == "OdooInstance" else f"{row['name']} ({row['kind']})",
            mark_phase(style, row["phase"]),
            row["environment"] or "-",
            row["url"] or "-",
            row["release"] or "-",
            render_age(row["created"], now),
        )
        for row in rows
    ]
    head = (*(("NAMESPACE",) if spaced else ()), "NAME", "PHASE", "ENVIRONMENT", "URL", "RELEASE", "AGE")
    print_text(render_table(head, table))
    return 0
