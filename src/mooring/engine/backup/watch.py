# SPDX-License-Identifier: Apache-2.0
"""Sees whether a dump makes others wait for its locks. A thread with a session of its own; the dump asks it.

An ALTER TABLE waits for the lock that pg_dump holds on the table, and every later reader of the table waits behind it: the
installation of a module during a backup would stop the shop until the dump's end.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from mooring.drivers.postgres import Session
from mooring.errors import MooringError

PATIENCE_S = 5.0
_LOOK_S = 1.0
_WAITING = (
    "SELECT w.pid, (SELECT a.application_name FROM pg_stat_activity a WHERE a.pid = w.pid)"
    " FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) w"
    " WHERE pg_blocking_pids(w.pid) && ARRAY(SELECT d.pid FROM pg_stat_activity d WHERE d.application_name = ANY(%s))"
    " AND w.pid NOT IN (SELECT d.pid FROM pg_stat_activity d WHERE d.application_name = ANY(%s))"
)


class LockWatch:
    """Looks every second; a context manager."""

    def __init__(self, session: Session, program: str, reader: str) -> None:
        """Begin.

        Args:
            session: its own; closed at the end.
            program: `application_name` of pg_dump's sessions.
            reader: of the session that exported the snapshot.
        """
        self._session = session
        self._program = program
        self._ours = [program, reader]
        self._over = threading.Event()
        self._since: dict[int, float] = {}
        self._fault: MooringError | None = None
        self._blocked: str | None = None
        self._thread = threading.Thread(target=self._run, name="lock watch", daemon=True)

    def blocked(self) -> str | None:
        """Who has been waiting too long, None for nobody.

        Raises:
            MooringError: it cannot see any more.
        """
        if self._fault is not None:
            raise self._fault
        return self._blocked

    def end_sessions(self) -> None:
        """End pg_dump's sessions on the server, and with them their locks, without waiting for its processes."""
        self._session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()",
            (self._program,),
            doing="end the dump's sessions",
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=10)
        self._session.close()

    def _run(self) -> None:
        try:
            while not self._over.wait(_LOOK_S):
                self._look()
        except MooringError as fault:
            if not self._over.is_set():
                self._fault = fault

    def _look(self) -> None:
        rows = self._session.rows(_WAITING, (self._ours, self._ours), doing="see who waits for the dump")
        now = time.monotonic()
        self._since = {pid: self._since.get(pid, now) for pid, _ in rows}
        for pid, name in rows:
            waited = now - self._since[pid]
            if waited > PATIENCE_S:
                self._blocked = f"{name or 'a session'} (process {pid} of the server) waited {waited:.0f} s"
