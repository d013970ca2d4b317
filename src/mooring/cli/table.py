# SPDX-License-Identifier: Apache-2.0
"""The table of all commands, and the help that is made from it.

Imports nothing: `mooring --help` and `mooring --version` answer before click or anything else is loaded, and the root
group of click shows the same text. A command's module is imported only when the command is run.
"""

from __future__ import annotations

SECTIONS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Bring up and change",
        (
            ("init", "Write a commented manifest to start from."),
            ("plan", "Show what apply would do, and do nothing."),
            ("apply", "Make the world what the manifests say."),
            ("upgrade", "Upgrade an instance: modules, or a new image."),
            ("rollback", "Return to the release and data before the last upgrade."),
            ("promote", "Make production of a staging instance."),
            ("stop", "Stop an instance until it is started again."),
            ("start", "Start a stopped instance."),
            ("restart", "Restart an instance's processes."),
            ("delete", "Remove an instance; its data stays unless --purge."),
            ("template", "List, make and drop what new instances are copied from."),
            ("import", "Write a manifest from another set-up's files."),
        ),
    ),
    (
        "Back up and restore",
        (
            ("backup", "Back an instance up into its repository, while it runs."),
            ("restore", "Bring a snapshot of an instance back."),
            ("refresh", "Renew a staging copy from its source."),
            ("clone", "Make a new staging copy of an instance."),
            ("snapshots", "List the snapshots of an instance."),
            ("verify", "Verify that an instance's backup can be restored."),
            ("repository", "Make, list, check and prune a backup repository."),
            ("neutralize", "Keep a Staging instance from acting on the world, again."),
            ("release-hold", "Let cron run again after data went back in time."),
        ),
    ),
    (
        "Look and work inside",
        (
            ("list", "List instances and database servers."),
            ("status", "Show one instance: conditions, address, operation."),
            ("logs", "Show the log of an instance's processes."),
            ("mail", "Read the mail that a staging instance did not send."),
            ("open", "Open an instance in the browser."),
            ("shell", "Open Odoo's Python shell on an instance."),
            ("psql", "Open psql on an instance's database."),
            ("exec", "Run a command inside an instance."),
            ("operations", "List, show, cancel or retry operations."),
            ("secret", "Set, list, show or delete secrets."),
        ),
    ),
    (
        "Machine",
        (
            ("setup", "Prepare a fresh server in one go."),
            ("doctor", "Check engine, memory, disk, ports, clock and DNS."),
            ("agent", "Run, install or look at the agent."),
            ("adopt", "Rebuild lost records from what runs."),
            ("render", "Print an instance as a Compose file or as Quadlet units."),
            ("report", "Pack a report for a bug, without secrets."),
            ("schema", "Print the JSON Schema of manifests for editors."),
            ("completion", "Print completion for bash, zsh or fish."),
            ("task", "Run one task of the data engine (targets start it)."),
        ),
    ),
)
"""Sections of (verb, one line of help); the module of a verb is `mooring.cli.commands.VERB`."""

GLOBAL_OPTIONS: tuple[tuple[str, str], ...] = (
    ("-n, --namespace NAME", "Namespace of names and manifests (default: default)."),
    ("-t, --target NAME", "Target to work on (default: of the configuration file, else docker)."),
    ("-o, --output FORMAT", "table, json or yaml (default: table)."),
    ("--timeout TIME", "How long to wait, such as 90s or 2h (default: 30m)."),
    ("--home FOLDER", "State directory (default: MOORING_HOME, else by XDG; /var/lib/mooring for root)."),
    ("--debug", "Log everything, and show the traceback of an error."),
)

EXIT_CODES: tuple[tuple[str, str], ...] = (
    ("0", "done"),
    ("1", "tried and failed"),
    ("2", "usage: nothing was changed"),
    ("3", "not found"),
    ("4", "conflict: somebody or something else is in the way"),
    ("5", "timeout: it goes on, run the command again to resume"),
    ("130", "interrupted"),
    ("141", "the reader of the output went away"),
)

COMMANDS: dict[str, str] = {name: text for _, rows in SECTIONS for name, text in rows}
_WIDTH = 22


def render_help() -> str:
    """The text of `mooring --help`."""
    lines = [
        "Usage: mooring [OPTIONS] COMMAND [ARGS]...",
        "",
        "  Keeps Odoo instances running, upgraded, backed up and restorable, from one manifest.",
        "",
        "Example:",
        "  mooring init shop && mooring apply -f shop.yaml",
    ]
    for title, rows in SECTIONS:
        lines += ["", f"{title}:", *(f"  {name:<{_WIDTH}}{text}" for name, text in rows)]
    lines += ["", "Options, before or after the command:"]
    lines += [f"  {names:<{_WIDTH}}{text}" for names, text in GLOBAL_OPTIONS]
    lines += [f"  {'--version':<{_WIDTH}}Print the version.", f"  {'-h, --help':<{_WIDTH}}Show this help."]
    lines += ["", "Exit codes:", *(f"  {code:<{_WIDTH}}{text}" for code, text in EXIT_CODES)]
    lines += ["", "`mooring COMMAND --help` explains a command."]
    return "\n".join(lines) + "\n"
