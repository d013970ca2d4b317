# SPDX-License-Identifier: Apache-2.0
"""`mooring restore`: brings a snapshot of an instance back in place of its present data."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "restore",
    short="Bring a snapshot of an instance back.",
    examples=("mooring restore shop", "mooring restore shop --snapshot 5f2c90aa --yes"),
)
@click.argument("name")
@click.option("--snapshot", default="latest", metavar="ID", help="Which one (default: the newest).")
@click.option("--repository", metavar="NAME", help="BackupRepository to read instead of the instance's own.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(options: Options, name: str, *, snapshot: str, repository: str | None, yes: bool, wait: bool) -> int:
    """Bring a snapshot back in place of the present data of the instance NAME.

    It is built beside the present data, checked and tried while users work on, and then takes its place. What it replaced
    is kept: `mooring rollback` returns to it. Afterwards cron stays away until `mooring release-hold`, since mail and jobs
    of the time between would be sent again.

    An instance that is not there, on an empty machine, is brought back with its manifest from the repository that
    --repository names: apply that BackupRepository first.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.names import find_instance, instance_of
    from mooring.cli.verbs import ask_for
    from mooring.domain.instance.ledger import load_ledger

    source: dict[str, Any] = {"snapshot": snapshot}
    if repository is not None:
        source["repository"] = repository

    async def work(app: App) -> None:
        if repository is not None and await app.documents.get(instance_of(options, name)) is None:
            await _bring_back(app, name, repository, snapshot, yes=yes, wait=wait)
            return
        doc = await find_instance(app, name)
        if load_ledger(doc.status.get("ledger")).initialized:
            which = "the newest snapshot" if snapshot == "latest" else f"the snapshot {snapshot}"
            app.progress.line(
                f"{doc.ref.name} goes back to {which}. What was written since is kept aside, and not in use any more."
            )
            if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
                raise NotConfirmed(f"{doc.ref.name} was not restored.")
        await ask_for(app, doc.ref, "OdooRestoreJob", {"source": source}, verb="restore", wait=wait)

    run(options, work)
    return 0


async def _bring_back(app: App, name: str, repository: str, snapshot: str, *, yes: bool, wait: bool) -> None:
    """Write the record of an instance from its snapshot, under the id that it had, and ask for the restore at once."""
    import json

    from mooring.api.loader import load_resource
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.names import instance_of
    from mooring.cli.verbs import ask_for
    from mooring.control.errors import UnknownInstance
    from mooring.control.repositories import find_repository
    from mooring.control.repository_tasks import run_repository_task
    from mooring.domain.work.repository_work import SnapshotRead

    ref = instance_of(app.options, name)
    services = await app.services()
    await app.prepare()
    access = await find_repository(services, ref.namespace, repository)
    document = SnapshotRead(access.settings(), instance=ref.name, snapshot=snapshot)
    found = await run_repository_task(services, access, document, timeout_s=app.options.timeout_s)
    row = found["snapshot"]
    if found["manifest"] is None:
        raise UnknownInstance(
            f"{ref} does not exist, and the snapshot {row['id']} holds no manifest of it.",
            resolution="Apply a manifest with init.enabled: false, then restore.",
        )
    app.progress.line(
        f"{ref.name} is not here. It comes back from the snapshot {row['id'][:12]} of {row['time']}, as the same instance: "
        "where it still runs elsewhere, stop it there first, since both would send mail."
    )
    if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
        raise NotConfirmed(f"{ref.name} was not brought back.")
    data = json.loads(found["manifest"])
    data["metadata"] = {"name": ref.name, "namespace": ref.namespace}
    manifest = load_resource(data, source=f"the snapshot {row['id']}")
    # Both at once: what is to be restored is not initialized first.
    source = {"snapshot": row["id"], "repository": repository}
    await ask_for(
        app,
        ref,
        "OdooRestoreJob",
        {"source": source},
        verb="restore",
        wait=wait,
        together=(manifest,),
        identities={ref: row["instance"]},
    )
