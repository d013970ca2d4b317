# SPDX-License-Identifier: Apache-2.0
"""Names of databases and roles, and the comment that says whose a database is. Decides names; never writes SQL.

Names reach SQL only through the driver's quoting (`psycopg.sql.Identifier`), never by joining text, so that upper case,
dots and hyphens are harmless. They are limited to a small alphabet all the same: a name also becomes a directory of the
filestore, a regular expression (`dbfilter`), an element of a comma-separated list (`db_name`) and a libpq parameter.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

from mooring.domain.postgres.errors import DatabaseNameInvalid

MAX_BYTES: Final = 63
"""Longest identifier of PostgreSQL, in bytes (NAMEDATALEN - 1); it cuts longer ones without an error."""

DEFAULT_LIMIT: Final = 40
"""Longest name that is made here, so that siblings built from it stay within MAX_BYTES."""

DatabaseRole = Literal["current", "previous", "building", "safety", "template"]
"""What a database is for: in use, replaced, being built, copied before a risk, or kept to copy from."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)
# The server's own databases and superusers, those of hosted services, and words that pg_hba.conf reads as other things.
_RESERVED: Final = (
    " postgres template0 template1 mooring rdsadmin cloudsqladmin azure_maintenance azure_sys "
    "all sameuser samerole samegroup replication public none current_user session_user current_role "
)


def check_database_name(name: str) -> str:
    """`name` itself when a database or role may be called so.

    Raises:
        DatabaseNameInvalid: characters, length, or one of the server's own names.
    """
    if not _NAME.fullmatch(name):
        raise DatabaseNameInvalid(f"{name[:80]!r} cannot be the name of a database.")
    if f" {name.lower()} " in _RESERVED or name.lower().startswith("pg_"):
        raise DatabaseNameInvalid(f"{name!r} is one of the database server's own names.")
    return name


def default_database_name(*, namespace: str, name: str) -> str:
    """The database of instance `name` in `namespace`: `namespace_name`, at most 40 characters.

    Namespaces and names are RFC 1035 labels, which have no underscore: two instances never share a name. Longer ones end in
    a hash of both.
    """
    return _fit(f"{namespace}_{name}", DEFAULT_LIMIT)


def default_role_name(*, namespace: str, name: str) -> str:
    """The role that owns the instance's database; it is called like the database."""
    return default_database_name(namespace=namespace, name=name)


def _fit(text: str, limit: int) -> str:
    """`text`, or its beginning with 8 hexadecimal digits of its hash, in `limit` ASCII characters."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: limit - 9]}-{digest}"
