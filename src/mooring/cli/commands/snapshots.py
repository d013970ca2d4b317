# SPDX-License-Identifier: Apache-2.0
"""`mooring snapshots`: what an instance's repository holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "snapshots",
    short="List the snapshots of an instance.",
    examples=("mooring snapshots shop", "mooring snapshots show 5f2c90aa --files"),
)
@click.argument("name")
@click.argument("snapshot", required=False)
@click.option("--files", is_flag=True, help="With show: every file in it, with its size.")
@click.option("--repository", metavar="NAME", help="BackupRepository to look into instead of the instance's own.")
@click.option("--limit", default=50, metavar="N", show_default=True, help="At most so many, the newest first.")
def command(
    options: Options, name: str, snapshot: str | None, *, files: bool, repository: str | None, limit: int
) -> int:
    """List the snapshots of the instance NAME, the newest first; or, with show SNAPSHOT, say what one holds.

    Without --repository the only one of the namespace is looked into for show.
    """
    if name == "show" and snapshot is not None:
        return _show(options, snapshot, files=files, repository=repository)
    if snapshot is not None or files:
        from mooring.cli.errors import BadRequest

        raise BadRequest("What a snapshot holds is told by `mooring snapshots show ID`.")
    from mooring.cli.context import run
    from mooring.cli.names import find_instance, spec_of_document
    from mooring.cli.output import print_data, print_text
    from mooring.cli.repositories import render_snapshots
    from mooring.control.repositories import find_repository
    from mooring.control.repository_tasks import run_repository_task
    from mooring.domain.operations.errors import RepositoryNotNamed
    from mooring.domain.work.repository_work import SnapshotList

    async def work(app: App) -> Mapping[str, Any]:
        doc = await find_instance(app, name)
        where = repository or spec_of_document(doc).backup.repository
        if where is None:
            raise RepositoryNotNamed(f"{doc.ref} names no backup repository.")
        services = await app.services()
        access = await find_repository(services, doc.ref.namespace, where)
        document = SnapshotList(access.settings(), instance=doc.id, limit=limit)
        return await run_repository_task(services, access, document, timeout_s=options.timeout_s)

    result = run(options, work)
    if options.output != "table":
        print_data(options, dict(result))
        return 0
    print_text(render_snapshots(options, result["snapshots"]))
    for text in result["damaged"]:
        print_text(f"cannot be read: {text}")
    return 0


def _show(options: Options, snapshot: str, *, files: bool, repository: str | None) -> int:
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.output import print_data, print_text, render_bytes
    from mooring.cli.parts import read_list

    async def work(app: App) -> tuple[Mapping[str, Any], list[str]]:
        where = repository
        if where is None:
            here = sorted({one.ref.name for one in await app.documents.list("BackupRepository")})
            if len(here) != 1:
                raise BadRequest(
                    f"There are {len(here)} repositories here.",
                    resolution="Give --repository NAME: it names where to look.",
                )
            (where,) = here
        return await read_list(app, where, snapshot=snapshot, instance=None)

    result, lines = run(options, work)
    pairs = [(name, int(size)) for size, _, name in (line.partition(" ") for line in lines)]
    row = result["snapshot"]
    if options.output != "table":
        listed = [{"name": name, "sizeBytes": size} for name, size in pairs]
        print_data(options, {**row, **({"entries": listed} if files else {})})
        return 0
    print_text(
        f"{row['id']}  {row['time']}  {row['namespace']}/{row['name']}  {row['state']}  Odoo {row['series']}\n"
        f"{'with' if row['database'] else 'without'} database, {row['files']} attachments, "
        f"{render_bytes(row['content'])} in all"
    )
    for name, size in pairs if files else [one for one in pairs if not one[0].startswith("filestore/")]:
        print_text(f"{render_bytes(size):>12}  {name}")
    return 0
