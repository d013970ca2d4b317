# SPDX-License-Identifier: Apache-2.0
"""`mooring refresh`: renews a staging copy from the instance that it is a copy of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.drivers.documents import Document


@declare(
    "refresh",
    short="Renew a staging copy from its source.",
    examples=(
        "mooring refresh shop-staging",
        "mooring refresh shop-staging --from shop --skip-files --yes",
        "mooring refresh shop-staging --from-snapshot",
    ),
)
@click.argument("name")
@click.option("--from", "source", metavar="SOURCE", help="Instance to copy from (default: spec.stagingOf).")
@click.option("--skip-files", is_flag=True, help="Copy no attachments: go on with those that are there.")
@click.option(
    "--from-snapshot",
    is_flag=True,
    help="Take the newest snapshot of the source instead of what it holds now, as where it does not run.",
)
@click.option(
    "--repository", metavar="NAME", help="With --from-snapshot: BackupRepository to read (default: the source's own)."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(
    options: Options,
    name: str,
    *,
    source: str | None,
    skip_files: bool,
    from_snapshot: bool,
    repository: str | None,
    yes: bool,
    wait: bool,
) -> int:
    """Give the Staging instance NAME what its source holds now.

    The source runs on and is only read. The copy is built beside the present data, neutralized, proved neutral and tried,
    and only then takes its place: until then users work on with what is there. Where the copy has another image, or other
    add-ons, Odoo updates it first. What was replaced is kept: `mooring rollback` returns to it.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest, NotConfirmed
    from mooring.cli.names import find_instance
    from mooring.cli.verbs import ask_for
    from mooring.domain.instance.ledger import load_ledger
    from mooring.domain.work.live_copy_errors import NotRefreshable

    if repository is not None and not from_snapshot:
        raise BadRequest("--repository belongs to --from-snapshot.")
    if skip_files and from_snapshot:
        raise BadRequest("--skip-files and --from-snapshot exclude each other: a snapshot comes with its files.")

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        ledger = load_ledger(doc.status.get("ledger"))
        if ledger.environment not in ("", "Staging"):
            raise NotRefreshable(f"{doc.ref} is a {ledger.environment} instance.")
        if ledger.initialized:
            app.progress.line(
                f"{doc.ref.name} gets new data. What was written there is kept aside, and not in use any more."
            )
            if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
                raise NotConfirmed(f"{doc.ref.name} was not refreshed.")
        if from_snapshot:
            spec = await _snapshot(app, doc, source, repository)
            await ask_for(app, doc.ref, "OdooRestoreJob", spec, verb="refresh", wait=wait)
            return
        asked: dict[str, Any] = {"filestoreMethod": "skip"} if skip_files else {}
        if source is not None:
            asked["source"] = {"name": source}
        await ask_for(app, doc.ref, "OdooStagingRefreshJob", asked, verb="refresh", wait=wait)

    run(options, work)
    return 0


async def _snapshot(app: App, doc: Document, source: str | None, repository: str | None) -> dict[str, Any]:
    """The restore of the newest snapshot of the source, as a neutral copy.

    Raises:
        SourceNotNamed: nothing says which source that is.
        RepositoryNotNamed: nothing says where its snapshots are.
    """
    from mooring.api.instance import OdooInstanceSpec
    from mooring.control.sources import source_ref
    from mooring.domain.operations.errors import RepositoryNotNamed

    asked = {"source": {"name": source}} if source is not None else {}
    ref = source_ref(doc.ref, OdooInstanceSpec.model_validate(doc.spec), asked)
    there = await app.documents.get(ref)
    own = OdooInstanceSpec.model_validate(there.spec).backup.repository if there is not None else None
    where = repository or own or OdooInstanceSpec.model_validate(doc.spec).backup.repository
    if where is None:
        raise RepositoryNotNamed(f"Nothing says which BackupRepository holds the snapshots of {ref.name}.")
    return {
        "source": {
            "snapshot": "latest",
            "snapshotOf": there.id if there is not None else ref.name,
            "repository": where,
        },
        "mode": "copy",
    }
