# SPDX-License-Identifier: Apache-2.0
"""Whether a database is as an Odoo run had to leave it. Pure; the task `database-verify` asks.

Odoo's exit code proves nothing: a misspelt module is a warning and exit code 0.
"""

from __future__ import annotations

from collections.abc import Iterable

from mooring.domain.repository.manifest import ModuleVersion
from mooring.domain.work.errors import DatabaseMissing, NotInitialized
from mooring.domain.work.results import DatabaseFacts

_RETURNING = "Name the place where the instance's data is, as before it was deleted; for new data choose another name."


def check_data(facts: DatabaseFacts, database: str) -> None:
    """Refuse a place that does not hold the data that an instance is to come back to.

    Raises:
        DatabaseMissing: there is no such database.
        NotInitialized: it holds no Odoo.
    """
    if not facts.exists:
        raise DatabaseMissing(
            f"The instance's data was retained, and there is no database {database} here.", resolution=_RETURNING
        )
    if not facts.initialized:
        raise NotInitialized(
            f"The instance's data was retained, and the database {database} here holds no Odoo.", resolution=_RETURNING
        )


def decide_older(facts: DatabaseFacts, not_below: Iterable[ModuleVersion]) -> tuple[str, ...]:
    """Modules that are at an older version than before, one sentence each: Odoo's `-u` goes one way only."""
    return tuple(
        f"Module {one.name} was at {one.version}, and this release has {facts.modules[one.name].version}."
        for one in not_below
        if one.name in facts.modules and _numbers(facts.modules[one.name].version) < _numbers(one.version)
    )


def _numbers(version: str) -> tuple[int, ...]:
    """What can be compared of a version such as `14.0.1.2.0`; what is no number counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")) if version else ()


def decide_faults(facts: DatabaseFacts, *, expect: Iterable[str], series: str | None) -> tuple[str, ...]:
    """Everything that is wrong, one sentence each; empty when nothing is."""
    if not facts.exists:
        return ("The database does not exist.",)
    if not facts.initialized:
        return ("Odoo's module base is not installed.",)
    faults: list[str] = []
    if facts.pending_modules:
        named = ", ".join(f"{name} ({facts.modules[name].state})" for name in facts.pending_modules)
        faults.append(f"Modules wait for their installation, upgrade or removal: {named}.")
    for name in sorted(set(expect) - set(facts.pending_modules)):
        module = facts.modules.get(name)
        if module is None:
            faults.append(f"Module {name} is unknown to this Odoo: is it in the add-ons path?")
        elif module.state != "installed":
            faults.append(f"Module {name} is {module.state}, not installed.")
    if series is not None and facts.series != series:
        faults.append(f"The database is of Odoo {facts.series}, not {series}.")
    return tuple(faults)
