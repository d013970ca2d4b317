# SPDX-License-Identifier: Apache-2.0
"""What every database that is built beside an instance's own needs: its mark, an empty one with extensions, its owner.

The dump's own statements run as that owner, never as the administrator, who only makes the database and its extensions.
Used by the tasks that restore a snapshot and that copy a running database.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Protocol

from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.errors import ExtensionMissing, RightsMissing, SqlFailed
from mooring.domain.work.mark import DataMark
from mooring.drivers.postgres import SQL, Identifier, Session
from mooring.engine.databases import create_database
from mooring.engine.marks import check_ours, fenced, observe_current, observe_one, write_mark
from mooring.engine.prepare import ensure_extensions, ensure_schema
from mooring.engine.server import open_session


class Built(Protocol):
    """The documents that build a database."""

    @property
    def connection(self) -> Connection:
        """An administrator's."""
        ...

    @property
    def fence(self) -> Fence:
        """The operation's."""
        ...

    @property
    def instance(self) -> str:
        """Id of the instance that it is for."""
        ...

    @property
    def database(self) -> str:
        """The instance's own."""
        ...

    @property
    def owner(self) -> str:
        """Role that everything will belong to."""
        ...

    @property
    def owner_password_file(self) -> str | None:
        """Its password."""
        ...


def ensure_fence(session: Session, document: Built, name: str, *, task: str) -> DataMark:
    """The mark for what is built; the attempt is remembered on what is current, or on what an earlier one built."""
    current, mark = observe_current(
        session, document.database, instance=document.instance, fence=document.fence, task=task
    )
    left = observe_one(session, name)
    seen = DataMark(document.instance, "building")
    if current is not None:
        write_mark(session, current.name, mark)
    elif left is not None and left.mark is not None:
        seen = left.mark
    fresh = fenced(seen, document.fence, task)
    return DataMark(document.instance, "building", fresh.operation, fresh.steps)


def is_whole(session: Session, document: Built, name: str) -> bool:
    """Whether an earlier run of this operation built it to its end.

    Raises:
        DatabaseForeign: it is another instance's.
    """
    left = observe_one(session, name)
    if left is None or left.mark is None or left.mark.role != "building" or not left.mark.at:
        return False
    check_ours(left, document.instance, role="building")
    return True


def ensure_empty(
    session: Session,
    document: Built,
    name: str,
    mark: DataMark,
    *,
    task: str,
    collation: str,
    extensions: Iterable[tuple[str, str]],
) -> set[str]:
    """Make the database, with what only an administrator may make in it; the schemas that exist then.

    Args:
        name: nothing has it.
        collation: `COLLATE` or `COLLATE/CTYPE` of where its content comes from.
        extensions: names and schemas.

    Raises:
        ExtensionMissing: one cannot be made here.
    """
    create_database(session, name, owner=document.owner, locales=_locales(session, collation))
    write_mark(session, name, mark)
    with open_session(document.connection, task=task, database=name) as inside:
        return _prepare(inside, document, tuple(extensions), name)


def _prepare(inside: Session, document: Built, wanted: tuple[tuple[str, str], ...], name: str) -> set[str]:
    """Extensions as the administrator, and who may do what."""
    schemas = {schema for _, schema in wanted} - {"public", "pg_catalog"}
    for schema in sorted(schemas):
        query = SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}")
        inside.execute(
            query.format(Identifier(schema), Identifier(document.owner)), doing=f"create the schema {schema}"
        )
    ensure_extensions(inside, name)
    refused: list[str] = []
    words: list[str] = []
    for extension, schema in wanted:
        try:
            query = SQL("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {}")
            inside.execute(
                query.format(Identifier(extension), Identifier(schema)), doing=f"create the extension {extension}"
            )
        except (RightsMissing, SqlFailed) as fault:
            refused.append(extension)
            words.append(fault.details)
    if refused:
        raise ExtensionMissing(
            f"The data needs extensions that cannot be made here: {', '.join(refused)}.",
            details="\n".join(words),
            resolution="Have an administrator install them on the server, then ask again.",
        )
    ensure_schema(inside, database=name, owner=document.owner)
    return schemas


def _locales(session: Session, collation: str) -> list[tuple[str, str]]:
    """The source's own locale first, then what every server has and sorts bytes."""
    collate, _, ctype = collation.partition("/")
    own = session.value(
        "SELECT datctype FROM pg_database WHERE datname = 'template0'", doing="read the server's locale"
    )
    return [
        (collate, ctype or collate),
        ("C", ctype or collate),
        ("C", "C.UTF-8"),
        ("C", "C.utf8"),
        ("C", str(own or "C")),
    ]


def owner_connection(document: Built) -> Connection:
    """The same server, as the role that everything in the database belongs to."""
    return dataclasses.replace(document.connection, user=document.owner, password_file=document.owner_password_file)


def measure(session: Session, name: str) -> tuple[str, int]:
    """The locale of a database, `COLLATE` or `COLLATE/CTYPE`, and its size in bytes."""
    collate, ctype, size = session.rows(
        "SELECT datcollate, datctype, pg_database_size(oid) FROM pg_database WHERE datname = %s",
        (name,),
        doing="read what was built",
    )[0]
    return collate if collate == ctype else f"{collate}/{ctype}", int(size)
