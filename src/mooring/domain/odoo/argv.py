# SPDX-License-Identifier: Apache-2.0
"""Odoo's command lines, one function a purpose, by series. Holds no secret: those are in the configuration file.

Every argument was checked against `--help` of 14.0; those of later series against their documentation. The exit code of
what these start proves nothing (a misspelt module ends with 0): each is followed by checks in SQL. Called by the plans of
operations and by what decides workloads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from mooring.domain.odoo.errors import CommandUnavailable
from mooring.domain.odoo.facts import OdooFacts
from mooring.domain.odoo.modules import check_language, check_module_names

CONFIG_PATH: Final = "/etc/mooring/odoo.conf"
"""Where the configuration file is in a container of Mooring's."""

ServeRole = Literal["web", "cron", "probe"]
"""What a process that stays up is for."""

# Nothing may fire while a module is being changed (safety rule d), whatever the configuration file says.
_QUIET: Final = ("--no-http", "--max-cron-threads=0", "--workers=0", "--stop-after-init")
_ALWAYS_THERE: Final = "en_US"


def argv_init(
    facts: OdooFacts,
    *,
    database: str,
    modules: Iterable[str],
    demo: bool = False,
    language: str | None = None,
    config: str = CONFIG_PATH,
    program: str = "odoo",
) -> tuple[str, ...]:
    """Installs `modules` (at least `base`) into `database` and ends.

    Args:
        facts: of the release's series.
        database: an existing database, empty or not; Odoo would try to create a missing one.
        modules: technical names.
        demo: with demonstration data.
        language: a further language to load; `en_US` is always there.
        config: path of odoo.conf.
        program: path or name of Odoo's program.

    Raises:
        ModuleNameInvalid: a name cannot be a module, or is `all`.
        LanguageInvalid: the language code cannot be one.
    """
    names = check_module_names(modules) or ("base",)
    languages = () if language in {None, _ALWAYS_THERE} else (f"--load-language={check_language(str(language))}",)
    return (
        program,
        f"--config={config}",
        f"--database={database}",
        f"--init={','.join(names)}",
        *(facts.demo_on if demo else facts.demo_off),
        *languages,
        *_QUIET,
    )


def argv_update(
    facts: OdooFacts,
    *,
    database: str,
    modules: Iterable[str] | None,
    install: Iterable[str] = (),
    config: str = CONFIG_PATH,
    program: str = "odoo",
) -> tuple[str, ...]:
    """Updates `modules` (`-u`; `all` means every one), installs `install` (without demonstration data), and ends.

    Args:
        modules: None where they become known later, and are written behind it as `--update=NAMES`.

    Raises:
        ModuleNameInvalid: a name cannot be a module, or `all` is to be installed.
        CommandUnavailable: there is nothing to update and nothing to install.
    """
    updated, installed = check_module_names(modules or (), allow_all=True), check_module_names(install)
    if not updated and not installed and modules is not None:
        raise CommandUnavailable(
            "An update needs at least one module.", resolution="Name a module, or `all`, to update."
        )
    return (
        program,
        f"--config={config}",
        f"--database={database}",
        *((f"--update={','.join(updated)}",) if updated else ()),
        *((f"--init={','.join(installed)}", *facts.demo_off) if installed else ()),
        *_QUIET,
    )


def argv_serve(
    facts: OdooFacts, *, role: ServeRole, config: str = CONFIG_PATH, program: str = "odoo"
) -> tuple[str, ...]:
    """Starts the process that stays up for `role`; the numbers are in its configuration file.

    What a role must never do stands on the command line too, which outranks file and environment in every series.
    """
    del facts  # the same in every series so far; asked for so that a change of a series stays here
    guard: dict[ServeRole, tuple[str, ...]] = {
        "web": ("--max-cron-threads=0",),
        "cron": ("--no-http", "--workers=0"),
        "probe": ("--max-cron-threads=0", "--workers=0", "--load=base,web"),
    }
    return (program, f"--config={config}", *guard[role])


def argv_shell(facts: OdooFacts, *, database: str, config: str = CONFIG_PATH, program: str = "odoo") -> tuple[str, ...]:
    """Opens a Python shell with `env`; reads standard input when that is no terminal. Commits only when told."""
    del facts  # as above
    return (program, "shell", f"--config={config}", f"--database={database}", "--no-http")


def argv_neutralize(
    facts: OdooFacts, *, database: str, config: str = CONFIG_PATH, program: str = "odoo"
) -> tuple[str, ...]:
    """Runs Odoo's own neutralization of `database`; loads no module and opens no port.

    Raises:
        CommandUnavailable: the series has none (before 16.0); Mooring's own SQL does it there.
    """
    if not facts.has_neutralize:
        raise CommandUnavailable(f"Odoo {facts.series} has no `neutralize` command.")
    return (program, "neutralize", f"--config={config}", f"--database={database}")
