# SPDX-License-Identifier: Apache-2.0
"""`mooring agent`: the service that keeps all instances of a machine in shape."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from mooring.cli.options import Options, group
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App

CLOSE_S = 2.0


@group(
    "agent",
    short="Run, install or look at the agent.",
    examples=("sudo mooring agent install", "mooring agent status"),
)
def command() -> None:
    """Run, install or look at the agent: it keeps all instances in shape and carries out what is asked for."""


@declare("run", short="Run the agent until it is stopped.", examples=("mooring agent run",))
def run_command(options: Options) -> int:
    """Run the agent in the foreground, until SIGTERM or SIGINT; it stops within ten seconds.

    It can be killed at any time: the next agent, or the next command, goes on where it stopped. While it runs, other
    commands write what is wanted and follow what it does.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.logs import setup_logging
    from mooring.control.agent import run_agent
    from mooring.control.events import log_event

    if options.output == "yaml":
        raise BadRequest("The agent's log is text, or JSON lines with `-o json`; there is no YAML of it.")

    async def work(app: App) -> None:
        setup_logging(options, level=logging.INFO)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run_agent(await app.services(listener=log_event), stop)
        try:
            await asyncio.wait_for(app.close(), CLOSE_S)
        except TimeoutError:
            # A container that takes its time to stop is the engine's to finish; a service manager waits for us.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)

    run(options, work)
    return 0


@declare(
    "status", short="Say whether an agent runs.", examples=("mooring agent status", "mooring agent status -o json")
)
def status(options: Options) -> int:
    """Say whether an agent runs on this state directory; the exit code is 3 when none does."""
    from mooring.cli.context import home_of
    from mooring.cli.output import print_data, print_text
    from mooring.drivers.locks import AgentLock
    from mooring.drivers.state import StateDir

    holder = AgentLock(StateDir.open(home_of(options)).locks).holder()
    if options.output != "table":
        since = holder.since.isoformat() if holder is not None and holder.since is not None else None
        print_data(options, {"running": holder is not None, "pid": holder.pid if holder else None, "since": since})
    elif holder is None:
        print_text("No agent runs. Commands do their work themselves; `sudo mooring agent install` installs one.")
    else:
        print_text(f"An agent runs: {holder}.")
    return 0 if holder is not None else 3


@declare("install", short="Install the agent as a systemd service.", examples=("sudo mooring agent install",))
@click.option("--dry-run", is_flag=True, help="Print the unit, and do nothing.")
def install(options: Options, *, dry_run: bool) -> int:
    """Write a systemd unit for the agent, enable it and start it. Safe to run again."""
    from mooring.cli.context import home_of
    from mooring.cli.output import print_data, print_text
    from mooring.cli.service import install_service, program_path, render_unit, wait_for_agent
    from mooring.drivers.state import StateDir

    home = home_of(options)
    unit = render_unit(program_path(), home=home, environ=options.environ)
    if dry_run:
        if options.output == "table":
            print_text(unit.rstrip("\n"))
        else:
            print_data(options, {"unit": unit, "installed": False})
        return 0
    StateDir.open(home)  # the unit may write there only, so it has to be there
    done: list[str] = []
    for line in install_service(unit):
        done.append(line)
        if options.output == "table":
            print_text(line)
    wait_for_agent(home)
    if options.output != "table":
        print_data(options, {"unit": unit, "installed": True, "done": done})
    return 0


for _one in (run_command, install, status):
    command.add_command(_one)
