# SPDX-License-Identifier: Apache-2.0
"""Names of databases and roles, and the comment that says whose a database is. Decides names; never writes SQL.

Names reach SQL only through the driver's quoting (`psycopg.sql.Identifier`), never by joining text, so that upper case,
dots and hyphens are harmless. They are limited to a small alphabet all the same: a name also becomes a directory of the
filestore, a regular expression (`dbfilter`), an element of a comma-separated list (`db_name`) and a libpq parameter.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

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


def sibling_name(database: str, role: DatabaseRole, *, token: str) -> str:
    """The name of another database of the same instance, such as `shop_main-building-3f2a`, at most 63 bytes.

    Args:
        database: the current one.
        role: what the other one is for.
        token: what tells siblings of one role apart, such as the operation's short id; letters and digits.

    Raises:
        DatabaseNameInvalid: the token has other characters or more than 12 of them.
    """
    if not re.fullmatch(r"[a-z0-9]{1,12}", token, re.ASCII):
        raise DatabaseNameInvalid(f"{token[:40]!r} cannot be part of a database's name.")
    suffix = f"-{role}-{token}"
    return _fit(database, MAX_BYTES - len(suffix)) + suffix


def _fit(text: str, limit: int) -> str:
    """`text`, or its beginning with 8 hexadecimal digits of its hash, in `limit` ASCII characters."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: limit - 9]}-{digest}"


@dataclass(frozen=True)
class DatabaseComment:
    """What Mooring writes as a database's comment; it follows the database through a rename.

    Attributes:
        instance: id of the instance that the data belongs to.
        role: what the database is for.
    """

    instance: str
    role: DatabaseRole


def render_comment(instance_id: str, role: DatabaseRole) -> str:
    """The comment's text: JSON {"mooring": 1, "instance": text, "role": text}, one line, sorted keys."""
    return json.dumps({"mooring": 1, "instance": instance_id, "role": role}, sort_keys=True, separators=(",", ":"))


def parse_comment(text: str | None) -> DatabaseComment | None:
    """What a comment says, or None when it is not one of ours (missing, another text, another format version).

    A database whose comment gives None is a stranger's: it is never taken over without being asked. Unknown further keys
    are ignored, so that a later version may add some.
    """
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("mooring") != 1 or isinstance(found.get("mooring"), bool):
        return None
    instance, role = found.get("instance"), found.get("role")
    if not isinstance(instance, str) or not instance or role not in get_args(DatabaseRole):
        return None
    return DatabaseComment(instance=instance, role=cast("DatabaseRole", role))
