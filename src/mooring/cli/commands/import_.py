# SPDX-License-Identifier: Apache-2.0
"""`mooring import`: writes a manifest from what another set-up's files say. It moves no data and stops nothing."""

from __future__ import annotations

import configparser
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options, group
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.domain.compose import Stack
    from mooring.domain.model.secret import SecretRef

_MOST_BYTES = 1 << 20
_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_CONF = ("config/odoo.conf", "odoo.conf", "etc/odoo.conf")
# What PyYAML lets through where a value is not what its tag or its look says, such as the date 2026-13-45.
_NO_VALUE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
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
@click.option(
    "--image", metavar="IMAGE", help="Odoo's image, whatever the Compose file says; needed where that builds it."
)
@click.option(
    "--secret",
    "secret",
    metavar="NAME",
    help="Secret that the bucket's keys become; r2 if not given. Never overwritten.",
)
@click.option("-f", "--file", "file", metavar="FILE", help="Where to write the manifest; NAME.yaml if not given.")
def compose(
    options: Options, directory: str, *, name: str, image: str | None, secret: str | None, file: str | None
) -> int:
    """Write a manifest for the Odoo of the Compose stack in DIR.

    Image, limits, add-ons and options of odoo.conf are taken over; the keys of its bucket become a secret. What has no
    place here is named. The stack itself is only read. The instance waits for data: `init.enabled` is false.
    """
    from mooring.api.loader import dump_yaml, load_resource
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.new_file import refuse_existing, write_new
    from mooring.cli.output import print_result, print_text
    from mooring.domain.compose import SECRET, translate_stack
    from mooring.domain.model.secret import SecretRef
    from mooring.drivers.secret_text import check_name

    if image is not None and not image.strip():
        raise BadRequest("--image is empty.")
    kept_as = SECRET if secret is None else secret
    check_name(kept_as, what="name")
    found = translate_stack(
        read_stack(Path(directory)), name=name, namespace=options.place, image=image, secret=kept_as
    )
    if secret is not None and not found.secrets:
        raise BadRequest(
            "--secret names where the bucket's keys go, and `.env` names no whole CF_R2_… bucket.",
            resolution="Leave --secret out.",
        )
    text = "---\n".join(dump_yaml(load_resource(one, source="the Compose stack")) for one in found.documents)
    path = Path(file or f"{name}.yaml")
    refuse_existing(path)
    if found.secrets:
        run(options, lambda app: _keep(app, SecretRef(options.place, kept_as), found.secrets))
    write_new(path, text)
    if options.output != "table":
        print_result(
            options, {"file": str(path), "secret": kept_as if found.secrets else None, "told": list(found.told)}
        )
        return 0
    print_text(f"{path} is written." + (f" The bucket's keys are the secret {kept_as}." if found.secrets else ""))
    for one in found.told:
        print_text(f"- {one}")
    place = "" if options.place == "default" else f" -n {options.place}"
    print_text(f"Next: look at it, `mooring apply -f {path}`, then `mooring restore{place} {name} --archive ARCHIVE`.")
    return 0


async def _keep(app: App, ref: SecretRef, secrets: Mapping[str, str]) -> None:
    """Have a secret with these values; one that is there with others is left alone.

    Raises:
        SecretDiffers: names the keys.
    """
    from mooring.cli.errors import SecretDiffers
    from mooring.domain.model.secret import SecretKey, SecretValue

    values = {key: SecretValue(value) for key, value in secrets.items()}
    there = (await app.secrets.list()).get(ref, ())
    other = [key for key in values if key in there and await app.secrets.value(SecretKey(ref, key)) != values[key]]
    if other:
        raise SecretDiffers(
            f"The secret {ref.name} is there already, with another {' and '.join(other)} than the stack's `.env` has; "
            "nothing was changed."
        )
    await app.secrets.ensure(ref, lambda: values)


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
    except (yaml.YAMLError, *_NO_VALUE) as error:
        why = (
            str(error).partition("\n")[0]
            if isinstance(error, yaml.YAMLError)
            else "a value in it is not what it looks like"
        )
        raise FileUnreadable(f"{path} is no YAML: {why}.") from None
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
