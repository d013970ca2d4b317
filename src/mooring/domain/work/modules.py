# SPDX-License-Identifier: Apache-2.0
"""Documents and results of the tasks that know which installed modules' files changed.

The recipe and the place are those of click-odoo-update, so that a user may go back and forth between both: SHA-1 over names
and bytes of a module's files, as JSON in the parameter `module_auto_update.installed_checksums`, under its advisory lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, Fence

CHECKSUMS_PARAMETER = "module_auto_update.installed_checksums"
PATTERNS_PARAMETER = "module_auto_update.exclude_patterns"
DEFAULT_PATTERNS = ("*.pyc", "*.pyo", "i18n/*.pot", "i18n_extra/*.pot", "static/*", "tests/*")
"""What changes no database: what click-odoo-update leaves out where its parameter says nothing (1.24)."""

Selection = Literal["changed", "named", "all"]


def checksums_lock_key(database: str) -> int:
    """The advisory lock that click-odoo-update holds in a database while it works: 14 hex digits of a SHA-1."""
    digest = hashlib.sha1(f"click-odoo-update/{database}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:14], 16)


@dataclass(frozen=True)
class ModulesRead(Document):
    """What a database says of its modules' files. Owner's connection; changes nothing; gives `InstalledModules`.

    Attributes:
        wait_s: seconds to wait for another tool that is updating the database.
    """

    TASK: ClassVar[str] = "modules-read"

    connection: Connection
    database: str
    wait_s: int = 60


@dataclass(frozen=True)
class InstalledModules(Shape):
    """Result of `modules-read`.

    Attributes:
        modules: those that are installed or wait for their upgrade, sorted.
        languages: codes of the active languages; translations of others are left out.
        patterns: of relative file names that are left out.
        checksums: what was stored after the last update, by module; without those that had no code then.
    """

    modules: tuple[str, ...]
    languages: tuple[str, ...]
    patterns: tuple[str, ...]
    checksums: Mapping[str, str]


@dataclass(frozen=True)
class ModulesHash(Document):
    """What a release's files of these modules are. Read by a script in the release; gives `HashedModules`.

    Attributes:
        modules: names; the script takes an object, too, and reads its keys.
        languages: as in `InstalledModules`.
        patterns: as in `InstalledModules`.
        known: checksums to compare with.
        select: what is updated: what changed (and `also`), `also` alone, or everything.
        also: modules that are updated whether they changed or not.
        install: modules that are installed besides.
    """

    TASK: ClassVar[str] = "modules-hash"

    modules: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    patterns: tuple[str, ...] = DEFAULT_PATTERNS
    known: Mapping[str, str] = field(default_factory=dict)
    select: Selection = "changed"
    also: tuple[str, ...] = ()
    install: tuple[str, ...] = ()


@dataclass(frozen=True)
class HashedModules(Shape):
    """Result of the script.

    Attributes:
        checksums: of `modules`, `install` and what these depend on, as far as the release holds them.
        missing: those of `modules` that the release does not hold, or does not offer for installation.
        changed: those of `modules` whose checksum is not the known one.
        update: what `-u` is given; `all` where `base` changed, since every module depends on it.
        touched: what is updated and what is installed: empty where Odoo need not run.
    """

    checksums: Mapping[str, str]
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    update: tuple[str, ...]
    touched: tuple[str, ...]


@dataclass(frozen=True)
class ModulesStore(Document):
    """Write down what the installed modules' files were when they were updated. Owner's connection; safe to repeat.

    Gives `StoredChecksums`.

    Attributes:
        checksums: by module, from before the update: a file that changed since then differs the next time.
        missing: modules without code, stored as such.
        only: modules that were updated, where not all were looked after; the others keep what is stored. None is all.
    """

    TASK: ClassVar[str] = "modules-store"

    connection: Connection
    fence: Fence
    instance: str
    database: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None


@dataclass(frozen=True)
class StoredChecksums(Shape):
    """Result of `modules-store`: how many modules are stored, and whether anything was written."""

    modules: int
    written: bool
