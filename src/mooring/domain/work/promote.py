# SPDX-License-Identifier: Apache-2.0
"""Document and result of the task that makes production's data of a Staging instance's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mooring.domain.work.codec import Document, Shape
from mooring.domain.work.common import Connection, Fence, check_database_name


@dataclass(frozen=True)
class DatabasePromote(Document):
    """Take from a database what says that it is a copy. The owner's connection; safe to repeat; gives `PromoteResult`.

    What neutralizing switched off stays off: nobody remembers what was on.

    Attributes:
        instance: id of the instance whose present data it is.
    """

    TASK: ClassVar[str] = "database-promote"

    connection: Connection
    fence: Fence
    instance: str
    database: str

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: says which.
        """
        check_database_name(self.database)
        if not self.instance:
            raise ValueError("instance must not be empty")


@dataclass(frozen=True)
class StaysOff(Shape):
    """How many of one kind are off, `rows` of `table`."""

    what: str
    table: str
    rows: int


@dataclass(frozen=True)
class PromoteResult(Shape):
    """Result of `database-promote`.

    Attributes:
        banner: one was taken away.
        off: what a person looks at, and turns on what production needs.
        base_url: the address that it goes on with, frozen; None where it has none.
    """

    database: str
    banner: bool
    off: tuple[StaysOff, ...]
    base_url: str | None
