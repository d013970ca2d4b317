# SPDX-License-Identifier: Apache-2.0
"""`mooring template`: the prepared databases that new instances are copied from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options, group
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mooring.cli.context import App
    from mooring.domain.templates.tasks import Prune


@group(
    "template",
    short="List, make and drop what new instances are copied from.",
    examples=("mooring template build shop", "mooring template list"),
)
def command() -> None:
    """Look after templates: databases in which only Odoo's own installation ran, from which new ones are copied."""


@declare("list", short="List the templates of a database server.", examples=("mooring template list",))
@click.argument("server", default="default")
def list_templates(options: Options, *, server: str) -> int:
    """List the templates of the DatabaseServer SERVER (`default` where it is left out), the last used first."""
    from mooring.domain.templates.tasks import Prune

    return _show(options, _prune(options, server, Prune()))


@declare("build", short="Make the template of an instance.", examples=("mooring template build shop",))
@click.argument("name")
def build(options: Options, name: str) -> int:
    """Make what further instances like NAME start from: its release, modules, language and country, none of its data.

    Odoo installs the modules anew, in a database of its own; NAME is not touched.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance
    from mooring.cli.output import print_data, print_text
    from mooring.control.templates import build_template

    async def work(app: App) -> tuple[str, bool]:
        doc = await find_instance(app, name)
        await app.prepare()
        return await build_template(await app.services(), doc.ref, timeout_s=options.timeout_s)

    template, made = run(options, work)
    if options.output != "table":
        print_data(options, {"id": template, "made": made})
        return 0
    print_text(f"Template {template} {'was made' if made else 'is there already'}.")
    return 0


@declare(
    "prune",
    short="Drop templates that are too old or too many.",
    examples=("mooring template prune", "mooring template prune --id 0f3a…", "mooring template prune --all"),
)
@click.argument("server", default="default")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Drop this one as well; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Drop all of them.")
def prune(options: Options, *, server: str, ids: tuple[str, ...], everything: bool) -> int:
    """Drop templates of the DatabaseServer SERVER by its spec.templates, and what an interrupted build left.

    No instance loses anything: what was copied from a template does not need it.
    """
    from mooring.domain.templates.tasks import Prune

    chosen = Prune(keep=0) if everything else None
    result = _prune(options, server, chosen, also=ids)
    return _show(options, result)


def _prune(options: Options, name: str, chosen: Prune | None, *, also: tuple[str, ...] = ()) -> Mapping[str, Any]:
    from mooring.cli.context import run
    from mooring.control.services import server_ref
    from mooring.control.template_stock import prune_templates, server_bounds
    from mooring.control.templates import sweep_places
    from mooring.domain.templates.tasks import Prune

    async def work(app: App) -> Mapping[str, Any]:
        services = await app.services()
        await app.prepare()
        server = server_ref(options.place, name)
        given = chosen
        if given is None:
            bounds = await server_bounds(services, server)
            given = Prune(bounds.keep, bounds.max_age_s, also)
        if given != Prune():
            await sweep_places(services, server)
        return await prune_templates(services, server, given)

    return run(options, work)


def _show(options: Options, result: Mapping[str, Any]) -> int:
    from mooring.cli.output import print_data, print_text, render_bytes, render_table

    if options.output != "table":
        print_data(options, dict(result))
        return 0
    for template in result["dropped"]:
        print_text(f"Dropped {template}.")
    rows = [
        (
            one["id"],
            one["used"],
            render_bytes(one["sizeBytes"]),
            one["about"].get("release", ""),
            one["about"].get("modules", ""),
            " ".join(filter(None, (one["about"].get("language"), one["about"].get("country")))),
        )
        for one in result["templates"]
    ]
    print_text(render_table(("TEMPLATE", "LAST USED", "SIZE", "RELEASE", "MODULES", "LANGUAGE"), rows))
    return 0


command.add_command(list_templates)
command.add_command(build)
command.add_command(prune)
