# SPDX-License-Identifier: Apache-2.0
"""`mooring apply`: checks all manifests, writes them, and leads everything in them to where it is wanted."""

from __future__ import annotations

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare


@declare(
    "apply",
    short="Make the world what the manifests say.",
    examples=("mooring apply -f shop.yaml", "cat shop.yaml | mooring apply -n team -f - --timeout 1h"),
)
@click.option("-f", "--file", "files", multiple=True, required=True, metavar="FILE", help="Manifest; `-` is stdin.")
@click.option("--wait/--no-wait", default=True, help="Wait until everything is as wanted (default), or only record it.")
def command(options: Options, files: tuple[str, ...], *, wait: bool) -> int:
    """Make the world what the manifests say.

    Everything is checked before anything is written; all instances of the files are then worked on side by side. Run again,
    it goes on where it stopped, and does nothing where nothing is to be done. With an agent alive, the agent does the work
    and this command follows it.
    """
    from mooring.cli.applying import apply_manifests
    from mooring.cli.context import run
    from mooring.cli.manifests import read_manifests

    manifests = read_manifests(files, namespace=options.namespace)
    run(options, lambda app: apply_manifests(app, manifests, wait=wait))
    return 0
