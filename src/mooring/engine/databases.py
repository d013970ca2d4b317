# SPDX-License-Identifier: Apache-2.0
"""What several tasks do with whole databases: free one of its sessions, drop one, make one. Always under the lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mooring.domain.work.errors import DatabaseInUse, SqlFailed
from mooring.drivers.postgres import SQL, Identifier, Literal, Session

_RETRY_S = 0.3
# What a server says of a locale that it does not know: wrong_object_type, invalid_parameter_value.
_BAD_LOCALE = ("42809", "22023")


def list_sessions(session: Session, name: str) -> list[str]:
    """Who is connected to the database besides us: program, role and address of each."""
    rows = session.rows(
        "SELECT application_name, usename, client_addr::text FROM pg_stat_activity"
        " WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY backend_start",
        (name,),
        doing=f"list the sessions of {name}",
    )
    return [
        f"{program or 'unnamed'} as {user} from {address or 'the server itself'}" for program, user, address in rows
    ]


def ensure_disconnected(session: Session, name: str) -> None:
    """End every session of the database; new ones may come at once unless they are refused."""
    session.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        (name,),
        doing=f"end the sessions of {name}",
    )


def when_free(session: Session, name: str, action: Callable[[], None], *, wait_s: float, disconnect: bool) -> None:
    """Run `action`, which PostgreSQL refuses while anyone uses the database, until it succeeds.

    Args:
        session: the one that holds the lock.
        name: the database that has to be free.
        action: one statement or transaction.
        wait_s: seconds to go on trying; each try already waits up to 5 s inside the server.
        disconnect: end the sessions that are in the way, else only wait for them.

    Raises:
        DatabaseInUse: somebody was still there in the end; says who.
    """
    until = time.monotonic() + wait_s
    while True:
        if disconnect:
            ensure_disconnected(session, name)
        try:
            action()
        except DatabaseInUse as fault:
            if time.monotonic() >= until:
                users = list_sessions(session, name)
                raise DatabaseInUse(
                    f"The database {name} is in use by {len(users)} session(s).",
                    details="\n".join(users[:20]) or fault.details,
                ) from None
            time.sleep(_RETRY_S)
        else:
            return


def create_database(session: Session, name: str, *, owner: str, locales: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Make an empty database in UTF-8; the locale that it got.

    Args:
        session: an administrator's.
        name: nothing has it.
        owner: role that owns it.
        locales: pairs of LC_COLLATE and LC_CTYPE, tried in this order until the server knows one.

    Raises:
        SqlFailed: it knows none of them, or something else is in the way.
    """
    candidates = tuple(dict.fromkeys(locales))
    # Before 15 there was no other provider than libc, and no word for it.
    provider = SQL(" LOCALE_PROVIDER libc" if session.major >= 15 else "")
    words = "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE {} LC_CTYPE {}"
    for collate, ctype in candidates:
        query = SQL(words).format(Identifier(name), Identifier(owner), Literal(collate), Literal(ctype)) + provider
        try:
            session.execute(query, doing=f"create the database {name} with LC_COLLATE {collate}, LC_CTYPE {ctype}")
        except SqlFailed as fault:
            if fault.state not in _BAD_LOCALE or (collate, ctype) == candidates[-1]:
                raise
        else:
            return collate, ctype
    raise ValueError("no locale to try")


def ensure_absent(session: Session, name: str) -> bool:
    """Drop the database, with its sessions; True if it was there. Whose it is, the caller has made sure."""
    row = session.rows("SELECT datconnlimit FROM pg_database WHERE datname = %s", (name,), doing=f"look for {name}")
    if not row:
        return False
    if row[0][0] != -2:
        query = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(name))
        session.execute(query, doing=f"refuse connections to {name}")

    def drop() -> None:
        session.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(name)), doing=f"drop the database {name}")

    when_free(session, name, drop, wait_s=30, disconnect=True)
    return True
