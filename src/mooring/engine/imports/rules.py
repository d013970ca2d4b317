# SPDX-License-Identifier: Apache-2.0
"""Which statements of a dump are carried out: those that `pg_dump` writes about what is inside one database. Pure.

Owners, rights, publications and what the new database has already are left out, as `pg_restore --no-owner --no-acl` leaves
them out. Everything else is refused: other databases, roles, the server's settings and files, programs, code blocks. The
role that runs them is no superuser in any case; this says at once, and by its place, what does not belong into a dump.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from mooring.domain.work.import_errors import DumpRefused

_NAME = rb'(?:"(?:[^"]|"")+"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_TARGET = rb"(?:" + _NAME + rb"\.)?" + _NAME
_COPY = re.compile(
    rb"COPY\s+("
    + _TARGET
    + rb")\s*(?:\(\s*((?:"
    + _NAME
    + rb"(?:\s*,\s*"
    + _NAME
    + rb")*)?)\s*\))?\s+FROM\s+stdin\s*;",
    re.IGNORECASE,
)
_EXTENSION = re.compile(
    rb"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?("
    + _NAME
    + rb")(?:\s+(?:WITH\s+)?SCHEMA\s+("
    + _NAME
    + rb"))?\s*;",
    re.IGNORECASE,
)
_SCHEMA = re.compile(rb"CREATE\s+SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + _NAME + rb")\s*;", re.IGNORECASE)
_SET = re.compile(rb"SET\s+(?:SESSION\s+)?(\w+)\s*(?:=|TO)\s*(.*?)\s*;", re.IGNORECASE | re.DOTALL)
_SELECT = re.compile(
    rb"SELECT\s+pg_catalog\.(set_config\('search_path'|setval|lo_create|lo_open|lowrite|lo_close)\s*[(,]", re.IGNORECASE
)
_OWNER = re.compile(rb"ALTER\s.*\sOWNER\s+TO\s+(" + _NAME + rb")\s*;", re.IGNORECASE | re.DOTALL)
_SETTINGS = frozenset(
    {
        b"statement_timeout", b"lock_timeout", b"idle_in_transaction_session_timeout", b"client_encoding",
        b"standard_conforming_strings", b"check_function_bodies", b"xmloption", b"client_min_messages", b"row_security",
        b"default_tablespace", b"default_table_access_method", b"escape_string_warning", b"search_path",
    }
)  # fmt: skip
# Not known to every server, and of no use in a load: since 17, until 11.
_PASSED_SETTINGS = frozenset({b"transaction_timeout", b"default_with_oids"})
_ENCODINGS = frozenset({b"'UTF8'", b"'UTF-8'", b"'SQL_ASCII'"})
_KINDS = (
    rb"(?:(?:UNLOGGED\s+)?TABLE|SEQUENCE|(?:UNIQUE\s+)?INDEX|(?:RECURSIVE\s+)?VIEW|MATERIALIZED\s+VIEW|FUNCTION|PROCEDURE|"
    rb"AGGREGATE|TYPE|DOMAIN|(?:CONSTRAINT\s+)?TRIGGER|RULE|OPERATOR(?:\s+CLASS|\s+FAMILY)?|CAST|COLLATION|"
    rb"TEXT\s+SEARCH\s+(?:CONFIGURATION|DICTIONARY|PARSER|TEMPLATE)|STATISTICS|POLICY|TRANSFORM|(?:DEFAULT\s+)?CONVERSION)"
)
_RUN = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rb"CREATE\s+(?:OR\s+REPLACE\s+)?" + _KINDS + rb"\b",
        rb"ALTER\s+" + _KINDS + rb"\b",
        rb"INSERT\s+INTO\s",
        rb"REFRESH\s+MATERIALIZED\s+VIEW\s",
        rb"COMMENT\s+ON\s+(?:COLUMN|CONSTRAINT|SCHEMA|LARGE\s+OBJECT|" + _KINDS + rb")\s",
        rb"BEGIN\s*;",
        rb"COMMIT\s*;",
    )
)
_PASSED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rb"GRANT\s",
        rb"REVOKE\s",
        rb"ALTER\s+DEFAULT\s+PRIVILEGES\s",
        rb"COMMENT\s+ON\s+(?:EXTENSION\s|SCHEMA\s+public\s|DATABASE\s)",
        rb"SECURITY\s+LABEL\s",
        rb"(?:CREATE|ALTER)\s+(?:PUBLICATION|SUBSCRIPTION)\s",
        rb"(?:CREATE\s+(?:OR\s+REPLACE\s+)?|COMMENT\s+ON\s+)(?:PROCEDURAL\s+)?LANGUAGE\s+plpgsql\b",
        # What `pg_dump --clean` begins with: there is nothing yet.
        rb"DROP\s+(?:EXTENSION|SCHEMA|LANGUAGE|PROCEDURAL|PUBLICATION|" + _KINDS + rb")\s",
        rb"SELECT\s+pg_catalog\.lo_unlink\s*\(",
    )
)
_CLEANING = re.compile(rb"ALTER\s+TABLE\s+IF\s+EXISTS\s+\S.*\sDROP\s", re.IGNORECASE | re.DOTALL)
# They watch the server and hold nothing of a database.
WATCHING = frozenset({"pg_stat_statements", "pg_buffercache", "pg_stat_kcache", "pg_wait_sampling", "plpgsql"})
_WORDS = re.compile(rb"[A-Za-z]+(?:\s+[A-Za-z]+){0,2}")


class Verdict(Enum):
    """What is done with a statement."""

    RUN = "run"
    COPY = "copy"
    SKIP = "skip"
    EXTENSION = "extension"
    SCHEMA = "schema"


@dataclass(frozen=True)
class Decision:
    """A verdict; with COPY the table and its columns as they stand, with EXTENSION and SCHEMA the name."""

    verdict: Verdict
    name: str = ""
    columns: str | None = None
    schema: str = ""


def decide_statement(statement: bytes, number: int) -> Decision:
    """What to do with a statement of a dump.

    Args:
        statement: with its semicolon.
        number: its place, for the message.

    Raises:
        DumpRefused: it does not belong into a dump.
    """
    if (found := _COPY.fullmatch(statement)) is not None:
        columns = found[2].decode() if found[2] is not None else None
        return Decision(Verdict.COPY, found[1].decode(), columns)
    if (found := _EXTENSION.fullmatch(statement)) is not None:
        name = unquote(found[1].decode())
        schema = unquote(found[2].decode()) if found[2] else ""
        return Decision(Verdict.SKIP if name in WATCHING else Verdict.EXTENSION, name, schema=schema)
    if (found := _SCHEMA.fullmatch(statement)) is not None:
        return Decision(Verdict.SCHEMA, unquote(found[1].decode()))
    if (found := _SET.fullmatch(statement)) is not None:
        return _decide_setting(found[1].lower(), found[2], number)
    if _SELECT.match(statement) or (_OWNER.fullmatch(statement) is None and _matches(_RUN, statement)):
        return Decision(Verdict.SKIP if _CLEANING.match(statement) else Verdict.RUN)
    if _OWNER.fullmatch(statement) or _matches(_PASSED, statement):
        return Decision(Verdict.SKIP)
    words = _WORDS.match(statement)
    said = b" ".join(words[0].split()).decode().upper() if words else "something unknown"
    raise DumpRefused(
        f"Statement {number} of the dump is {said}: pg_dump writes no such statement about a database's content."
    )


def unquote(name: str) -> str:
    """A name as the server keeps it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _decide_setting(name: bytes, value: bytes, number: int) -> Decision:
    if name in _PASSED_SETTINGS:
        return Decision(Verdict.SKIP)
    if name not in _SETTINGS:
        raise DumpRefused(f"Statement {number} of the dump sets {name.decode()}: pg_dump does not.")
    if name == b"standard_conforming_strings" and value.lower() not in (b"on", b"'on'", b"true"):
        raise DumpRefused(
            "The dump is of a server without standard_conforming_strings: its texts cannot be told apart safely."
        )
    if name == b"client_encoding" and value.upper() not in _ENCODINGS:
        raise DumpRefused(
            f"The dump is in {value.decode(errors='replace')[:40]}.",
            resolution="Make it in UTF-8: `pg_dump --encoding=UTF8`.",
        )
    # Its own time limits are for other servers; the session has its own.
    return Decision(Verdict.SKIP if name.endswith(b"_timeout") else Verdict.RUN)


def _matches(patterns: tuple[re.Pattern[bytes], ...], statement: bytes) -> bool:
    return any(pattern.match(statement) for pattern in patterns)
