# SPDX-License-Identifier: Apache-2.0
"""`mooring backup`: asks for the operation Backup, and says what the snapshot holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.domain.model.identity import Ref


@declare(
    "backup",
    short="Back an instance up into its repository, while it runs.",
    examples=(
        "mooring backup shop",
        "mooring backup shop --tag before-inventory",
        "mooring backup shop --database-only",
        "mooring backup shop --format zip --to shop.zip",
        "mooring backup shop --format dump --to - | ssh other 'cat > shop.dump'",
        "mooring backup shop --format zip --to s3://exports/shop.zip --secret exports",
    ),
)
@click.argument("name")
@click.option("--repository", metavar="NAME", help="BackupRepository to use instead of the instance's own.")
@click.option("--tag", "tags", multiple=True, metavar="TEXT", help="Written into the snapshot; may be repeated.")
@click.option("--database-only", is_flag=True, help="Leave the attachments out.")
@click.option("--filestore-only", is_flag=True, help="Leave the database out.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("snapshot", "zip", "dump")),
    help="snapshot in a repository (default); zip as Odoo's own, or dump of the database alone, with --to.",
)
@click.option(
    "--to", metavar="FILE|URL|-", help="Write one archive: a file here, standard output, or s3://… and the like."
)
@click.option("--endpoint", metavar="URL", help="With --to URL: address of the store's S3 interface.")
@click.option("--secret", metavar="NAME", help="With --to URL: Secret with the keys accessKeyId and secretAccessKey.")
@click.option("--wait/--no-wait", default=True, help="Wait for its end (default), or only ask for it.")
def command(
    options: Options,
    name: str,
    *,
    repository: str | None,
    tags: tuple[str, ...],
    database_only: bool,
    filestore_only: bool,
    form: str | None,
    to: str | None,
    endpoint: str | None,
    secret: str | None,
    wait: bool,
) -> int:
    """Back the instance NAME up: database, attachments, add-ons and configuration of one moment.

    Nothing is stopped. What the repository already holds is not sent again.

    With --to it is one archive instead, in the forms that Odoo's own database manager makes and restores: a file of this
    machine, standard output, or an object of a store.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.names import find_instance, spec_of_document
    from mooring.cli.output import print_text
    from mooring.cli.verbs import ask_for
    from mooring.domain.operations.errors import RepositoryNotNamed

    if database_only and filestore_only:
        raise BadRequest(
            "--database-only and --filestore-only leave nothing to back up.", resolution="Give one of them, or none."
        )
    if to is not None or form in ("zip", "dump"):
        if to is None:
            raise BadRequest(f"--format {form} needs a place.", resolution="Give --to FILE, --to URL or --to -.")
        if repository is not None or tags or filestore_only or form == "snapshot":
            raise BadRequest(
                "--to writes one archive: --repository, --tag, --filestore-only and snapshots do not go with it."
            )
        from mooring.cli.archives import write_archive

        return write_archive(
            options,
            name,
            form=form or ("dump" if to.endswith(".dump") else "zip"),
            to=to,
            endpoint=endpoint,
            secret=secret,
            with_filestore=not database_only,
            wait=wait,
        )
    if endpoint is not None or secret is not None:
        raise BadRequest("--endpoint and --secret belong to --to URL.")
    spec: dict[str, Any] = {}
    if tags:
        spec["tags"] = list(tags)
    if database_only:
        spec["withFilestore"] = False
    if filestore_only:
        spec["withDatabase"] = False

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        where = repository or spec_of_document(doc).backup.repository
        if where is None:
            raise RepositoryNotNamed(f"{doc.ref} names no backup repository.")
        spec["repository"] = where
        operation = await ask_for(app, doc.ref, "OdooBackupJob", spec, verb="backup", wait=wait)
        if wait and options.output == "table":
            result = await _result(app, operation)
            if result is not None:
                print_text(_describe(result))

    run(options, work)
    return 0


async def _result(app: App, operation: Ref) -> Mapping[str, Any] | None:
    from mooring.control.operations import read_operation
    from mooring.domain.operations.backup import BACK_UP

    doc = await app.documents.get(operation)
    log = read_operation(doc).log if doc is not None else ()
    found = next((one.result for one in reversed(log) if one.step == BACK_UP and one.state == "done"), None)
    return found if isinstance(found, Mapping) else None


def _describe(result: Mapping[str, Any]) -> str:
    sizes = result["sizes"]
    text = (
        f"Snapshot {result['snapshot']} is {result['state']}: {result['files']} files, {_mib(sizes['content'])} in all, "
        f"{_mib(sizes['stored'])} sent, in {result['durationMs'] / 1000:.1f} s."
    )
    if result["missing"]:
        text += f" {result['missing']} file(s) that the database names are not there, or not what they were; they are listed."
    if result["external"]:
        text += (
            f" {result['external']} attachment(s) are kept outside the filestore, and this snapshot does not hold them."
        )
    return text


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
