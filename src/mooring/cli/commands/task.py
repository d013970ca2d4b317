# SPDX-License-Identifier: Apache-2.0
"""`mooring task`: run one task of the data engine next to the data. Targets start it; people may."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("task", short_help="Run one task of the data engine (targets start it).")
@click.argument("name")
@click.option(
    "--document", required=True, metavar="FILE", help="The task's document, a JSON object; `-` reads standard input."
)
def task(name: str, document: str) -> None:
    """Run the task NAME next to the data and print JSON lines.

    Each line is an object with `v`, `type` (progress, result or error) and what belongs to it. The exit code is 0 only
    after a result, else 1. A task may be killed at any time and run again.

    Example: mooring task server-check --document check.json
    """
    from mooring.engine.main import run

    def read() -> str:
        return sys.stdin.read() if document == "-" else Path(document).read_text(encoding="utf-8")

    sys.exit(run(name, read))
