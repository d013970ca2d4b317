# SPDX-License-Identifier: Apache-2.0
"""The lock of an instance for tasks that have a session in its database as its owner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.names import lock_key
from mooring.drivers.postgres import Session
from mooring.engine.server import NOT_INTO_THIS_DATABASE, open_session


@contextmanager
def locked_instance(
    session: Session, connection: Connection, *, database: str, instance: str, fence: Fence, task: str
) -> Iterator[None]:
    """Hold it: in the maintenance database as every task does, in `session` where the role may not go there."""
    try:
        own = connection.maintenance_database == database
        keeper = session if own else open_session(connection, task=task)
    except NOT_INTO_THIS_DATABASE:
        keeper = session
    with keeper:
        keeper.lock(lock_key(instance), wait_s=fence.wait_s)
        yield
