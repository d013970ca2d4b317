# SPDX-License-Identifier: Apache-2.0
"""Archives as people give and take them: `mooring backup --to`, `mooring restore --archive` and `--odoo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

import click

from mooring.cli.errors import BadRequest, NotConfirmed
from mooring.cli.options import DEFAULT_TIMEOUT_S, Options
from mooring.cli.outlet import STANDARD_OUTPUT, check_outlet, open_outlet
from mooring.cli.output import print_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mooring.cli.context import App
    from mooring.domain.model.identity import Ref
    from mooring.drivers.documents import Document

# An archive of a large instance takes hours; who wants less says so.
LONG_S = 24 * 3600.0


def write_archive(
    options: Options,
    name: str,
    *,
    form: str,
    to: str,
    endpoint: str | None,
    secret: str | None,
    with_filestore: bool,
    wait: bool,
) -> int:
    """Write an instance as one archive: here, or as an operation to an address.

    Args:
        form: `zip` or `dump`.
        to: a file, `-`, or an address.
        secret: with an address: the Secret with its keys.
    """
    from mooring.cli.context import run
    from mooring.cli.names import find_instance

    address = "://" in to
    if not address and (endpoint is not None or secret is not None):
        raise BadRequest("--endpoint and --secret belong to --to URL.")
    if not address and not wait:
        raise BadRequest("--no-wait writes no file: it needs somebody who takes it.", resolution="Give --to URL.")
    if not address:
        check_outlet(to)

    async def work(app: App) -> None:
        doc = await find_instance(app, name)
        if address:
            await _ask(app, doc, form=form, to=to, endpoint=endpoint, secret=secret, files=with_filestore, wait=wait)
            return
        with open_outlet(to) as file:
            result = await _export(app, doc, form=form, files=with_filestore, file=file)
        words = f"{result['sizeBytes'] / (1 << 20):.1f} MiB, {result['files']} files"
        lack = f"; {result['missing']} that the database names are not there" if result["missing"] else ""
        app.progress.line(f"{'Standard output' if to == STANDARD_OUTPUT else to}: {words}{lack}.")
        app.progress.close()

    run(options, work)
    return 0


async def _ask(
    app: App, doc: Document, *, form: str, to: str, endpoint: str | None, secret: str | None, files: bool, wait: bool
) -> None:
    from mooring.cli.verbs import ask_for

    destination: dict[str, Any] = {"url": to}
    if endpoint is not None:
        destination["endpoint"] = endpoint
    if secret is not None:
        destination["credentialsSecretRef"] = {"name": secret}
    spec: dict[str, Any] = {"destination": destination, "format": form}
    if not files:
        spec["withFilestore"] = False
    await ask_for(app, doc.ref, "OdooBackupJob", spec, verb="backup", wait=wait)


async def _export(app: App, doc: Document, *, form: str, files: bool, file: IO[bytes]) -> Mapping[str, Any]:
    from mooring.control.exports import export_instance

    given = app.options.timeout_s
    return await export_instance(
        await app.services(),
        doc,
        form="dump" if form == "dump" else "zip",
        with_filestore=files,
        sink=file.write,
        timeout_s=LONG_S if given == DEFAULT_TIMEOUT_S else given,
    )


def archive_source(
    archive: str | None,
    *,
    filestore: str | None,
    endpoint: str | None,
    secret: str | None,
    odoo: str | None,
    database: str | None,
    password: str | None,
) -> dict[str, Any]:
    """`source` of an OdooRestoreJob, from what a person typed.

    Args:
        archive: a path or an address.
        filestore: folder of attachments, for a dump.
        odoo: address of an Odoo that runs elsewhere.
        password: SECRET/KEY with its master password.

    Raises:
        BadRequest: something is not there, or does not belong together.
    """
    if (archive is None) == (odoo is None):
        raise BadRequest("Give one of --archive and --odoo.")
    if odoo is not None:
        if database is None or password is None:
            raise BadRequest("--odoo needs --odoo-database and --master-password SECRET/KEY.")
        if filestore is not None or endpoint is not None or secret is not None:
            raise BadRequest("--filestore, --endpoint and --secret do not belong to --odoo: its backup has all.")
        name, _, key = password.partition("/")
        if not name or not key:
            raise BadRequest("--master-password names no secret and key.", resolution="Write it as SECRET/KEY.")
        return {"odoo": {"url": odoo, "database": database, "masterPasswordSecretRef": {"name": name, "key": key}}}
    if database is not None or password is not None:
        raise BadRequest("--odoo-database and --master-password belong to --odoo.")
    source: dict[str, Any] = {"url": _address(archive or "")}
    if filestore is not None:
        source["filestore"] = str(_there(filestore, folder=True))
    if endpoint is not None:
        source["endpoint"] = endpoint
    if secret is not None:
        source["credentialsSecretRef"] = {"name": secret}
    return source


async def bring_archive(
    app: App, name: str, source: Mapping[str, Any], *, mode: str | None, yes: bool, wait: bool
) -> None:
    """Ask for the import of an archive into the instance `name`.

    Raises:
        NotConfirmed: there is data, or it is to be the real one, and nobody said that this is meant.
    """
    from mooring.cli.names import find_instance
    from mooring.cli.verbs import ask_for
    from mooring.domain.instance.ledger import load_ledger

    doc = await find_instance(app, name)
    words: list[str] = []
    if load_ledger(doc.status.get("ledger")).initialized:
        words.append(f"{doc.ref.name} gets the archive's data. What it has now is kept aside, and not in use any more.")
    if mode == "move":
        words.append(
            "It goes on as the real one: where that Odoo still runs elsewhere, stop it first, since both would send mail."
        )
    else:
        words.append("It is a copy: mail servers, scheduled actions and keys in it are switched off.")
    app.progress.line(" ".join(words))
    asked = (len(words) > 1 or mode == "move") and not yes
    if asked and not (sys.stdin.isatty() and click.confirm("Go on?", err=True)):
        raise NotConfirmed(f"Nothing was brought into {doc.ref.name}.")
    spec: dict[str, Any] = {"source": dict(source)}
    if mode is not None:
        spec["mode"] = mode
    operation = await ask_for(app, doc.ref, "OdooRestoreJob", spec, verb="restore", wait=wait)
    if wait and app.options.output == "table":
        print_text(describe_import(await _results(app, operation)))


def describe_import(results: Mapping[str, Mapping[str, Any]]) -> str:
    """What came, and what a person should know of it.

    Args:
        results: of the operation's steps, by their names.
    """
    from mooring.domain.operations.aside import BUILD_FILES
    from mooring.domain.operations.imports import LOAD, RECEIVE

    came, loaded, files = results.get(RECEIVE, {}), results.get(LOAD, {}), results.get(BUILD_FILES, {})
    text = f"{loaded.get('tables', 0)} tables with {loaded.get('rows', 0)} rows and {came.get('files', 0)} attachments came in."
    if files.get("missing"):
        text += f" {files['missing']} attachment(s) that the database names are not in the archive."
    if came.get("altered"):
        text += f" {came['altered']} are not what their names say; they are kept as they came."
    if came.get("addons"):
        text += f" Add-ons in it were not taken in: {', '.join(came['addons'][:20])}."
    return text


async def _results(app: App, operation: Ref) -> Mapping[str, Mapping[str, Any]]:
    from mooring.control.operations import read_operation

    doc = await app.documents.get(operation)
    log = read_operation(doc).log if doc is not None else ()
    return {one.step: one.result for one in log if one.state == "done" and isinstance(one.result, dict)}


def _address(archive: str) -> str:
    if "://" in archive:
        return archive
    path = _there(archive, folder=False)
    return f"file://{quote(str(path), safe='/')}"


def _there(given: str, *, folder: bool) -> Path:
    path = Path(given).absolute()
    if not path.exists() or (folder and not path.is_dir()):
        raise BadRequest(f"{given} is not there." if not path.exists() else f"{given} is no folder.")
    return path
