# SPDX-License-Identifier: Apache-2.0
"""`mooring report`: one file for a bug report, without secrets."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App
    from mooring.targets.base import Target


@declare(
    "report",
    short="Pack a report for a bug, without secrets.",
    examples=("mooring report", "mooring report -f shop-trouble.tar.gz"),
)
@click.option(
    "-f", "--file", "file", metavar="FILE", help="Where to write it; mooring-report-TIME.tar.gz if not given."
)
def command(options: Options, *, file: str | None) -> int:
    """Pack versions, records with their journals, and the ends of logs into one file for a bug report.

    Every secret that Mooring knows is taken out, and every field that may hold one is masked. Host names, database names
    and what your modules wrote to the log stay: look through it before you publish it.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import FileExists
    from mooring.cli.new_file import refuse_existing
    from mooring.cli.output import print_result, print_text
    from mooring.control.report import pack_report
    from mooring.drivers.files import create_file
    from mooring.errors import MooringError

    path = Path(file or f"mooring-report-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    refuse_existing(path)
    path = path.absolute()

    async def work(app: App) -> None:
        target: Target | None = None
        try:
            target = await app.target()
        except MooringError as error:
            app.progress.line(f"{error.brief} The report has no logs.")
        data = await pack_report(
            await app.documents.list(), app.secrets, target, versions=_versions(options), now=app.clock.now()
        )
        if not create_file(path, data):
            raise FileExists(f"{path} is there already; it was left alone.")

    run(options, work)
    if options.output == "table":
        print_text(f"{path} is written, for its owner alone. Look through it before you publish it.")
    else:
        print_result(options, {"file": str(path)})
    return 0


def _versions(options: Options) -> dict[str, Any]:
    """{mooring, python, machine, kernel, system, engine, checks}."""
    from importlib import metadata

    from mooring import __version__
    from mooring.cli import checks
    from mooring.drivers import host

    packages = {}
    for name in ("click", "docker", "pydantic", "PyYAML", "urllib3"):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = "not installed"
    engine, _ = checks.check_engine(options.environ)
    found = [engine, checks.check_memory(), checks.check_disk(Path("/var/lib")), checks.check_clock()]
    return {
        "mooring": __version__,
        "python": sys.version,
        "packages": packages,
        "system": host.observe_os_release().__dict__,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "checks": [one.__dict__ for one in found],
    }
