# SPDX-License-Identifier: Apache-2.0
"""`mooring render`: an instance as a Compose file or as Quadlet units."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.drivers.documents import Document
    from mooring.targets.docker.files import Format, Rendering


@declare(
    "render",
    short="Print an instance as a Compose file or as Quadlet units.",
    examples=(
        "mooring render shop",
        "mooring render shop --format quadlet -d /srv/shop",
        "mooring render -f shop.yaml",
    ),
)
@click.argument("name", required=False)
@click.option("-f", "--file", "file", metavar="FILE", help="A manifest with one instance; `-` is stdin.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("compose", "quadlet")),
    default="compose",
    show_default=True,
    help="What to write for.",
)
@click.option(
    "-d",
    "--directory",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write the files here, with their secrets; the folder must be empty or missing.",
)
def command(options: Options, name: str | None, *, file: str | None, form: Format, directory: Path | None) -> int:
    """Print the instance NAME, or that of a manifest, with its database server as files for Compose or Podman's Quadlet.

    What is printed runs without Mooring, on the same volumes. Printed, secrets are holes such as <secret NAME/KEY>; with
    -d (-o is the form of the output, as everywhere) the files are written with their secrets, each with mode 0600 for the
    user that reads it. The instance must have been applied before.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.target_docker import docker_options
    from mooring.control.describe import describe_instance
    from mooring.targets.docker.files import render_files
    from mooring.targets.docker.files_write import write_rendering

    if (name is None) == (file is None):
        raise BadRequest("Give the name of an instance, or -f FILE: one of both.")

    async def work(app: App) -> Rendering:
        notes: tuple[str, ...] = ()
        if name is not None:
            from mooring.cli.names import find_instance

            doc = await find_instance(app, name)
        else:
            doc, notes = await _document(app, file or "")
        settings = docker_options(app.settings)
        services = await app.services()
        found = await describe_instance(services, doc)
        made = await render_files(
            found.instance,
            found.server,
            settings,
            ports=found.ports,
            form=form,
            secrets=services.secrets if directory is not None else None,
            notes=found.notes,
        )
        for note in (*notes, *made.notes):
            _say(f"note: {note}")
        return made

    made = run(options, work)
    unowned: tuple[str, ...] = ()
    if directory is not None:
        unowned = write_rendering(made, directory, root=os.geteuid() == 0)
    elif made.holes:
        _say("note: secrets are left out, as <secret NAME/KEY>; -d FOLDER writes the files with them.")
    if unowned:
        _say(
            f"warning: {len(unowned)} files must be given to their readers by root; README.txt in {directory} says how."
        )
    _show(options, made, form, directory)
    return 0


async def _document(app: App, file: str) -> tuple[Document, tuple[str, ...]]:
    """The instance of a manifest, as apply would record it; and what else the file would change."""
    from mooring.cli.errors import BadRequest
    from mooring.cli.manifests import read_manifests
    from mooring.control.accept import accept_manifests

    manifests = read_manifests((file,), namespace=app.options.namespace)
    written = await accept_manifests(await app.services(), manifests, dry_run=True)
    instances = [one.doc for one in written if one.doc.ref.kind == "OdooInstance"]
    if len(instances) != 1:
        raise BadRequest(f"{file} holds {len(instances)} instances, and one is rendered at a time.")
    notes = tuple(
        f"{one.doc.ref} of the file is not applied yet; written is what is on record of it."
        for one in written
        if one.doc.ref != instances[0].ref and one.change != "unchanged"
    )
    return instances[0], notes


def _show(options: Options, made: Rendering, form: str, directory: Path | None) -> None:
    from mooring.cli.output import print_data, print_text

    if options.output != "table":
        print_data(options, _data(made, form, directory))
    elif directory is not None:
        print_text(f"{made.ref} is in {directory}, with its secrets. Read README.txt there before you start it.")
    else:
        print_text("\n".join(f"# {one.path}\n{one.content.decode()}" for one in made.files).rstrip("\n"))


def _data(made: Rendering, form: str, directory: Path | None) -> dict[str, Any]:
    """{kind, namespace, name, format, directory, files: [{path, mode, uid, gid, content}], folders: [{path, source}]}.

    `content` is left out where the files were written: they hold secrets.
    """
    return {
        "kind": made.ref.kind,
        "namespace": made.ref.namespace,
        "name": made.ref.name,
        "format": form,
        "directory": None if directory is None else str(directory),
        "files": [
            {
                "path": one.path,
                "mode": f"{one.mode:04o}",
                "uid": one.uid,
                "gid": one.gid,
                **({"content": one.content.decode()} if directory is None else {}),
            }
            for one in made.files
        ],
        "folders": [{"path": one.path, "source": one.folder.source} for one in made.folders],
    }


def _say(text: str) -> None:
    click.echo(text, err=True)
