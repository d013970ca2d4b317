# SPDX-License-Identifier: Apache-2.0
"""`mooring completion`: the script that makes a shell complete Mooring's command lines."""

from __future__ import annotations

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

SHELLS = ("bash", "zsh", "fish")


@declare(
    "completion",
    short="Print completion for bash, zsh or fish.",
    examples=("mooring completion bash > /etc/bash_completion.d/mooring", 'eval "$(mooring completion zsh)"'),
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(options: Options, shell: str) -> int:
    """Print the script that makes SHELL complete `mooring` command lines."""
    from click.shell_completion import get_completion_class

    from mooring.cli.output import print_data, print_text
    from mooring.cli.root import root

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click has no completion for {shell}.")
    # Only the template is filled in here; bash's class would start bash to ask for its version.
    maker = found(root, {}, "mooring", "_MOORING_COMPLETE")
    script = maker.source_template % maker.source_vars()
    if options.output == "table":
        print_text(script.rstrip("\n"))
    else:
        print_data(options, {"shell": shell, "script": script})
    return 0
