# SPDX-License-Identifier: Apache-2.0
"""What several documents share: how to connect, the fence of an operation, and the instance's database that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mooring.domain.work.codec import Document, Shape

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
DATABASE_NAME_BYTES = 63
SERVERS_OWN = frozenset({"postgres", "template0", "template1"})


@dataclass(frozen=True)
class Connection(Shape):
    """How a task reaches PostgreSQL; always over TCP.

    Attributes:
        password_file: path of a 0600 file whose first line is the password; None for servers that ask for none.
        sslmode: libpq's word.
        sslrootcert_file: certificate authority for `verify-ca` and `verify-full`; None is the system's for `verify-full`
            (libpq has none for `verify-ca`: the connection is refused).
        maintenance_database: where work on whole databases and advisory locks happen.
    """

    host: str
    port: int
    user: str
    password_file: str | None
    sslmode: SslMode = "prefer"
    sslrootcert_file: str | None = None
    maintenance_database: str = "postgres"

    def __post_init__(self) -> None:
        """Refuse what no server can have.

        Raises:
            ValueError: host or user is empty, or the port is none.
        """
        if not self.host or not self.user:
            raise ValueError("host and user must not be empty")
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")


@dataclass(frozen=True)
class Fence(Shape):
    """Keeps a late process of an earlier attempt away from data that a later one works on.

    Attributes:
        operation: id of the operation.
        attempt: number of this attempt of this step, from 1; a lower one than the last seen is refused.
        wait_s: seconds to wait for another process that holds the lock.
    """

    operation: str
    attempt: int
    wait_s: int = 60

    def __post_init__(self) -> None:
        """Refuse a fence that fences nothing.

        Raises:
            ValueError: no operation, or an attempt below 1.
        """
        if not self.operation or self.attempt < 1 or self.wait_s < 0:
            raise ValueError("operation must not be empty, attempt must be at least 1, waitS at least 0")


def check_database_name(name: str) -> None:
    """Refuse what cannot or must not be an instance's database.

    Raises:
        ValueError: empty, longer than PostgreSQL keeps, with a character that is not printable, or the server's own.
    """
    if not name or len(name.encode()) > DATABASE_NAME_BYTES or not name.isprintable():
        raise ValueError(f"database name {name!r} is empty, too long or not printable")
    if name in SERVERS_OWN:
        raise ValueError(f"database {name} is the server's own")


@dataclass(frozen=True)
class DatabaseDocument(Document):
    """What a document begins with that works on the database of one instance.

    Attributes:
        instance: its id.
        database: its current one.
    """

    connection: Connection
    fence: Fence
    instance: str
    database: str

    def __post_init__(self) -> None:
        """Refuse the server's own databases.

        Raises:
            ValueError: says which.
        """
        check_database_name(self.database)
