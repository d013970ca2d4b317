# SPDX-License-Identifier: Apache-2.0
"""`mooring upgrade`: updates modules on the same release, or brings a new image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.domain.model.identity import Ref
    from mooring.drivers.documents import Document


@declare(
    "upgrade",
    short="Upgrade an instance: modules, or a new image.",
    examples=(
        "mooring upgrade shop",
        "mooring upgrade shop --modules sale,stock --install fleet",
        "mooring upgrade shop --modules all --no-backup",
        "mooring upgrade shop --image odoo:18.0-20261101",
    ),
)
@click.argument("name")
@click.option(
    "--modules",
    metavar="NAMES",
    help="Modules to update, separated by commas; `changed` for those whose files changed, `all` for all. Left out, with "
    "nothing to install: as autoUpgrade.modules says, which is `changed` by default.",
)
@click.option("--install", metavar="NAMES", help="Modules to install besides, separated by commas.")
@click.option(
    "--image", metavar="IMAGE", help="New release: changes spec.image on record, and updates what it changes."
)
@click.option(
    "--backup/--no-backup",
    default=None,
    help="Whether a backup is taken first, where the instance has a repository. Left out: as autoUpgrade.backupBefore says.",
)
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(
    options: Options,
    name: str,
    *,
    modules: str | None,
    install: str | None,
    image: str | None,
    backup: bool | None,
    wait: bool,
) -> int:
    """Upgrade the instance NAME.

    First it is found out, while users work, which modules' files changed since they were updated. Where nothing is to be done,
    nothing stops. Else a backup is taken, users are kept away, a safety copy of database and filestore is made, modules are
    updated and checked, and a probe answers before users are let in again. Whatever fails is taken back. An upgrade that failed
    before is tried again.

    With --image, write the image into your manifest, too: the next `apply` carries out what the manifest says.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.names import find_instance
    from mooring.cli.verbs import ask_for

    if image is not None and not (modules is None and install is None and backup is None):
        raise BadRequest(
            "--image updates what the new release changes by itself, as autoUpgrade says.",
            resolution="Leave --modules, --install and --backup out; install modules in a second upgrade.",
        )
    for option, given in (("--modules", modules), ("--install", install)):
        if given is not None and not _names(given):
            raise BadRequest(f"{option} names no module.", resolution="Name modules, or leave it out.")
    spec: dict[str, Any] = {}
    if modules is not None:
        spec["modules"] = _names(modules)
    if install is not None:
        spec["install"] = _names(install)
    if backup is not None:
        spec["backupBefore"] = backup

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        if image is not None and await _change_image(app, doc, image, wait=wait):
            return
        operation = await ask_for(app, doc.ref, "OdooUpgradeJob", spec, verb="upgrade", wait=wait)
        if wait and options.output == "table":
            await _tell(app, operation)

    run(options, work)
    return 0


async def _tell(app: App, operation: Ref) -> None:
    """Say what was updated: an upgrade that had nothing to do looks like one that did."""
    from mooring.cli.output import print_text
    from mooring.control.operations import read_operation
    from mooring.domain.instance.module_tasks import HASH

    doc = await app.documents.get(operation)
    found = [] if doc is None else [one.result for one in read_operation(doc).log if one.step == HASH and one.result]
    if found:
        done = ", ".join(found[-1]["touched"])
        print_text(f"Modules: {done}." if done else "No module changed: Odoo did not run.")


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
