# SPDX-License-Identifier: Apache-2.0
"""What the verbs that ask for one operation share: write its document, lead the instance, say how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mooring.api.kinds import Manifest
from mooring.cli.context import App, run
from mooring.cli.driving import lead, view
from mooring.cli.names import find_instance
from mooring.cli.options import Options
from mooring.cli.output import mark_phase, print_result, print_text, style_for
from mooring.control.accept import accept_manifests
from mooring.control.requests import build_request
from mooring.domain.model.identity import Ref


def ask(options: Options, name: str, kind: str, spec: Mapping[str, Any], *, verb: str, wait: bool) -> int:
    """Ask for an operation on the instance `name` and wait for its end.

    Args:
        kind: of the operation's document.
        spec: besides `instanceRef`.
        verb: what the person typed.

    Raises:
        UnknownInstance: there is none of that name.
        MooringError: it was refused, or did not succeed.
    """

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        await ask_for(app, doc.ref, kind, spec, verb=verb, wait=wait)

    run(options, work)
    return 0


async def ask_for(
    app: App,
    instance: Ref,
    kind: str,
    spec: Mapping[str, Any],
    *,
    verb: str,
    wait: bool,
    together: Sequence[Manifest] = (),
    identities: Mapping[Ref, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Ref:
    """As `ask`, within a command that has more to do; the operation's document.

    Args:
        together: manifests that are written with it, all or none.
        identities: ids of instances among them whose data comes from a snapshot.
        more: what the result says besides, as data.
    """
    request = build_request(instance, kind, spec, verb=verb)
    written = await accept_manifests(await app.services(), [*together, request], identities=identities)
    operation = written[-1].doc.ref
    if wait:
        await lead(app, [instance], operations=[operation])
    app.progress.close()
    doc = await app.documents.get(instance)
    row = {**(view(doc) if doc is not None else {}), "operation": operation.name, **(more or {})}
    if app.options.output != "table":
        print_result(app.options, row)
    elif not wait:
        print_text(f"{operation.name} is recorded; the agent, or the next command on {instance.name}, carries it out.")
    else:
        style = style_for(app.options)
        url = f" at {row['url']}" if row.get("url") and row["phase"] == "Running" else ""
        print_text(f"{instance.name}: {mark_phase(style, row['phase'])}{url}")
    return operation
