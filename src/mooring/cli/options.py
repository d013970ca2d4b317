# SPDX-License-Identifier: Apache-2.0
"""The options that every command takes, before or after its name, and how commands are declared.

A command's module declares one with `command`, which adds those options, an example and their place in the help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

DEFAULT_TIMEOUT_S = 30 * 60.0
FORMATS = ("table", "json", "yaml")

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Options:
    """What was asked for besides the command; filled while click reads the command line.

    Attributes:
        environ: the process's environment; nothing else of Mooring reads it.
        arguments: the command line as it was given, without the program.
        namespace: None where none was given.
        target: None where none was given.
        output: `table`, `json` or `yaml`.
        home: state directory, None for the rule of `mooring.drivers.state`.
        timeout_s: seconds.
        resume: what an interrupted command leaves, and how to go on; set by commands that change something.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    arguments: tuple[str, ...] = ()
    namespace: str | None = None
    target: str | None = None
    output: str = "table"
    home: Path | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    debug: bool = False
    resume: str = ""

    @property
    def place(self) -> str:
        """The namespace in force."""
        return self.namespace or "default"

    @property
    def words(self) -> str:
        """The command line as others are told it: no values of options, so never a secret."""
        plain = [one for one in self.arguments if not one.startswith("-")]
        return " ".join(["mooring", *plain[:2]])


class Command(click.Command):
    """A command with an example, and the common options in a part of their own."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options first."""
        _format_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples."""
        _format_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A command with commands below it."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The group's own options first, then its commands."""
        _format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples."""
        _format_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


class CommonOption(click.Option):
    """An option that every command takes; its value goes to `Options`."""


def command(name: str, *, short: str, examples: Sequence[str]) -> Callable[[F], Command]:
    """Declare a command: `Options` come first, then what its own options give; it returns an exit code or None.

    Args:
        name: the verb.
        short: one line for lists.
        examples: command lines.
    """

    def declare(function: F) -> Command:
        return click.command(name, cls=Command, short_help=short, examples=examples)(
            common_options(click.pass_obj(function))
        )

    return declare


def group(name: str, *, short: str, examples: Sequence[str]) -> Callable[[F], Group]:
    """Declare a group of commands."""

    def declare(function: F) -> Group:
        return click.group(name, cls=Group, short_help=short, examples=examples)(common_options(function))

    return declare


def common_options(function: F) -> F:
    """Add the options that every command takes."""
    options: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
        (("-n", "--namespace"), {"metavar": "NAME", "callback": _keep("namespace"), "help": "Namespace."}),
        (("-t", "--target"), {"metavar": "NAME", "callback": _keep("target"), "help": "Target to work on."}),
        (
            ("-o", "--output"),
            {"type": click.Choice(FORMATS), "callback": _keep("output"), "help": "Form of the output."},
        ),
        (
            ("--timeout",),
            {"metavar": "TIME", "callback": _keep_timeout, "help": "How long to wait, such as 90s or 2h; 30m if not."},
        ),
        (
            ("--home",),
            {
                "metavar": "FOLDER",
                "type": click.Path(),
                "callback": _keep_home,
                "help": "State directory.",
            },
        ),
        (("--debug",), {"is_flag": True, "callback": _keep("debug"), "help": "Log everything; show tracebacks."}),
    )
    for names, settings in reversed(options):
        function = click.option(*names, cls=CommonOption, expose_value=False, is_eager=True, **settings)(function)
    return function


def _keep(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        _refuse_empty(value, ctx, parameter)
        if value is not None and value is not False:
            setattr(ctx.ensure_object(Options), attribute, value)

    return keep


def _keep_home(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    _refuse_empty(value, ctx, parameter)
    if value is not None:
        ctx.ensure_object(Options).home = Path(value).expanduser().absolute()


def _refuse_empty(value: object, ctx: click.Context, parameter: click.Parameter) -> None:
    # As from a variable that is not set: `-n "$NS"` would mean the default namespace, `--home "$H"` the folder one is in.
    if value == "":
        raise click.BadParameter("is empty.", ctx=ctx, param=parameter)


def _keep_timeout(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Options).timeout_s = parse_seconds(value, ctx, parameter)


def parse_seconds(value: str, ctx: click.Context, parameter: click.Parameter) -> float:
    """Seconds of a length of time as manifests write it.

    Raises:
        click.BadParameter: it is none, or is nothing.
    """
    from mooring.api.quantity import Duration

    try:
        seconds = Duration.parse(value).seconds
    except ValueError as error:
        raise click.BadParameter(f"{error}.", ctx=ctx, param=parameter) from None
    if seconds == 0:
        raise click.BadParameter("must be longer than nothing.", ctx=ctx, param=parameter)
    return float(seconds)


def _format_options(shown: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    own: list[tuple[str, str]] = []
    common: list[tuple[str, str]] = []
    for parameter in shown.get_params(ctx):
        row = parameter.get_help_record(ctx)
        if row is not None:
            (common if isinstance(parameter, CommonOption) else own).append(row)
    for title, rows in (("Options", own), ("Common options", common)):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _format_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    if not examples:
        return
    with formatter.section("Example" if len(examples) == 1 else "Examples"):
        for line in examples:
            formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
