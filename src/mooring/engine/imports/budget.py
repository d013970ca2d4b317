# SPDX-License-Identifier: Apache-2.0
"""How much may come out of an archive, by its own size and by the room there is. Used by all that unpacks or reads one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mooring.domain.work.errors import NotEnoughSpace
from mooring.domain.work.import_errors import ArchiveRefused

# Dumps of Odoo shrink to a tenth or a twentieth; what DEFLATE can do at most, and bombs do, is a thousandth.
MOST_RATIO = 120
FREE_OF_RATIO_BYTES = 64 << 20
MOST_ENTRIES = 3_000_000
_SPARE = 0.95


@dataclass
class Budget:
    """What one archive may still give.

    Attributes:
        packed: bytes of the archive.
        room: bytes that may be written; None where nothing is written.
    """

    packed: int
    room: int | None = None
    bytes: int = 0
    entries: int = 0

    def take(self, size: int) -> None:
        """Count what came out.

        Raises:
            ArchiveRefused: far more than any backup holds.
            NotEnoughSpace: more than there is room for.
        """
        self.bytes += size
        if self.bytes > self.packed * MOST_RATIO + FREE_OF_RATIO_BYTES:
            raise ArchiveRefused(
                f"More than {MOST_RATIO} times its own {self.packed} bytes come out of the archive: no backup is like that."
            )
        if self.room is not None and self.bytes > self.room:
            raise NotEnoughSpace(f"What is in the archive needs more than the {self.room} bytes that are free.")

    def enter(self) -> None:
        """Count one entry.

        Raises:
            ArchiveRefused: more than any backup holds.
        """
        self.entries += 1
        if self.entries > MOST_ENTRIES:
            raise ArchiveRefused(f"The archive has more than {MOST_ENTRIES} entries.")


def free_room(folder: Path) -> int:
    """Bytes that may be written where `folder` is, with a little left for whoever else writes there."""
    found = os.statvfs(folder)
    return int(found.f_bavail * found.f_frsize * _SPARE)
