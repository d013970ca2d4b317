# SPDX-License-Identifier: Apache-2.0
"""`mooring upgrade`: updates modules on the same release, or brings a new image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.drivers.documents import Document


@declare(
    "upgrade",
    short="Upgrade an instance: modules, or a new image.",
    examples=(
        "mooring upgrade shop",
        "mooring upgrade shop --modules sale,stock --install fleet",
        "mooring upgrade shop --image odoo:18.0-20261101",
    ),
)
@click.argument("name")
@click.option("--modules", metavar="NAMES", help="Modules to update, separated by commas; all if none are named.")
@click.option("--install", metavar="NAMES", help="Modules to install besides, separated by commas.")
@click.option("--image", metavar="IMAGE", help="New release: changes spec.image on record, and updates all modules.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(
    options: Options, name: str, *, modules: str | None, install: str | None, image: str | None, wait: bool
) -> int:
    """Upgrade the instance NAME.

    Users are kept away, a safety copy of database and filestore is made, modules are updated and checked, and a probe
    answers before users are let in again. Whatever fails is taken back. An upgrade that failed before is tried again.

    With --image, write the image into your manifest, too: the next `apply` carries out what the manifest says.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.names import find_instance
    from mooring.cli.verbs import ask_for

    if image is not None and (modules is not None or install is not None):
        raise BadRequest(
            "--image updates all modules of the new release by itself.",
            resolution="Leave --modules and --install out; install modules in a second upgrade.",
        )
    spec: dict[str, Any] = {}
    if modules is not None or install is None:
        spec["modules"] = _names(modules) or ["all"]
    if install is not None:
        spec["install"] = _names(install)

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        if image is not None and await _change_image(app, doc, image, wait=wait):
            return
        await ask_for(app, doc.ref, "OdooUpgradeJob", spec, verb="upgrade", wait=wait)

    run(options, work)
    return 0


async def _change_image(app: App, doc: Document, image: str, *, wait: bool) -> bool:
    """Record the new image; whether that upgrades by itself (then it is done) or has to be asked for besides."""
    from mooring.api.base import API_VERSION
    from mooring.api.loader import load_resource
    from mooring.cli.applying import apply_manifests
    from mooring.cli.names import spec_of_document
    from mooring.control.accept import accept_manifests

    metadata = {"name": doc.ref.name, "namespace": doc.ref.namespace}
    metadata |= {key: doc.meta[key] for key in ("labels", "annotations") if doc.meta.get(key)}
    data = {"apiVersion": API_VERSION, "kind": doc.ref.kind, "metadata": metadata, "spec": {**doc.spec, "image": image}}
    manifest = load_resource(data, source=f"{doc.ref.name} with --image")
    alone = spec_of_document(doc).auto_upgrade.enabled and doc.spec.get("image") != image
    if alone:
        await apply_manifests(app, [manifest], wait=wait)
    else:
        await accept_manifests(await app.services(), [manifest])
    return alone


def _names(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]
