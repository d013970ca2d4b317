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
    examples=(
        "mooring restore shop",
        "mooring restore shop --snapshot 5f2c90aa --yes",
        "mooring restore shop-test --from shop",
        "mooring restore --repository s3://shop-backups/odoo --instance shop",
        "mooring restore shop --attachment 4711 --to .",
        "mooring restore shop --table res_partner --to partners.csv",
        "mooring restore shop --archive shop.zip",
        "mooring restore shop --archive shop.dump --filestore ./filestore",
        "mooring restore shop --odoo https://old.example.com --odoo-database prod --master-password old/master",
    ),
)
@click.argument("name", required=False)
@click.option("--instance", metavar="NAME", help="The same as the argument NAME.")
@click.option("--snapshot", default="latest", metavar="ID", help="Which one (default: the newest).")
@click.option(
    "--from",
    "origin",
    metavar="INSTANCE",
    help="Name or id of the instance whose snapshot it is, where it is another one.",
)
@click.option(
    "--mode",
    type=click.Choice(["move", "copy"]),
    help="Whether the data goes on as the real one, or as a neutral copy (default: copy, but for the instance's own).",
)
@click.option(
    "--confirm-source-stopped",
    is_flag=True,
    help="With --mode move: the instance that --from names is stopped for good.",
)
@click.option(
    "--repository",
    metavar="NAME|URL",
    help="BackupRepository to read instead of the instance's own, or its address (s3://…, file:///…) where none is applied.",
)
@click.option(
    "--endpoint", metavar="URL", help="With an address: of the store's S3 interface, where it is not the provider's."
)
@click.option("--region", metavar="NAME", help="With an address: the store's region (default: auto).")
@click.option(
    "--secret",
    metavar="NAME",
    help="With an address: Secret with the keys accessKeyId, secretAccessKey, passphrase (default: one that is made; "
    "what it lacks is asked for).",
)
@click.option(
    "--archive", metavar="PATH|URL", help="Instead: Odoo's zip, a click-odoo folder, a stack's tar.gz, or a dump."
)
@click.option("--filestore", metavar="DIR", help="With --archive: the attachments of a dump, which has none.")
@click.option("--odoo", metavar="URL", help="Instead: an Odoo that runs elsewhere, asked for a backup of itself.")
@click.option("--odoo-database", metavar="NAME", help="With --odoo: its database.")
@click.option("--master-password", metavar="SECRET/KEY", help="With --odoo: the secret with its master password.")
@click.option("--attachment", metavar="ID", help="Only this attachment, without a restore, to --to.")
@click.option(
    "--path", "pattern", metavar="GLOB", help="Only the files so named (see `mooring snapshots show`), to --to."
)
@click.option("--table", metavar="NAME", help="Only this table, as CSV, to --to.")
@click.option("--to", metavar="FILE|DIR|-", help="Where --attachment, --path or --table goes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(
    options: Options,
    name: str | None,
    *,
    instance: str | None,
    snapshot: str,
    origin: str | None,
    mode: str | None,
    confirm_source_stopped: bool,
    repository: str | None,
    endpoint: str | None,
    region: str | None,
    secret: str | None,
    archive: str | None,
    filestore: str | None,
    odoo: str | None,
    odoo_database: str | None,
    master_password: str | None,
    attachment: str | None,
    pattern: str | None,
    table: str | None,
    to: str | None,
    yes: bool,
    wait: bool,
) -> int:
    """Bring a snapshot back in place of the present data of the instance NAME.

    It is built beside the present data, checked and tried while users work on, and then takes its place. What it replaced
    is kept: `mooring rollback` returns to it. Afterwards cron stays away until `mooring release-hold`, since mail and jobs
    of the time between would be sent again.

    With --from the snapshot is another instance's, and what comes is a neutral copy: no mail, no scheduled jobs, no payments,
    an identity of its own. To move the data instead, stop that instance for good and say so.

    An instance that is not there, on an empty machine, is brought back with its manifest from the repository that
    --repository names: a BackupRepository that is applied, or its address. Keys and passphrase of an address are read from a
    Secret, or asked for on a terminal and kept as one.

    With --attachment, --path or --table nothing is restored: that part of the snapshot is written to --to.

    With --archive or --odoo the data comes from elsewhere. It is checked as a stranger's before anything is built, and comes as
    a copy that acts on nothing outside, unless --mode move says that it goes on here as the real one.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest, NotConfirmed
    from mooring.cli.from_nothing import Place, bring_back, find_place, is_address
    from mooring.cli.names import find_instance, instance_of
    from mooring.cli.verbs import ask_for
    from mooring.domain.instance.ledger import load_ledger

    given = {one for one in (name, instance) if one is not None}
    if len(given) != 1:
        raise BadRequest("Name one instance: `mooring restore NAME`, or --instance NAME.")
    (which_one,) = given
    parts = {"attachment": attachment, "path": pattern, "table": table}
    asked = [(kind, what) for kind, what in parts.items() if what is not None]
    if asked or to is not None:
        from mooring.cli.parts import take_part

        if len(asked) != 1 or to is None or archive is not None or odoo is not None:
            raise BadRequest("Give one of --attachment, --path and --table, and --to FILE, DIR or -.")
        ((kind, what),) = asked
        return take_part(
            options,
            which_one,
            repository=repository,
            snapshot=snapshot,
            kind="attachment" if kind == "attachment" else "path" if kind == "path" else "table",
            what=what,
            to=to,
        )
    if archive is not None or odoo is not None:
        from mooring.cli.archives import archive_source, bring_archive

        if (repository, origin, region, snapshot) != (None, None, None, "latest") or confirm_source_stopped:
            raise BadRequest(
                "--archive and --odoo take no snapshot: leave what belongs to one out, such as --repository."
            )
        source_given = archive_source(
            archive,
            filestore=filestore,
            endpoint=endpoint,
            secret=secret,
            odoo=odoo,
            database=odoo_database,
            password=master_password,
        )
        run(options, lambda app: bring_archive(app, which_one, source_given, mode=mode, yes=yes, wait=wait))
        return 0
    if (filestore, odoo_database, master_password) != (None, None, None):
        raise BadRequest("--filestore belongs to --archive, --odoo-database and --master-password to --odoo.")
    address = repository is not None and is_address(repository)
    if not address and (endpoint, region, secret) != (None, None, None):
        raise BadRequest("--endpoint, --region and --secret belong to an address as --repository.")
    moved = origin is not None and mode == "move"
    if moved and not confirm_source_stopped:
        raise BadRequest(
            f"Two instances with one identity would send the same mail twice. Stop {origin} for good, then add "
            "--confirm-source-stopped; or leave --mode out for a neutral copy."
        )
    if confirm_source_stopped and not moved:
        raise BadRequest("--confirm-source-stopped belongs to --mode move with --from.")

    async def work(app: App) -> None:
        place: Place | None = None
        if repository is not None:
            place = await find_place(app, repository, endpoint=endpoint, region=region, secret=secret)
        if place is not None and await app.documents.get(instance_of(options, which_one)) is None:
            if (origin, mode) != (None, None):
                raise BadRequest(
                    f"--from and --mode need an instance, and there is no {which_one}: apply its manifest first."
                )
            await bring_back(app, which_one, place, snapshot, yes=yes, wait=wait)
            return
        doc = await find_instance(app, which_one)
        if load_ledger(doc.status.get("ledger")).initialized:
            app.progress.line(_foretell(doc.ref.name, snapshot, origin, mode))
            if not yes and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
                raise NotConfirmed(f"{doc.ref.name} was not restored.")
        spec: dict[str, Any] = {"source": {"snapshot": snapshot}}
        source = spec["source"]
        if origin is not None:
            source["snapshotOf"] = origin
        if mode is not None:
            spec["mode"] = mode
        if confirm_source_stopped:
            spec["sourceStopped"] = True
        if place is not None:
            source["repository"] = place.name
        together = place.manifests() if place is not None else ()
        await ask_for(app, doc.ref, "OdooRestoreJob", spec, verb="restore", wait=wait, together=together)

    run(options, work)
    return 0


def _foretell(name: str, snapshot: str, origin: str | None, mode: str | None) -> str:
    """What becomes of the instance `name`, before a person says yes to it."""
    which = "the newest snapshot" if snapshot == "latest" else f"the snapshot {snapshot}"
    of = f" of {origin}" if origin is not None else ""
    kept = "What it holds now is kept aside, and not in use any more."
    if origin is not None and mode == "move":
        return f"{name} takes over {which}{of}, and goes on as the real one. {kept}"
    if origin is not None or mode == "copy":
        return f"{name} becomes a neutral copy of {which}{of}: it sends nothing and runs no scheduled jobs. {kept}"
    return f"{name} goes back to {which}. What was written since is kept aside, and not in use any more."
