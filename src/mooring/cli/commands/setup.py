# SPDX-License-Identifier: Apache-2.0
"""`mooring setup`: from a fresh server to a first instance, in steps that are said before they are done."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.setting_up import Step


@declare(
    "setup",
    short="Prepare a fresh server in one go.",
    examples=("sudo mooring setup --yes", "sudo mooring setup --host shop.example.com --dry-run"),
)
@click.option(
    "-f", "--file", "file", metavar="FILE", help="Manifest of the first instance; odoo.yaml is written if not."
)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Host name for the manifest that is written.")
@click.option("--image", metavar="IMAGE", help="Odoo's image for the manifest that is written.")
@click.option("--no-agent", is_flag=True, help="Install no service; commands do the work themselves.")
@click.option("--no-instance", is_flag=True, help="Stop before the first instance.")
@click.option("--yes", is_flag=True, help="Do not ask before each step.")
@click.option("--dry-run", is_flag=True, help="Say the steps, and do nothing.")
def command(
    options: Options,
    file: str | None,
    hosts: tuple[str, ...],
    image: str | None,
    *,
    no_agent: bool,
    no_instance: bool,
    yes: bool,
    dry_run: bool,
) -> int:
    """Prepare this machine, and bring up a first instance.

    That is: checks, a container engine from the distribution's packages, the engine image, the agent as a systemd service,
    a manifest, its apply.

    Each step is said before it is done, what is there already is left as it is, and a second run goes on where the first
    one stopped. Where no systemd runs, the agent's step is refused before anything is changed; `--no-agent` does the rest.
    """
    from mooring.cli import setting_up
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.output import print_result, print_text

    names = () if no_instance else setting_up.hosts_of(options, file=file, hosts=hosts)
    steps: list[Step] = [
        *setting_up.machine_steps(options, hosts=names),
        *(() if no_agent else setting_up.agent_steps(options)),
        *(() if no_instance else setting_up.instance_steps(options, file=file, hosts=hosts, image=image)),
    ]
    refused = [step.refused for step in steps if step.refused is not None]
    if refused and not dry_run:
        raise refused[0]  # before anything was changed
    done: list[str] = []
    for number, step in enumerate(steps, start=1):
        reason = f"cannot be done here: {step.refused.brief}" if step.refused is not None else step.needless()
        if options.output == "table":
            print_text(f"[{number}/{len(steps)}] {step.title}" + (f": {reason.rstrip('.')}." if reason else ""))
        if reason or (dry_run and not step.looks):
            continue
        if step.looks:
            step.act()
            continue
        if not yes and not (sys.stdin.isatty() and click.confirm("  Do this?", default=True, err=True)):
            raise NotConfirmed(f"{step.title}: not done, nor what comes after it.")
        step.act()
        done.append(step.title)
    if refused:
        raise refused[0]
    if options.output != "table":
        print_result(options, {"done": done, "dryRun": dry_run})
    elif not dry_run:
        said = "This machine is ready." if done else "This machine is ready; nothing was to be done."
        print_text(said + ("" if no_instance else f" Your manifest: {Path(file or 'odoo.yaml')}."))
    return 0
