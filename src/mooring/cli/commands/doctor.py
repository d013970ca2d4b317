# SPDX-License-Identifier: Apache-2.0
"""`mooring doctor`: looks at the machine, and says how to mend what is not well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@declare(
    "doctor",
    short="Check engine, memory, disk, ports, clock and DNS.",
    examples=("mooring doctor", "sudo mooring doctor -o json"),
)
def command(options: Options) -> int:
    """Look at this machine: engine, memory, disk, ports of the ingress, clock, DNS of all hosts, state directory.

    Each is ok, warn or fail, with how to mend it; the exit code is 1 when one fails. Nothing is changed.
    """
    from mooring.cli import checks
    from mooring.cli.context import home_of, run
    from mooring.cli.names import spec_of_document
    from mooring.cli.output import print_data, print_text, render_table, style_for
    from mooring.drivers.settings import Settings, default_settings_path, load_settings
    from mooring.errors import MooringError

    found: list[checks.Check] = []

    async def hosts_of(app: App) -> list[str]:
        hosts: list[str] = []
        for doc in await app.documents.list("OdooInstance"):
            ingress = spec_of_document(doc).ingress
            hosts += ingress.hosts if ingress is not None else ()
        return hosts

    try:
        settings = load_settings(default_settings_path(options.environ, os.geteuid()))
    except MooringError as error:
        settings = Settings()
        found.append(checks.Check("configuration", "fail", error.brief, error.resolution))
    hosts: list[str] = []
    home = home_of(options)
    try:
        hosts = run(options, hosts_of)
        found.append(checks.Check("state directory", "ok", str(home)))
    except MooringError as error:
        found.append(checks.Check("state directory", "fail", error.brief, error.resolution))
    found += checks.check_machine(options.environ, settings, home=home, hosts=hosts)

    if options.output != "table":
        print_data(options, [one.__dict__ for one in found])
    else:
        style = style_for(options)
        marks = {"ok": style.good("ok"), "warn": style.careful("warn"), "fail": style.bad("fail")}
        print_text(render_table(("CHECK", "", "FOUND"), [(one.name, marks[one.verdict], one.found) for one in found]))
        for one in found:
            if one.mend:
                print_text(f"{marks[one.verdict]} {one.name} → {one.mend}")
    return 1 if any(one.verdict == "fail" for one in found) else 0
