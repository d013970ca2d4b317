# SPDX-License-Identifier: Apache-2.0
"""What an entry of an archive may be called, and what it is: the same rules for zip, tar and folders. Pure.

A name that leads elsewhere refuses the whole archive, also where the entry would not be taken: nobody but an attacker writes
such a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from mooring.domain.work.import_errors import ArchiveRefused
from mooring.engine.backup.exported import is_nameable

MOST_NAME = 1024
_STORE = re.compile(r"(?:.*/)?filestore/(?P<database>[^/]+)/(?P<name>[0-9a-f]{2}/[0-9a-f]{40})")
_BARE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}")
_ADDON = re.compile(r"(?:.*/)?([^/]+)/__(?:manifest|openerp)__\.py")
_DUMPS = ("dump.sql", "db.dump", "database.dump", "dump.sql.gz", "db.sql", "database.sql", "dump.dump")


class Part(Enum):
    """What an entry is for."""

    DUMP = "dump"
    MANIFEST = "manifest"
    INFO = "info"
    FILE = "file"
    STORED = "stored"
    INNER = "inner"
    OTHER = "other"


@dataclass
class Names:
    """The names that an archive has had so far."""

    seen: set[str] = field(default_factory=set)

    def check(self, name: str) -> str:
        """The name without `./` before it and `/` behind it; empty for the root itself.

        Raises:
            ArchiveRefused: it leads elsewhere, holds what no path should, or came before.
        """
        if "\0" in name or "\\" in name or not name.isprintable() or len(name) > MOST_NAME:
            raise ArchiveRefused("The archive has a name that is no path of a backup.", details=repr(name[:200]))
        if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
            raise ArchiveRefused("The archive has a path that leads out of it.", details=repr(name[:200]))
        plain = "/".join(part for part in name.split("/") if part not in ("", "."))
        if plain:
            if plain in self.seen:
                raise ArchiveRefused("The archive has the same path twice.", details=repr(name[:200]))
            self.seen.add(plain)
        return plain


def decide_zip_part(name: str) -> tuple[Part, str]:
    """What an entry of Odoo's zip is, and its name in the filestore."""
    if name == "manifest.json":
        return Part.MANIFEST, ""
    if name in _DUMPS:
        return Part.DUMP, name
    inner = name.removeprefix("filestore/")
    if inner != name and not inner.startswith("checklist/") and is_nameable(inner):
        return Part.FILE, inner
    return Part.OTHER, ""


def decide_stack_part(name: str) -> tuple[Part, str]:
    """What an entry of a compose stack's archive is: it lies in one folder of its own, named by its time."""
    last = name.rpartition("/")[2]
    if name.count("/") > 1:
        return decide_stored(name)
    if last in _DUMPS:
        return Part.DUMP, last
    if last == "backup.info":
        return Part.INFO, ""
    if last in ("filestore.tar.gz", "filestore.tar", "addons.tar.gz", "addons.tar"):
        return Part.INNER, last.partition(".")[0]
    return decide_stored(name)


def decide_stored(name: str) -> tuple[Part, str]:
    """A file of some filestore: STORED as `DATABASE/ab/abcd…`, of one without its database's name FILE as `ab/abcd…`."""
    found = _STORE.fullmatch(name)
    if found is not None:
        return Part.STORED, f"{found['database']}/{found['name']}"
    if _BARE.fullmatch(name):
        return Part.FILE, name
    return Part.OTHER, ""


def addon_of(name: str) -> str | None:
    """The module whose manifest this is."""
    found = _ADDON.fullmatch(name)
    return found[1] if found else None
