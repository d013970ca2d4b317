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


@declare("snapshots", short="List the snapshots of an instance.", examples=("mooring snapshots shop",))
@click.argument("name")
@click.option("--repository", metavar="NAME", help="BackupRepository to look into instead of the instance's own.")
@click.option("--limit", default=50, metavar="N", show_default=True, help="At most so many, the newest first.")
def command(options: Options, name: str, *, repository: str | None, limit: int) -> int:
    """List the snapshots of the instance NAME, the newest first."""
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
