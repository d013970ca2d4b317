# SPDX-License-Identifier: Apache-2.0
"""What a backup reads by itself from the exported state of the database: facts, tables, the names of files. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass

from mooring.domain.repository.manifest import ExternalFiles, ModuleVersion
from mooring.drivers.postgres import Session
from mooring.engine.inspect import is_table

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class Table:
    """A table whose rows are dumped.

    Attributes:
        name: schema and name, quoted.
        schema: as it is.
        relation: the name as it is.
        size_bytes: on the server's disk, without indexes.
        wide_bytes: the part of it that holds long values, compressed.
        extension: it belongs to an extension, which also fills it.
    """

    name: str
    schema: str
    relation: str
    size_bytes: int
    wide_bytes: int
    extension: bool


@dataclass(frozen=True)
class Facts:
    """What the manifest says of the database; `tables` by their oid."""

    server_major: int
    server_version: str
    encoding: str
    collation: str
    size_bytes: int
    extensions: tuple[str, ...]
    roles: tuple[str, ...]
    large_objects: int
    modules: tuple[ModuleVersion, ...]
    tables: dict[int, Table]


def observe_facts(session: Session) -> Facts:
    """Read them; inside `Session.snapshot`."""
    encoding, collate, ctype, size = session.rows(
        "SELECT pg_encoding_to_char(encoding), datcollate, datctype, pg_database_size(oid)"
        " FROM pg_database WHERE datname = current_database()",
        doing="read the database's facts",
    )[0]
    extensions = session.rows(
        "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1", doing="list the extensions"
    )
    roles = session.rows(
        "SELECT DISTINCT r.rolname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN LATERAL aclexplode(c.relacl) a ON true JOIN pg_roles r ON r.oid IN (c.relowner, a.grantee)"
        " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1",
        doing="list the roles",
    )
    return Facts(
        server_major=session.major,
        server_version=session.version,
        encoding=encoding,
        collation=collate if collate == ctype else f"{collate}/{ctype}",
        size_bytes=int(size),
        extensions=tuple(row[0] for row in extensions),
        roles=tuple(row[0] for row in roles),
        large_objects=int(session.value("SELECT count(*) FROM pg_largeobject_metadata", doing="count large objects")),
        modules=_modules(session),
        tables=_tables(session),
    )


def stream_names(session: Session) -> Generator[tuple[str, int | None], None, None]:
    """Each file that the database names, once, in byte order, with the size it should have; without external ones."""
    if not is_table(session, "ir_attachment"):
        return
    yield from session.stream(
        "SELECT store_fname::text, max(file_size)::bigint FROM public.ir_attachment"
        " WHERE store_fname IS NOT NULL AND store_fname <> '' AND store_fname::text !~ '^[A-Za-z][A-Za-z0-9+._-]*://'"
        ' GROUP BY 1 ORDER BY store_fname::text COLLATE "C"',
        doing="list the files",
    )


def count_external(session: Session) -> tuple[ExternalFiles, ...]:
    """Attachments kept outside the filestore, by scheme."""
    if not is_table(session, "ir_attachment"):
        return ()
    rows = session.rows(
        "SELECT substring(store_fname::text FROM '^([A-Za-z][A-Za-z0-9+._-]*)://'), count(*) FROM public.ir_attachment"
        " WHERE store_fname::text ~ '^[A-Za-z][A-Za-z0-9+._-]*://' GROUP BY 1 ORDER BY 1",
        doing="count the files kept elsewhere",
    )
    return tuple(ExternalFiles(scheme, count) for scheme, count in rows)


def is_nameable(name: str) -> bool:
    """Whether a file's name leads nowhere else and fits a line of the list."""
    return len(name) <= 512 and _NAME.fullmatch(name) is not None


def _modules(session: Session) -> tuple[ModuleVersion, ...]:
    if not is_table(session, "ir_module_module"):
        return ()
    rows = session.rows(
        "SELECT name::text, COALESCE(latest_version::text, '') FROM public.ir_module_module"
        " WHERE state IN ('installed', 'to upgrade', 'to remove') ORDER BY name",
        doing="read the modules",
    )
    return tuple(ModuleVersion(name, version) for name, version in rows)


def _tables(session: Session) -> dict[int, Table]:
    rows = session.rows(
        "SELECT c.oid, format('%I.%I', n.nspname, c.relname), n.nspname, c.relname, pg_table_size(c.oid),"
        " CASE WHEN c.reltoastrelid <> 0 THEN pg_relation_size(c.reltoastrelid) ELSE 0 END,"
        " EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
        doing="list the tables",
    )
    return {
        int(oid): Table(name, schema, relation, int(size or 0), int(wide or 0), extension)
        for oid, name, schema, relation, size, wide, extension in rows
    }
