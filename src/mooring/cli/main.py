# SPDX-License-Identifier: Apache-2.0
"""The program `mooring`: reads the command line, runs one command, and turns every error into words and an exit code.

It imports next to nothing by itself, so that help and version answer at once. It is the only place that catches
everything, and with `options` and `context` the only one that knows the environment.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from mooring import __version__
from mooring.cli.streams import close_output, ready_streams
from mooring.cli.table import render_help

if TYPE_CHECKING:
    from mooring.cli.options import Options
    from mooring.errors import MooringError

INTERRUPTED = 130
BROKEN_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; what the process exits with.

    Args:
        arguments: without the program; left out it is the process's own main, which does not return after an interrupt.
    """
    ready_streams()
    given = tuple(sys.argv[1:] if arguments is None else arguments)
    if given == ("--version",):
        return _print(f"mooring {__version__}\n")
    if given in (("--help",), ("-h",), ()) and not _completing():
        return _print(render_help())
    try:
        code = _run(given)
    except KeyboardInterrupt:  # before or after what `_run` itself guards, as while modules are loaded
        code = _say_interrupted("")
    if arguments is None and code == INTERRUPTED:
        _end(code)
    return code


def _end(code: int) -> NoReturn:
    """End the process at once: a thread that waits for the engine, as in a pull, would hold it up for minutes."""
    import contextlib
    import os

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _completing() -> bool:
    import os

    return "_MOORING_COMPLETE" in os.environ


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        return _broken_pipe()
    except OSError as error:
        close_output()
        sys.stderr.write(f"error: standard output cannot be written: {error.strerror or error}.\n")
        return 1
    return 0


def _run(arguments: tuple[str, ...]) -> int:
    import os

    import click

    from mooring.cli.options import Options
    from mooring.cli.root import ReaderGone, root
    from mooring.errors import MooringError

    options = Options(environ=dict(os.environ), arguments=arguments, output=_output_of(arguments))
    try:
        code = root.main(args=list(arguments), prog_name="mooring", standalone_mode=False, obj=options)
        sys.stdout.flush()
    except click.ClickException as error:
        return _usage(error, options)
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(options)
    except (BrokenPipeError, ReaderGone):
        return _broken_pipe()
    except MooringError as error:
        return _failed(error, options)
    except Exception as error:  # noqa: BLE001 - the last place that can say it in words
        return _unexpected(error, options)
    return code if isinstance(code, int) else 0


def _output_of(arguments: tuple[str, ...]) -> str:
    """The form of output as far as it can be told while the command line may still be wrong."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    for place, one in enumerate(own):
        following = own[place + 1] if place + 1 < len(own) else ""
        for form in ("json", "yaml"):
            if one in (f"-o{form}", f"--output={form}") or (one in ("-o", "--output") and following == form):
                return form
    return "table"


def _usage(error: object, options: Options) -> int:
    import click

    from mooring.errors import UsageError

    if not isinstance(error, click.ClickException):  # pragma: no cover - the caller caught it as one
        raise TypeError(type(error))
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # click 8.2 and later
        error.show()
        return 2
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "mooring"
    fault = UsageError(f"{error.format_message()}", resolution=f"`{path} --help` shows how it is used.")
    _failed(fault, options)
    return 2


def _interrupted(options: Options) -> int:
    return _say_interrupted(options.resume)


def _say_interrupted(resume: str) -> int:
    print("\ninterrupted" + (f": {resume}" if resume else "."), file=sys.stderr)  # noqa: T201
    return INTERRUPTED


def _broken_pipe() -> int:
    close_output()
    return BROKEN_PIPE


def _failed(error: object, options: Options) -> int:
    from mooring.cli.errors import exit_code, render_error_json, render_error_yaml
    from mooring.errors import MooringError

    if not isinstance(error, MooringError):  # pragma: no cover - the callers caught it as one
        raise TypeError(type(error))
    if options.debug:
        _traceback()
    try:
        if options.output == "json":
            print(render_error_json(error), flush=True)  # noqa: T201
        elif options.output == "yaml":
            print(render_error_yaml(error), end="", flush=True)  # noqa: T201
        else:
            _tell(error, options)
    except BrokenPipeError:
        _broken_pipe()
    except OSError:  # standard output takes nothing, as on a full disk
        close_output()
        _tell(error, options)
    return exit_code(error)


def _tell(error: MooringError, options: Options) -> None:
    """The error in words on standard error; where that takes nothing, the exit code alone says it."""
    import contextlib

    from mooring.cli.errors import render_error
    from mooring.cli.style import Style, decide_colour

    style = Style(decide_colour(options.environ, terminal=sys.stderr.isatty()))
    with contextlib.suppress(OSError):
        print(render_error(error, style), file=sys.stderr)  # noqa: T201


def _unexpected(error: Exception, options: Options) -> int:
    from mooring.errors import MooringError, UsageError

    if isinstance(error, UnicodeEncodeError) and not _is_text("".join(options.arguments)):
        return _failed(
            UsageError(
                "A name on the command line is not UTF-8 text.",
                resolution="Write it as UTF-8, and run the command again.",
            ),
            options,
        )
    # Of a stranger's exception only the type is shown, and what the operating system says: its own text may hold what
    # it was working on.
    said = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    text = f"Mooring met something that it does not know: {type(error).__name__}{said}."
    return _failed(MooringError(text), options)


def _is_text(words: str) -> bool:
    """Whether none of it is a byte that could not be read as UTF-8."""
    return not any("\ud800" <= one <= "\udfff" for one in words)


def _traceback() -> None:
    import traceback

    traceback.print_exc(file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
