# SPDX-License-Identifier: Apache-2.0
"""`mooring init`: writes a commented manifest; never over a file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare


@declare(
    "init",
    short="Write a commented manifest to start from.",
    examples=("mooring init shop", "mooring init shop --image odoo:18.0 --host shop.example.com -f shop.yaml"),
)
@click.argument("name", default="odoo")
@click.option("-f", "--file", "file", metavar="FILE", help="Where to write it; NAME.yaml if not given, `-` is stdout.")
@click.option("--image", metavar="IMAGE", help="Odoo's image; that of the configuration, else the newest known.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Host name under which people reach it.")
@click.option("--modules", metavar="NAMES", default="base", show_default=True, help="Modules, separated by commas.")
def command(
    options: Options, name: str, *, file: str | None, image: str | None, hosts: tuple[str, ...], modules: str
) -> int:
    """Write a manifest of the instance NAME (`odoo` if not given), with comments, to start from.

    The file is checked before it is written. A file that is there is left alone.
    """
    from mooring.cli.output import print_result, print_text

    names = tuple(one.strip() for one in modules.split(",") if one.strip())
    if file == "-":
        print_text(sample_text(options, name, image=image, hosts=hosts, modules=names).rstrip("\n"))
        return 0
    path = Path(file or f"{name}.yaml")
    write_sample(options, name, path, image=image, hosts=hosts, modules=names)
    if options.output == "table":
        print_text(f"{path} is written. Next: `mooring apply -f {path}`.")
    else:
        print_result(options, {"file": str(path)})
    return 0


def write_sample(
    options: Options, name: str, path: Path, *, image: str | None, hosts: tuple[str, ...], modules: tuple[str, ...]
) -> None:
    """Write a checked manifest to a file that is not there yet.

    Raises:
        ManifestError: something given cannot be in a manifest.
        FileExists: the file is there.
        FileUnreadable: it cannot be written.
    """
    from mooring.cli.new_file import write_new

    write_new(path, sample_text(options, name, image=image, hosts=hosts, modules=modules))


def sample_text(
    options: Options, name: str, *, image: str | None, hosts: tuple[str, ...], modules: tuple[str, ...]
) -> str:
    """The text of a first manifest, checked.

    Raises:
        ManifestError: something given cannot be in a manifest.
    """
    from mooring.api.loader import load_documents
    from mooring.cli.sample import render_sample
    from mooring.control.services import Defaults
    from mooring.drivers.settings import default_settings_path, load_settings

    settings = load_settings(default_settings_path(options.environ, os.geteuid()))
    chosen = image or settings.defaults.image or Defaults().image
    text = render_sample(name, namespace=options.place, image=chosen, modules=modules, hosts=hosts)
    load_documents(text.encode(), source="the command line")
    return text
