# SPDX-License-Identifier: Apache-2.0
"""`mooring clone`: a new staging copy of an instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "clone",
    short="Make a new staging copy of an instance.",
    examples=("mooring clone shop shop-staging", "mooring clone shop try-1 --no-wait"),
)
@click.argument("source")
@click.argument("new")
@click.option("--wait/--no-wait", default=True, help="Wait until it runs (default), or only write its record.")
def command(options: Options, source: str, new: str, *, wait: bool) -> int:
    """Make the instance NEW, a Staging copy of the instance SOURCE.

    It gets the manifest of SOURCE without what belongs to that alone: host names, ports, backups, webhooks, passwords. Its
    data is a copy of what SOURCE holds now, neutralized and proved neutral before any Odoo sees it. SOURCE runs on and is only
    read. For a copy with other settings write a manifest with `stagingOf: {name: SOURCE}` and apply it; to renew one that is
    there, `mooring refresh`.
    """
    from mooring.api.base import API_VERSION
    from mooring.api.loader import load_resource
    from mooring.cli.context import run
    from mooring.cli.driving import lead, view
    from mooring.cli.errors import BadRequest
    from mooring.cli.names import find_instance, instance_of
    from mooring.cli.output import mark_phase, print_result, print_text, style_for
    from mooring.control.accept import accept_manifests
    from mooring.domain.instance.clone import render_clone
    from mooring.domain.instance.ledger import load_ledger
    from mooring.domain.work.live_copy_errors import SourceUnavailable

    async def work(app: App) -> None:
        doc, ref = await find_instance(app, source), instance_of(options, new)
        if await app.documents.get(ref) is not None:
            raise BadRequest(f"{ref} is there already: `mooring refresh {new} --from {source}` renews a staging copy.")
        ledger = load_ledger(doc.status.get("ledger"))
        release = ledger.release(ledger.runs)
        if not ledger.initialized or release is None:
            raise SourceUnavailable(f"{doc.ref} has no data yet: there is nothing to copy.")
        data = {
            "apiVersion": API_VERSION,
            "kind": "OdooInstance",
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "spec": render_clone(doc.spec, source=doc.ref.name, runs=release.release.source),
        }
        manifest = load_resource(data, source=f"the clone of {doc.ref.name}")
        await accept_manifests(await app.services(), [manifest])
        if wait:
            await lead(app, [ref])
        app.progress.close()
        made = await app.documents.get(ref)
        row = view(made) if made is not None else {"name": ref.name}
        if app.options.output != "table":
            print_result(app.options, row)
        elif not wait:
            print_text(f"{ref.name} is recorded; the agent, or the next command on it, makes it.")
        else:
            url = f" at {row['url']}" if row.get("url") else ""
            print_text(f"{ref.name}: {mark_phase(style_for(app.options), row['phase'])}{url}")

    run(options, work)
    return 0
