# SPDX-License-Identifier: Apache-2.0
"""`mooring secret`: set, list, show and delete secrets. A value never comes from an argument or the environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options, group
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@group(
    "secret",
    short="Set, list, show or delete secrets.",
    examples=("mooring secret set mail password", "mooring secret list"),
)
def command() -> None:
    """Set, list, show or delete the secrets that manifests name by `secretRef: {name, key}`."""


@declare(
    "set",
    short="Set one value, from a prompt, standard input or a file.",
    examples=("mooring secret set mail password", "mooring secret set site tls.key --from-file key.pem"),
)
@click.argument("name")
@click.argument("key")
@click.option("--from-file", "file", metavar="FILE", help="Read the value from a file.")
def set_secret(options: Options, name: str, key: str, *, file: str | None) -> int:
    """Set the value KEY of the secret NAME.

    It is read from --from-file, from standard input where that is no terminal, else from a prompt that shows nothing.
    One line break at the end is taken off.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.output import print_result, print_text
    from mooring.domain.model.secret import SecretRef, SecretValue
    from mooring.drivers.secret_text import MULTILINE_KEYS, check_key, check_name, decode

    check_name(name, what="name")
    check_key(key)
    data = _read(file, f"Value of {key} of {name}")
    if not data.strip(b"\r\n"):
        raise BadRequest(
            f"The value that was given for {key} of the secret {name} is empty.",
            resolution="Pipe it in, name its file with --from-file, or type it on a terminal; nothing was changed.",
        )
    value = SecretValue(decode(data, name=f"The key {key} of the secret {name}", multiline=key in MULTILINE_KEYS))

    async def work(app: App) -> None:
        await app.secrets.set(SecretRef(options.place, name), key, value)

    run(options, work)
    if options.output == "table":
        print_text(f"{key} of the secret {name} is set. Instances that use it take it up at their next apply.")
    else:
        print_result(options, {"namespace": options.place, "name": name, "key": key})
    return 0


@declare("list", short="List names and keys, never values.", examples=("mooring secret list",))
def list_secrets(options: Options) -> int:
    """List the secrets of all namespaces, or of the one that -n names: names and keys, never values."""
    from mooring.cli.context import run
    from mooring.cli.output import print_data, print_text, render_table

    async def work(app: App) -> list[dict[str, Any]]:
        found = await app.secrets.list()
        return [
            {"namespace": ref.namespace, "name": ref.name, "keys": list(keys)}
            for ref, keys in sorted(found.items())
            if options.namespace in (None, ref.namespace)
        ]

    rows = run(options, work)
    if options.output != "table":
        print_data(options, rows)
    else:
        table = [(row["namespace"], row["name"], ", ".join(row["keys"])) for row in rows]
        print_text(render_table(("NAMESPACE", "NAME", "KEYS"), table))
    return 0


@declare(
    "show",
    short="Print one value.",
    examples=("mooring secret show shop-odoo admin-password", "mooring secret show shop-odoo master-password"),
)
@click.argument("name")
@click.argument("key")
def show_secret(options: Options, name: str, key: str) -> int:
    """Print the value KEY of the secret NAME on standard output: be sure who looks on."""
    from mooring.cli.context import run
    from mooring.cli.output import print_data, print_text
    from mooring.domain.model.secret import SecretKey, SecretRef

    async def work(app: App) -> str:
        return (await app.secrets.value(SecretKey(SecretRef(options.place, name), key))).reveal()

    value = run(options, work)
    if options.output == "table":
        print_text(value)
    else:
        print_data(options, {"namespace": options.place, "name": name, "key": key, "value": value})
    return 0


@declare(
    "delete",
    short="Delete a secret, or one key of it.",
    examples=("mooring secret delete mail password --yes", "mooring secret delete mail --yes"),
)
@click.argument("name")
@click.argument("key", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_secret(options: Options, name: str, key: str | None, *, yes: bool) -> int:
    """Delete the secret NAME, or only its KEY. Instances that still name it cannot be kept in shape then."""
    from mooring.cli.context import run
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.output import print_result, print_text
    from mooring.domain.model.secret import SecretRef

    what = f"the key {key} of the secret {name}" if key else f"the secret {name}"
    if not yes and not (sys.stdin.isatty() and click.confirm(f"Delete {what}?", err=True)):
        raise NotConfirmed(f"{what[0].upper()}{what[1:]} was not deleted.")

    async def work(app: App) -> None:
        await app.secrets.delete(SecretRef(options.place, name), key)

    run(options, work)
    if options.output == "table":
        print_text(f"{what[0].upper()}{what[1:]} is deleted.")
    else:
        print_result(options, {"namespace": options.place, "name": name, "key": key})
    return 0


def _read(file: str | None, prompt: str) -> bytes:
    from mooring.cli.reading import read_file
    from mooring.drivers.secret_text import MAX_BYTES

    if file is not None:
        return read_file(file, limit=MAX_BYTES + 1)
    if not sys.stdin.isatty():
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    text: str = click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True)
    return text.encode()


for _one in (set_secret, list_secrets, show_secret, delete_secret):
    command.add_command(_one)
