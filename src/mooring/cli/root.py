# SPDX-License-Identifier: Apache-2.0
"""The root group of click: finds a command's module in the table and imports it only when it is run."""

from __future__ import annotations

import importlib

import click

from mooring import __version__
from mooring.cli.options import common_options
from mooring.cli.table import COMMANDS, render_help


class ReaderGone(Exception):
    """Standard output is closed. Click would take the pipe's own error for itself and exit with 1."""


class Root(click.Group):
    """All commands, none of them imported yet."""

    def invoke(self, ctx: click.Context) -> object:
        """As click's.

        Raises:
            ReaderGone: the output could not be written.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for an unknown verb."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mooring.cli.commands.{module_of(cmd_name)}")
        found: click.Command = getattr(module, attribute_of(cmd_name))
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, and names the nearest verb of an unknown one."""
        import difflib

        name = str(args[0])
        if name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"there is no command `{name}`.{hint}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The text of the table."""
        del ctx
        formatter.write(render_help())


def module_of(verb: str) -> str:
    """The module of a verb below `mooring.cli.commands`; Python's own words get a trailing underscore."""
    return f"{verb}_" if verb in ("exec", "import", "list", "open") else verb.replace("-", "_")


def attribute_of(verb: str) -> str:
    """The name of a command in its module."""
    return "task" if verb == "task" else "command"


@click.command(cls=Root, name="mooring", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="mooring %(version)s")
@common_options
def root() -> None:
    """Keeps Odoo instances running, upgraded, backed up and restorable, from one manifest."""
