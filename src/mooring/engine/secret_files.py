# SPDX-License-Identifier: Apache-2.0
"""Read the secrets that a document names by path. Never prints them; every task that needs one calls it."""

from __future__ import annotations

from pathlib import Path

from mooring.domain.model.secret import SecretValue
from mooring.domain.work.common import Connection
from mooring.domain.work.errors import SecretUnreadable

_LIMIT_BYTES = 64 * 1024


def load_secret(path: str) -> SecretValue:
    """The content of the file without one trailing line break.

    Raises:
        SecretUnreadable: it is missing, empty, too large, no text, or has several lines.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(_LIMIT_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as fault:
        raise SecretUnreadable(f"The secret file {path} cannot be read: {type(fault).__name__}.") from None
    value = text.removesuffix("\n").removesuffix("\r")
    if not value or len(text) > _LIMIT_BYTES or "\n" in value or "\0" in value:
        raise SecretUnreadable(f"The secret file {path} must hold one line that is not empty.")
    return SecretValue(value)


def load_password(connection: Connection) -> SecretValue | None:
    """The password of a connection; None where it needs none.

    Raises:
        SecretUnreadable: see `load_secret`.
    """
    return load_secret(connection.password_file) if connection.password_file else None
