# SPDX-License-Identifier: Apache-2.0
"""`mooring delete`: takes an instance away; its data only by its name given again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.drivers.documents import Document


@declare(
    "delete",
    short="Remove an instance; its data stays unless --purge.",
    examples=(
        "mooring delete shop",
        "mooring delete shop --purge --confirm shop",
        "mooring delete default --server",
    ),
)
@click.argument("name")
@click.option("--purge", is_flag=True, help="Throw its database, filestore and secrets away, too.")
@click.option("--confirm", metavar="NAME", help="The instance's name again, for --purge without a terminal.")
@click.option("--server", is_flag=True, help="NAME is a database server that no instance uses any more.")
@click.option("--wait/--no-wait", default=True, help="Wait until it is gone (default), or only ask for it.")
def command(options: Options, name: str, *, purge: bool, confirm: str | None, server: bool, wait: bool) -> int:
    """Remove the instance NAME.

    Its database, its filestore and its secrets stay: a manifest of the same name and namespace takes them back. With
    --purge, or `deletionPolicy: Delete` in the manifest, they are thrown away; then the name is asked for once more. An
    external database without adminSecretRef stays even then: the command says how to drop it.
    """
    from mooring.api.enums import DeletionPolicy
    from mooring.cli.context import run
    from mooring.cli.driving import lead
    from mooring.cli.names import find_instance, spec_of_document
    from mooring.cli.output import print_result, print_text
    from mooring.control.requests import request_deletion

    if server:
        return _delete_server(options, name, purge=purge, confirm=confirm)

    async def work(app: App) -> tuple[bool, list[dict[str, str]]]:
        doc = await find_instance(app, name)
        thrown = purge or spec_of_document(doc).deletion_policy is DeletionPolicy.DELETE
        if thrown:
            _confirm(doc.ref.name, confirm)
        kept = await _kept(app, doc, purge=thrown)
        await request_deletion(await app.services(), doc.ref, purge=thrown)
        if wait:
            await lead(app, [doc.ref])
        return thrown, kept

    thrown, kept = run(options, work)
    database = next((f"database {one['name']} on {one['server']}" for one in kept if one["kind"] == "database"), "")
    if options.output != "table":
        print_result(options, {"name": name, "purged": thrown, "gone": wait, "kept": kept})
    elif not wait:
        print_text(f"{name} will be removed by the agent, or by the next `mooring delete {name}`.")
    elif thrown and not kept:
        print_text(f"{name} is gone, with all its data.")
    elif thrown:
        print_text(f"{name} is gone, with its filestore. The {database} stays: nobody here may drop it.")
        print_text(f"Its owner or an administrator can: {kept[0]['drop']}")
    else:
        place = database or "no database was made"
        print_text(f"{name} is gone. Its data stays ({place}, and the filestore's volume): apply its manifest again, ")
        print_text("under the same name and namespace, and it is back.")
    return 0


async def _kept(app: App, doc: Document, *, purge: bool) -> list[dict[str, str]]:
    """[{kind: database|filestore, name, server, drop}]: the data that stays; `drop` is the SQL that a person may run.

    An external database stays even with --purge where Mooring knows no role that may drop it.
    """
    from mooring.cli.names import spec_of_document
    from mooring.cli.servers import external_of

    external = await external_of(app, doc, spec_of_document(doc))
    name = (doc.status.get("database") or {}).get("name", "")
    server = (doc.status.get("database") or {}).get("server", "")
    if external is not None:
        server = f"{external[0].host}:{external[0].port}"
    database = {"kind": "database", "name": name, "server": server}
    if not purge:
        return [*((database,) if name else ()), {"kind": "filestore"}]
    if external is None or external[1] or not name:
        return []
    quoted = name.replace('"', '""')
    return [{**database, "drop": f'DROP DATABASE "{quoted}";'}]


def _delete_server(options: Options, name: str, *, purge: bool, confirm: str | None) -> int:
    from mooring.cli.context import run
    from mooring.cli.names import instance_of
    from mooring.cli.output import print_result, print_text
    from mooring.control.services import server_ref
    from mooring.control.teardown import forget_server

    place = instance_of(options, name)
    ref = server_ref(place.namespace, place.name)
    if purge:
        _confirm(ref.name, confirm)

    async def work(app: App) -> None:
        await forget_server(await app.services(), ref, purge=purge)

    run(options, work)
    if options.output != "table":
        print_result(options, {"name": name, "purged": purge, "gone": True})
    else:
        print_text(f"The server {name} is gone{', with all its data' if purge else '; its data stays'}.")
    return 0


def _confirm(name: str, given: str | None) -> None:
    from mooring.control.errors import NameNotConfirmed

    if given is None and sys.stdin.isatty():
        given = click.prompt(f"All data of {name} will be lost. Its name, to confirm", err=True)
    if given != name:
        raise NameNotConfirmed(
            f"The data of {name} is thrown away only when its name is given again."
            if given is None
            else f"{given!r} is not {name!r}.",
            resolution=f"Add `--confirm {name}`; without --purge the data stays.",
        )
