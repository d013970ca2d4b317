# SPDX-License-Identifier: Apache-2.0
"""Documents of the tasks that work on an instance's filestore, on the volume that holds it, as Odoo's user.

Layout under `data_dir`: `filestore/<database>` is Odoo's; `.mooring/` is ours (lock, identity, copies). Both have to be on
one mount: hard links and renames end at a mount.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from mooring.domain.work.codec import Document
from mooring.domain.work.common import Fence, check_database_name
from mooring.domain.work.copies import DataRole

_OPERATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def _check(data_dir: str, database: str, instance: str, operation: str | None) -> None:
    if not data_dir.startswith("/") or ".." in data_dir.split("/"):
        raise ValueError(f"dataDir {data_dir!r} is not an absolute path")
    check_database_name(database)
    if "/" in database or database in (".", ".."):
        raise ValueError(f"database {database!r} cannot name a folder")
    if not instance:
        raise ValueError("instance must not be empty")
    if operation is not None and not _OPERATION.fullmatch(operation):
        raise ValueError(f"operation {operation!r} cannot name a folder")


@dataclass(frozen=True)
class _OwnFilestore(Document):
    """What the documents begin with that copy a filestore under the operation's id, and return to that copy."""

    fence: Fence
    instance: str
    data_dir: str
    database: str

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere.

        Raises:
            ValueError: says which.
        """
        _check(self.data_dir, self.database, self.instance, self.fence.operation)


@dataclass(frozen=True)
class FilestoreSafetyCopy(_OwnFilestore):
    """Copy the filestore of a stopped instance aside, by hard links where they work. Gives `FilestoreCopyResult`.

    Attributes:
        make_room: remove the copies of earlier operations where the new one fits only then.
    """

    TASK: ClassVar[str] = "filestore-safety-copy"

    make_room: bool = False


@dataclass(frozen=True)
class FilestoreReturn(_OwnFilestore):
    """Make the safety copy of this fence's operation the filestore again. Gives `FilestoreReturnResult`.

    Attributes:
        keep: keep what was current aside; else it is removed.
    """

    TASK: ClassVar[str] = "filestore-return"

    keep: bool = False


@dataclass(frozen=True)
class FilestoreDrop(Document):
    """Remove copies of the filestore, or with `purge` the filestore itself. Gives `FilestoreDropResult`.

    Attributes:
        roles: what to remove; `current` is the filestore and needs `purge`.
        operation: only copies of this operation; None is all.
        spare: not the copies of this operation.
    """

    TASK: ClassVar[str] = "filestore-drop"

    fence: Fence
    instance: str
    data_dir: str
    database: str
    roles: tuple[DataRole, ...]
    operation: str | None = None
    spare: str | None = None
    purge: bool = False

    def __post_init__(self) -> None:
        """Refuse names that lead elsewhere, and removing what is current by accident.

        Raises:
            ValueError: says which.
        """
        _check(self.data_dir, self.database, self.instance, self.operation)
        if not self.roles:
            raise ValueError("roles must not be empty")
        if "current" in self.roles and not self.purge:
            raise ValueError("the filestore itself is removed only with purge")
