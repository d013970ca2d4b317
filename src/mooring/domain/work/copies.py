# SPDX-License-Identifier: Apache-2.0
"""Documents of the tasks that copy a stopped instance's database, return to the copy, and drop databases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from mooring.domain.work.codec import Document
from mooring.domain.work.common import Connection, DatabaseDocument, Fence

DataRole = Literal["current", "previous", "building", "safety"]


@dataclass(frozen=True)
class DatabaseSafetyCopy(DatabaseDocument):
    """Copy the database of a stopped instance beside it, under the operation's id. Administrator; gives `CopyResult`.

    A complete copy of the same operation is kept, an incomplete one is made again.

    Attributes:
        disconnect: end the sessions that still use the database; else they make the task fail, with their names.
        free_bytes: free space where the server keeps its data; None where nobody knows.
        make_room: drop the copies of earlier operations where the new one fits only then.
    """

    TASK: ClassVar[str] = "database-safety-copy"

    disconnect: bool = False
    free_bytes: int | None = None
    make_room: bool = False


@dataclass(frozen=True)
class DatabaseReturn(DatabaseDocument):
    """Make the safety copy of this fence's operation current again. Administrator; gives `ReturnResult`.

    Attributes:
        keep: keep what was current as role `previous`; else it is dropped.
    """

    TASK: ClassVar[str] = "database-return"

    keep: bool = False


@dataclass(frozen=True)
class DatabaseDrop(Document):
    """Drop databases of one instance by their role. Administrator; safe to repeat; gives `DropResult`.

    Attributes:
        roles: which of the instance's databases.
        operation: only copies of this operation; None is all. Never narrows `current`.
        spare: not the copies of this operation.
        purge: has to be true to drop what is current.
        owner: role of the server to drop afterwards, if Mooring made it and nothing else is its own; None keeps it.
    """

    TASK: ClassVar[str] = "database-drop"

    connection: Connection
    fence: Fence
    instance: str
    roles: tuple[DataRole, ...]
    operation: str | None = None
    spare: str | None = None
    purge: bool = False
    owner: str | None = None

    def __post_init__(self) -> None:
        """Refuse to drop what is current by accident.

        Raises:
            ValueError: `current` without `purge`, no role, or an owner without `current`.
        """
        if not self.instance or not self.roles:
            raise ValueError("instance and roles must not be empty")
        if "current" in self.roles and not self.purge:
            raise ValueError("the current database is dropped only with purge")
        if self.owner and "current" not in self.roles:
            raise ValueError("the owner role is dropped only together with the current database")
