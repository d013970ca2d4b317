# SPDX-License-Identifier: Apache-2.0
"""The table of contents of a dump, as `pg_restore --list` prints it. Pure text work; used by backup and restore.

A line is `DUMPID; CATALOG OID KIND SCHEMA NAME OWNER`; names stand unquoted in it, so that only numbers and kinds are read.
Data of a table have catalog 0 and the table's oid, and lie in the file `DUMPID.dat` (pg_backup_directory.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mooring.domain.work.backup_errors import SnapshotUnfit

_LINE = re.compile(r"(\d+); (\d+) (\d+) (.+)")
_MAGIC = b"PGDMP"
# Archive version → the first major whose pg_restore reads it (pg_backup_archiver.h; 1.14 came with 12).
_READERS = ((1, 16, 17), (1, 15, 16), (1, 14, 12))
# Prepared by an administrator, or of no use where the data goes.
_PREPARED = ("EXTENSION - ", "COMMENT - EXTENSION ", "COMMENT - SCHEMA public ", "SCHEMA - public ")


@dataclass(frozen=True)
class TocItem:
    """One entry: its number, the oid of what it is about, and `KIND SCHEMA NAME OWNER`."""

    number: int
    oid: int
    text: str
    line: str

    @property
    def has_rows(self) -> bool:
        """Whether it is the rows of a table."""
        return self.text.startswith("TABLE DATA ")

    @property
    def file(self) -> str:
        """The file in a dump's folder that holds those."""
        return f"{self.number}.dat"


def parse_toc(text: str) -> tuple[TocItem, ...]:
    """The entries of a list."""
    found: list[TocItem] = []
    for line in text.split("\n"):
        match = _LINE.fullmatch(line)
        if match:
            kind = match[4]
            # A table in a schema named DATA looks the same but for its catalog.
            named = not (kind.startswith("TABLE DATA ") and match[2] != "0")
            found.append(TocItem(int(match[1]), int(match[3]), kind if named else f"TABLE  {kind[6:]}", line))
    return tuple(found)


def decide_reader(head: bytes) -> int:
    """The lowest major whose `pg_restore` reads an archive that begins with these bytes.

    Raises:
        SnapshotUnfit: this is no archive of `pg_dump`, or of a version that this program does not know.
    """
    if len(head) < 7 or not head.startswith(_MAGIC):
        raise SnapshotUnfit("The dump's table of contents is none of pg_dump's.")
    for major, minor, reader in _READERS:
        if (head[5], head[6]) == (major, minor):
            return reader
    raise SnapshotUnfit(f"The dump is an archive of version {head[5]}.{head[6]}, which this program does not know.")


def render_list(items: Iterable[TocItem], *, schemas: Iterable[str] = ()) -> str:
    """What `pg_restore --use-list` restores: all but what is prepared.

    Args:
        items: of the archive, in its order.
        schemas: further schemas that exist already.
    """
    prepared = (*_PREPARED, *(f"SCHEMA - {name} " for name in schemas))
    return "".join(f"{item.line}\n" for item in items if not item.text.startswith(prepared))


def render_extension_list(items: Iterable[TocItem]) -> str:
    """The same for the extensions alone."""
    return "".join(f"{item.line}\n" for item in items if item.text.startswith("EXTENSION - "))
