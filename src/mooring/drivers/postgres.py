# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL over TCP: connect, run a statement, hold an advisory lock. The only module that imports psycopg.

A session commits each statement by itself unless it is inside `transaction()`. Its `search_path` is `pg_catalog`: an
administrator's session in a tenant's database must never call what the tenant put into `public`. It decides nothing; the
engine calls it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from mooring.domain.model.secret import SecretValue
from mooring.domain.work.common import Connection
from mooring.domain.work.errors import LockHeld
from mooring.drivers.postgres_faults import connect_fault, statement_fault
from mooring.errors import MooringError

SQL = sql.SQL
Identifier = sql.Identifier
Literal = sql.Literal
Query = LiteralString | sql.SQL | sql.Composed
CONNECT_TIMEOUT_S = 10
_POLL_S = 0.5
_STREAM_ROWS = 5000


def connect(connection: Connection, *, database: str, task: str, password: SecretValue | None) -> Session:
    """Open a session.

    Args:
        connection: where and as whom.
        database: which database.
        task: shown in `pg_stat_activity` as `mooring/TASK`.
        password: None for servers that ask for none.

    Raises:
        ServerUnreachable, PasswordRefused, TlsRefused, ServerRefused, DatabaseMissing, RightsMissing: see their texts.
    """
    try:
        link = psycopg.connect(
            render_conninfo(connection, database, task),
            password=password.reveal() if password else None,
            autocommit=True,
        )
    except psycopg.Error as fault:
        raise connect_fault(str(fault), connection, database) from None
    return Session(link, connection)


def render_conninfo(
    connection: Connection, database: str, task: str, *, passfile: str = "/dev/null", **more: str
) -> str:
    """Libpq's connection string, for our own sessions and for PostgreSQL's programs. No password is in it.

    Args:
        connection: where and as whom.
        database: which database.
        task: shown in `pg_stat_activity` as `mooring/TASK`.
        passfile: path of a 0600 file in pgpass format, for programs.
        more: further parameters of libpq, such as `options`.
    """
    return make_conninfo(
        host=connection.host,
        port=connection.port,
        user=connection.user,
        dbname=database,
        sslmode=connection.sslmode,
        sslrootcert=connection.sslrootcert_file or ("system" if connection.sslmode == "verify-full" else None),
        # No file of this machine takes part in who connects where, and of the variables only libpq's PGHOSTADDR: a target that
        # stands between a task and an address sets it, and `host` stays what a certificate is checked against. It is written
        # here since PostgreSQL's own programs get no environment.
        hostaddr=os.environ.get("PGHOSTADDR") or None,
        passfile=passfile,
        gssencmode="disable",
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name=f"mooring/{task}",
        client_encoding="UTF8",
        keepalives_idle=30,
        tcp_user_timeout=60_000,
        **more,
    )


class Session:
    """One connection. A context manager: leaving it on an error cancels what still runs on the server, then closes."""

    def __init__(self, link: psycopg.Connection[tuple[Any, ...]], connection: Connection) -> None:
        self._link = link
        self.user = connection.user
        info = link.info
        self.version_number = info.server_version
        self.major = info.server_version // 10_000
        self.version = info.parameter_status("server_version") or ""
        self.tls = bool(link.pgconn.ssl_in_use)
        self.execute("SET search_path = pg_catalog", doing="set up the session")
        # What a role or database was given for users must not end a long copy.
        self.execute("SET statement_timeout = 0", doing="set up the session")
        self.execute("SET idle_in_transaction_session_timeout = 0", doing="set up the session")
        self.execute("SET lock_timeout = '60s'", doing="set up the session")
        if self.major >= 14:
            self.execute("SET idle_session_timeout = 0", doing="set up the session")
            # The server ends a statement whose client was killed, instead of finishing it against the next attempt.
            self.execute("SET client_connection_check_interval = '2s'", doing="set up the session")

    def execute(self, query: Query, parameters: Sequence[object] = (), *, doing: str) -> int:
        """Run one statement; the number of rows that it touched.

        Raises:
            MooringError: a typed error; see `postgres_faults`.
        """
        with self._typed(doing):
            return self._link.execute(query, parameters or None).rowcount

    def rows(self, query: Query, parameters: Sequence[object] = (), *, doing: str) -> list[tuple[Any, ...]]:
        """Run one query; all its rows.

        Raises:
            MooringError: a typed error; see `postgres_faults`.
        """
        with self._typed(doing):
            return self._link.execute(query, parameters or None).fetchall()

    def value(self, query: Query, parameters: Sequence[object] = (), *, doing: str) -> Any:
        """The first column of the first row; None without a row.

        Raises:
            MooringError: a typed error; see `postgres_faults`.
        """
        found = self.rows(query, parameters, doing=doing)
        return found[0][0] if found else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside, or none."""
        with self._typed("end a transaction"), self._link.transaction():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[str]:
        """Read one state of the database inside; the name by which `pg_dump --snapshot` reads the same one.

        Raises:
            MooringError: a typed error; see `postgres_faults`.
        """
        with self.transaction():
            self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", doing="read one state")
            if self.major >= 17:
                self.execute("SET LOCAL transaction_timeout = 0", doing="read one state")
            yield str(self.value("SELECT pg_export_snapshot()", doing="export the snapshot"))

    def stream(self, query: Query, *, doing: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query through a cursor on the server, inside a transaction; memory does not grow with them.

        Raises:
            MooringError: a typed error; see `postgres_faults`.
        """
        with self._typed(doing), self._link.cursor(name="mooring_stream") as cursor:
            cursor.itersize = _STREAM_ROWS
            cursor.execute(query)
            yield from cursor

    def run_alone(self, statement: bytes, *, doing: str) -> None:
        """Run one statement of somebody else's text. The server itself refuses two in one, whatever was taken for its end.

        Raises:
            MooringError: a typed error; see `postgres_faults`.
        """
        with self._typed(doing):
            # Only the extended protocol takes no more than one statement, and binary results ask for it.
            self._link.execute(statement, binary=True)

    def copy_in(self, statement: bytes, pieces: Iterable[bytes], *, doing: str) -> int:
        """Run a `COPY … FROM stdin` with these rows; how many there were.

        Raises:
            MooringError: a typed error, or what `pieces` raised; then no row is in.
        """
        with self._typed(doing), self._link.cursor() as cursor:
            with cursor.copy(statement) as copy:
                for piece in pieces:
                    copy.write(piece)
            return cursor.rowcount

    def encrypt_password(self, password: SecretValue, user: str) -> str:
        """A SCRAM-SHA-256 verifier, made here: the password itself never travels in a statement or a log."""
        return self._link.pgconn.encrypt_password(password.reveal().encode(), user.encode(), b"scram-sha-256").decode()

    def lock(self, key: int, *, wait_s: float) -> None:
        """Take an advisory lock that ends with this session, however that ends.

        Raises:
            LockHeld: another session held it for `wait_s` seconds.
        """
        until = time.monotonic() + wait_s
        while not self.value("SELECT pg_try_advisory_lock(%s)", (key,), doing="lock the instance"):
            if time.monotonic() >= until:
                raise LockHeld(f"Another task holds the lock of this instance: {self._holder(key)}.")
            time.sleep(_POLL_S)

    def cancel(self) -> None:
        """End what runs on the server; nothing when nothing does."""
        if not self._link.closed:
            self._link.cancel_safe(timeout=3)

    def close(self) -> None:
        """End the session and with it its lock. Safe to repeat."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None and self._link.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.cancel()
        except psycopg.Error:
            # The connection is gone; closing is all that is left.
            return
        finally:
            self.close()

    def _holder(self, key: int) -> str:
        found = self.rows(
            "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND ((l.classid::bigint << 32) | l.objid::bigint) = %s",
            (key,),
            doing="see who holds the lock",
        )
        return (
            ", ".join(f"{name or 'a session'} (process {pid} of the server)" for name, pid in found) or "it just ended"
        )

    @contextmanager
    def _typed(self, doing: str) -> Iterator[None]:
        try:
            yield
        except MooringError:
            raise
        except psycopg.Error as fault:
            alive = not self._link.closed
            message = fault.diag.message_primary or str(fault)
            raise statement_fault(fault.sqlstate, message, alive=alive, doing=doing) from None
