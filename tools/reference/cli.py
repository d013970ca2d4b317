# SPDX-License-Identifier: Apache-2.0
"""The page about the command line: the help of every command, as the program prints it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import click
from tools.reference.text import MADE, render_page

from mooring.cli.root import module_of, root
from mooring.cli.table import COMMANDS, render_help

WIDTH = 100

HEAD = """\
Data goes to standard output; progress, warnings and errors go to standard error. `-o json` and `-o yaml` give the data
in a form for programs. [Exit codes](exit-codes.md) and [error codes](errors.md) have pages of their own.
"""


def render_cli() -> str:
    """The whole page."""
    parts = ["# Command line", MADE, HEAD, _block(render_help())]
    for verb in COMMANDS:
        if importlib.util.find_spec(f"mooring.cli.commands.{module_of(verb)}") is None:
            continue
        parent = click.Context(
            root, info_name="mooring", terminal_width=WIDTH, max_content_width=WIDTH, **root.context_settings
        )
        command = root.get_command(parent, verb)
        if command is not None and not command.hidden:
            parts += list(_render_command(command, verb, parent))
    return render_page(*parts)


def _render_command(command: click.Command, verb: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=verb, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    yield f"{'##' if parent.parent is None else '###'} {context.command_path}"
    yield _block(command.get_help(context))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _render_command(child, name, context)


def _block(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
    return f"```text\n{lines}\n```"
