# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL's refusals mean: SQLSTATE, or libpq's words where a connection never came up, to typed errors. Pure.

libpq gives no SQLSTATE for a refused connection, only text; what this text does not say in English is a `ServerRefused`
that carries the server's own words. Statements, parameters and error details never enter an error: they can hold data.
"""

from __future__ import annotations

import re

from mooring.domain.work import errors
from mooring.domain.work.common import Connection
from mooring.errors import MooringError

_REFUSED: tuple[tuple[str, type[MooringError]], ...] = (
    (r"password authentication failed|no password supplied|role \"[^\"]*\" does not exist", errors.PasswordRefused),
    (r"database \"[^\"]*\" does not exist", errors.DatabaseMissing),
    (r"permission denied for database", errors.RightsMissing),
    (r"no encryption|SSL off|does not support SSL|SSL error|certificate|SSL connection", errors.TlsRefused),
    (r"FATAL", errors.ServerRefused),
)
# https://www.postgresql.org/docs/17/errcodes-appendix.html
_STATES: dict[str, type[MooringError]] = {
    "42501": errors.RightsMissing,
    "25006": errors.ServerReadOnly,
    "55006": errors.DatabaseInUse,
    "55P03": errors.DatabaseInUse,
    "53100": errors.NotEnoughSpace,
    "3D000": errors.DatabaseMissing,
    "57P01": errors.ConnectionLost,
    "57P02": errors.ConnectionLost,
    "57P03": errors.ServerRefused,
    "53300": errors.ServerRefused,
}


def connect_fault(text: str, connection: Connection, database: str) -> MooringError:
    """The error for a connection that did not come up; `text` is libpq's."""
    where = f"{connection.host}:{connection.port}"
    words = _words(text)
    kind = next((kind for pattern, kind in _REFUSED if re.search(pattern, text)), errors.ServerUnreachable)
    if kind is errors.ServerUnreachable:
        return kind(f"No PostgreSQL answers at {where}.", details=words)
    return kind(
        f"PostgreSQL at {where} refuses {connection.user} the database {database} (sslmode {connection.sslmode}).",
        details=words,
    )


def statement_fault(state: str | None, message: str, *, alive: bool, doing: str) -> MooringError:
    """The error for a statement that failed.

    Args:
        state: SQLSTATE; None when the connection broke.
        message: the server's primary message, without detail.
        alive: whether the connection is still there.
        doing: what the statement was for, in words.
    """
    if state is None or (not alive and state not in _STATES):
        kind: type[MooringError] = errors.SqlFailed if alive else errors.ConnectionLost
    else:
        kind = _STATES.get(state, errors.SqlFailed)
    fault = kind(f"PostgreSQL refused: {doing}.", details=f"{state or 'no SQLSTATE'}: {_words(message)}")
    if isinstance(fault, errors.SqlFailed):
        fault.state = state or ""
    return fault


def _words(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines() if line.strip())[:2000]
