# SPDX-License-Identifier: Apache-2.0
"""When a cron process counts as ready: the probe itself, run beside real connections."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mooring.domain.instance.desired import CRON, decide_desired
from mooring.domain.instance.subject import ServerAccess
from mooring.domain.lifecycle import State, output
from mooring.domain.model.secret import SecretRef
from mooring.domain.operations.plan import NO_HOLD
from tests.unit.domain.instance.subjects import release, subject


@dataclass
class Server:
    """Listens as a database server does, and can go away."""

    listener: socket.socket

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def connection(self) -> tuple[socket.socket, socket.socket]:
        """Both ends of one, theirs first."""
        mine = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        return self.listener.accept()[0], mine


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Server(listener)


def ready(server: Server, series: str, port: int) -> bool:
    """What the cron process's probe says, for a server that `server` plays."""
    access = ServerAccess(None, None, "127.0.0.1", port, admin=SecretRef("default", "admin"), max_connections=100)
    one = subject(pinned=release(series, series), server=access)
    wanted = decide_desired(one, output(State.RUNNING), NO_HOLD)
    (probe,) = (workload.probe for workload in wanted.workloads if workload.role == CRON)
    assert probe is not None
    program, *arguments = probe.argv
    assert program == "python3"
    return subprocess.run((sys.executable, *arguments), stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize("series", ["14.0", "18.0"])
def test_cron_with_a_connection_is_ready(server: Server, series: str) -> None:
    theirs, mine = server.connection()
    with theirs, mine:
        assert ready(server, series, server.port)


@pytest.mark.parametrize("series", ["14.0", "18.0"])
def test_cron_that_never_had_a_connection_is_not_ready(server: Server, series: str) -> None:
    assert not ready(server, series, server.port)


@pytest.mark.parametrize(("series", "expected"), [("14.0", True), ("18.0", False)], ids=["sleeps", "listens"])
def test_cron_after_a_restart_of_the_server_is_ready_where_its_thread_sleeps(
    server: Server, series: str, *, expected: bool
) -> None:
    theirs, mine = server.connection()
    theirs.close()
    with mine:
        assert ready(server, series, server.port) is expected


def test_cron_that_sleeps_while_the_server_is_away_is_not_ready(server: Server) -> None:
    theirs, mine = server.connection()
    port = server.port
    theirs.close()
    server.listener.close()
    with mine:
        assert not ready(server, "14.0", port)
