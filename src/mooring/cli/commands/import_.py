# SPDX-License-Identifier: Apache-2.0
"""`mooring import`: writes a manifest from what another set-up's files say. It moves no data and stops nothing."""

from __future__ import annotations

import configparser
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options, group
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.domain.compose import Stack

_MOST_BYTES = 1 << 20
_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_CONF = ("config/odoo.conf", "odoo.conf", "etc/odoo.conf")
_MODULE = ("__manifest__.py", "__openerp__.py")


@group(
    "import",
    short="Write a manifest from another set-up's files.",
    examples=("mooring import compose /srv/odoo-infra",),
)
def command() -> None:
    """Write a manifest from the files of another set-up. Its data comes with `mooring restore --archive` or `--odoo`."""


@declare(
    "compose",
    short="Read a Compose stack: .env, Compose file, odoo.conf.",
    examples=("mooring import compose /srv/odoo-infra", "mooring import compose . --name shop -f shop.yaml"),
)
@click.argument("directory", metavar="DIR")
@click.option("--name", default="odoo", show_default=True, help="Name of the instance.")
@click.option("-f", "--file", "file", metavar="FILE", help="Where to write the manifest; NAME.yaml if not given.")
def compose(options: Options, directory: str, *, name: str, file: str | None) -> int:
    """Write a manifest for the Odoo of the Compose stack in DIR.

    Image, limits, add-ons and options of odoo.conf are taken over; the keys of its bucket become the secret `r2`. What has no
    place here is named. The stack itself is only read. The instance waits for data: `init.enabled` is false.
    """
    from mooring.api.loader import dump_yaml, load_resource
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest, FileExists, FileUnreadable
    from mooring.cli.output import print_result, print_text
    from mooring.domain.compose import SECRET, translate_stack
    from mooring.domain.model.secret import SecretRef, SecretValue

    stack = read_stack(Path(directory))
    found = translate_stack(stack, name=name, namespace=options.place)
    if found is None:
        raise BadRequest(
            f"No service of the Compose file in {directory} runs Odoo.", resolution="Name the stack's folder."
        )
    text = "---\n".join(dump_yaml(load_resource(one, source="the Compose stack")) for one in found.documents)
    path = Path(file or f"{name}.yaml")
    try:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise FileExists(f"{path} is there already; it was left alone.") from None
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be written: {error.strerror or error}.") from error

    async def work(app: App) -> None:
        for key, value in found.secrets.items():
            await app.secrets.set(SecretRef(options.place, SECRET), key, SecretValue(value))

    if found.secrets:
        run(options, work)
    if options.output != "table":
        print_result(
            options, {"file": str(path), "secret": SECRET if found.secrets else None, "told": list(found.told)}
        )
        return 0
    print_text(f"{path} is written." + (f" The bucket's keys are the secret {SECRET}." if found.secrets else ""))
    for one in found.told:
        print_text(f"- {one}")
    print_text(f"Next: look at it, `mooring apply -f {path}`, then `mooring restore {name} --archive ARCHIVE`.")
    return 0


def read_stack(folder: Path) -> Stack:
    """The files of a stack.

    Raises:
        FileUnreadable: there is no Compose file, or a file cannot be read, or is not what its name says.
    """
    import yaml

    from mooring.cli.errors import FileUnreadable
    from mooring.domain.compose import Stack

    path = next((folder / one for one in _COMPOSE if (folder / one).is_file()), None)
    if path is None:
        raise FileUnreadable(f"{folder} has no Compose file ({', '.join(_COMPOSE)}).")
    try:
        compose: Any = yaml.safe_load(_read(path))
    except (yaml.YAMLError, RecursionError) as error:
        raise FileUnreadable(f"{path} is no YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(compose, dict):
        raise FileUnreadable(f"{path} is no Compose file: it is no mapping.")
    conf = next((folder / one for one in _CONF if (folder / one).is_file()), None)
    env = folder / ".env"
    addons = folder / "addons"
    return Stack(
        env=_read_env(_read(env)) if env.is_file() else {},
        compose=compose,
        conf=_read_conf(conf) if conf else {},
        addons=str(addons.resolve()) if any(next(addons.glob(f"*/{one}"), None) for one in _MODULE) else None,
    )


def _read(path: Path) -> str:
    from mooring.cli.errors import FileUnreadable

    try:
        with path.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise FileUnreadable(f"{path} is larger than {_MOST_BYTES} bytes.")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {os.strerror(error.errno or 0)}.") from None
    except UnicodeDecodeError:
        raise FileUnreadable(f"{path} is not UTF-8.") from None


def _read_env(text: str) -> dict[str, str]:
    """Lines `NAME=value`, with or without quotes and `export`, as Compose reads them."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if not sign or name.lstrip().startswith("#"):
            continue
        value = value.strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        else:
            value = value.partition(" #")[0].rstrip()
        found[name.strip()] = value
    return found


def _read_conf(path: Path) -> dict[str, str]:
    from mooring.cli.errors import FileUnreadable

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_file(io.StringIO(_read(path)), source=str(path))
    except configparser.Error as error:
        raise FileUnreadable(f"{path} is no configuration of Odoo: {type(error).__name__}.") from None
    return dict(parser["options"]) if parser.has_section("options") else {}


command.add_command(compose)
