# SPDX-License-Identifier: Apache-2.0
"""Documents in one SQLite file that several processes share, each with a connection of its own.

WAL, so that readers never wait for a writer; `synchronous=FULL`, so that what was acknowledged survives a power cut.
All SQL runs in one thread of its own, so that the event loop never waits for the disk. It decides nothing about what
it stores. The connection must not be carried through a fork: open it in the process that uses it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from mooring.domain.model.identity import Ref
from mooring.drivers.clock import Clock
from mooring.drivers.documents import Document, check_version, dump_json, owner_of, same_json
from mooring.drivers.files import file_errors
from mooring.drivers.locks import exclusive
from mooring.drivers.sqlite_errors import StateCorrupt, StateTooNew, sqlite_error

SCHEMA_VERSION = 2
# "MOOR" in ASCII: tells our file from any other SQLite file (https://sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID = 0x4D4F4F52
BUSY_TIMEOUT_S = 10.0
POLL_S = 0.5

_COLUMNS = "kind, namespace, name, id, generation, version, meta, spec, status, deleted_at"
_OWNERS = "CREATE INDEX owners ON documents (owner, kind) WHERE owner != ''"
# `writes` gives versions that are never used twice, also after a document was removed and created again.
_SCHEMA = (
    """CREATE TABLE documents (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL,
        version INTEGER NOT NULL, meta TEXT NOT NULL, spec TEXT NOT NULL, status TEXT NOT NULL, deleted_at TEXT,
        owner TEXT NOT NULL DEFAULT '', PRIMARY KEY (kind, namespace, name)
    ) STRICT""",
    _OWNERS,
    "CREATE TABLE writes (last INTEGER NOT NULL) STRICT",
    "INSERT INTO writes VALUES (0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

T = TypeVar("T")


class SqliteDocuments:
    """The store in `path`, usually `state.db` of the state directory; `open` makes one."""

    def __init__(self, path: Path, clock: Clock, executor: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        """Use `open`."""
        self._path = path
        self._clock = clock
        self._executor = executor
        self._connection = connection
        self._own_writes = 0

    @classmethod
    async def open(cls, path: Path, *, clock: Clock) -> SqliteDocuments:
        """Open the file, and make it where it is missing.

        Raises:
            StateTooNew: a newer Mooring wrote it.
            StateCorrupt: it is damaged, or is no database of Mooring's.
            NotWritable: the file or its folder may not be written.
            NoSpaceLeft: no room for it.
            StateBusy: others kept it locked for ten seconds.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="documents")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(executor, _open, path)
        except BaseException:
            executor.shutdown(wait=False)
            raise
        return cls(path, clock, executor, connection)

    async def get(self, ref: Ref) -> Document | None:
        """See `Documents.get`."""
        return await self._run(lambda: self._get(ref))

    async def list(self, kind: str | None = None, *, owner: Ref | None = None) -> Sequence[Document]:
        """See `Documents.list`."""
        return await self._run(lambda: self._list(kind, owner))

    async def put(self, doc: Document, *, if_version: str | None) -> Document:
        """See `Documents.put`."""
        return await self._run(lambda: self._put(doc, if_version))

    async def put_status(self, doc: Document, *, if_version: str) -> Document:
        """See `Documents.put_status`."""
        return await self._run(lambda: self._put_status(doc, if_version))

    async def delete(self, ref: Ref, *, if_version: str) -> None:
        """See `Documents.delete`."""
        await self._run(lambda: self._delete(ref, if_version))

    async def changes(self) -> AsyncIterator[Ref]:
        """See `Documents.changes`; asks the file every half second, which costs no read of the tables while nothing changes."""
        known: dict[Ref, int] = {}
        mark: tuple[int, int] | None = None
        while True:
            seen = await self._run(self._mark)
            if seen != mark:
                mark = seen
                current = await self._run(self._versions)
                changed = [ref for ref, version in current.items() if known.get(ref) != version]
                changed += [ref for ref in known if ref not in current]
                known = current
                for ref in changed:
                    yield ref
            await self._clock.sleep(POLL_S)

    async def close(self) -> None:
        """Close the connection and its thread; safe to repeat."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._connection.close)
        except RuntimeError:  # the executor is shut down: closed before
            return
        self._executor.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        def translated() -> T:
            with sqlite_errors(self._path):
                return work()

        # A cancelled caller must not leave a transaction half done: the thread ends it in any case.
        return await asyncio.get_running_loop().run_in_executor(self._executor, translated)

    def _get(self, ref: Ref) -> Document | None:
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM documents WHERE kind = ? AND namespace = ? AND name = ?",  # noqa: S608 - constant
            (ref.kind, ref.namespace, ref.name),
        ).fetchone()
        return None if row is None else self._document(row)

    def _list(self, kind: str | None, owner: Ref | None) -> Sequence[Document]:
        # The second term of an owner's is what lets SQLite use the index, which leaves out what is nobody's.
        terms = {"kind = ?": kind, "owner != '' AND owner = ?": None if owner is None else str(owner)}
        given = {term: value for term, value in terms.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM documents {where} ORDER BY kind, namespace, name",  # noqa: S608 - constant
            tuple(given.values()),
        )
        return [self._document(row) for row in rows]

    def _put(self, doc: Document, if_version: str | None) -> Document:
        meta, spec = dump_json(doc.meta), dump_json(doc.spec)
        deleted_at = None if doc.deleted_at is None else doc.deleted_at.isoformat()
        with self._transaction():
            stored = self._checked(doc.ref, doc.id, if_version)
            version = self._next_version()
            if stored is None:
                generation, status = 1, "{}"
            else:
                generation = stored.generation + (not same_json(stored.spec, doc.spec))
                status = dump_json(stored.status)
            row = (*_key(doc.ref), doc.id, generation, version, meta, spec, status, deleted_at)
            self._connection.execute(
                f"INSERT OR REPLACE INTO documents ({_COLUMNS}, owner) VALUES (?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608 - constant
                (*row, owner_of(doc)),
            )
        return self._document(row)

    def _put_status(self, doc: Document, if_version: str) -> Document:
        status = dump_json(doc.status)
        with self._transaction():
            stored = self._checked(doc.ref, doc.id, if_version)
            version = self._next_version()
            self._connection.execute(
                "UPDATE documents SET status = ?, version = ? WHERE kind = ? AND namespace = ? AND name = ?",
                (status, version, *_key(doc.ref)),
            )
        assert stored is not None  # noqa: S101 - _checked refuses None for a given version
        return replace(stored, status=json.loads(status), version=str(version))

    def _delete(self, ref: Ref, if_version: str) -> None:
        with self._transaction():
            self._checked(ref, None, if_version)
            self._next_version()
            self._connection.execute("DELETE FROM documents WHERE kind = ? AND namespace = ? AND name = ?", _key(ref))

    def _checked(self, ref: Ref, doc_id: str | None, if_version: str | None) -> Document | None:
        stored = self._get(ref)
        known = None if stored is None else (stored.id, stored.version)
        check_version(ref, known, doc_id=doc_id, if_version=if_version)
        return stored

    def _next_version(self) -> int:
        row = self._connection.execute("UPDATE writes SET last = last + 1 RETURNING last").fetchone()
        return int(row[0])

    def _mark(self) -> tuple[int, int]:
        # data_version moves with the commits of other connections only (https://sqlite.org/pragma.html#pragma_data_version).
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0]), self._own_writes

    def _versions(self) -> dict[Ref, int]:
        rows = self._connection.execute("SELECT kind, namespace, name, version FROM documents ORDER BY 1, 2, 3")
        return {Ref(kind, namespace, name): version for kind, namespace, name, version in rows}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._own_writes += 1

    def _document(self, row: Sequence[Any]) -> Document:
        kind, namespace, name, doc_id, generation, version, meta, spec, status, deleted_at = row
        try:
            return Document(
                ref=Ref(kind, namespace, name),
                id=doc_id,
                generation=generation,
                version=str(version),
                meta=json.loads(meta),
                spec=json.loads(spec),
                status=json.loads(status),
                deleted_at=None if deleted_at is None else datetime.fromisoformat(deleted_at),
            )
        except ValueError as error:
            raise StateCorrupt(f"{self._path} holds a damaged record of {Ref(kind, namespace, name)}.") from error


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn an SQLite error of the block into its typed error about `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise sqlite_error(error, path) from error


def _key(ref: Ref) -> tuple[str, str, str]:
    return ref.kind, ref.namespace, ref.name


def _open(path: Path) -> sqlite3.Connection:
    # The lock orders first openers: switching a new file to WAL fails at once, without the busy timeout, when two try.
    with exclusive(path.with_name(f".{path.name}.lock")):
        with file_errors(path):
            # SQLite would make it by the umask; its -wal and -shm files copy the mode of the file.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with sqlite_errors(path):
            connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
            return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not (empty and version == 0 and application == 0) and application != APPLICATION_ID:
        raise StateCorrupt(f"{path} is an SQLite file, but not one of Mooring's.")
    if version > SCHEMA_VERSION:
        raise StateTooNew(f"{path} was written by a newer Mooring (format {version}, this one knows {SCHEMA_VERSION}).")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if version < SCHEMA_VERSION:
        connection.execute("BEGIN IMMEDIATE")
        if version == 0:
            for statement in _SCHEMA:
                connection.execute(statement)
        else:
            _add_owners(connection)
        connection.execute("COMMIT")


def _add_owners(connection: sqlite3.Connection) -> None:
    """From format 1, which had no owners."""
    connection.execute("ALTER TABLE documents ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
    connection.execute(_OWNERS)
    for kind, namespace, name, meta, spec in connection.execute(
        "SELECT kind, namespace, name, meta, spec FROM documents"
    ).fetchall():
        owner = owner_of(Document(Ref(kind, namespace, name), "", meta=json.loads(meta), spec=json.loads(spec)))
        connection.execute(
            "UPDATE documents SET owner = ? WHERE kind = ? AND namespace = ? AND name = ?",
            (owner, kind, namespace, name),
        )
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
