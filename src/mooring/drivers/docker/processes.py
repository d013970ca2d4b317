# SPDX-License-Identifier: Apache-2.0
"""Processes that are run in a container that runs. One blocking method a verb.

A part of `mooring.drivers.docker.engine.Engine`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from mooring.drivers.docker.connection import Connection
from mooring.drivers.docker.faults import mapped
from mooring.drivers.docker.stream import read_until
from mooring.drivers.errors import NoSuchObject


class Processes(Connection):
    """The calls that concern processes beside a container's own."""

    def run(
        self,
        name: str,
        argv: Sequence[str],
        *,
        timeout_s: float,
        user: str = "",
        begun: Callable[[str], None] | None = None,
    ) -> tuple[int | None, str]:
        """Run `argv` in a running container; (exit code, output), the code None when `timeout_s` passed.

        The output is read to its end before the exit code is asked for: Podman 4.3 never reports the end of a detached one,
        and an exit code of a process that still runs says 0 or nothing.
        """
        deadline = time.monotonic() + timeout_s
        with mapped(f"run {argv[0]} in container {name}"):
            run_id = str(self._client.exec_create(name, list(argv), user=user)["Id"])
            if begun is not None:
                begun(run_id)
            stream = self._client.exec_start(run_id, socket=True)
            output = read_until(stream, deadline)
            while output is not None:
                state = self._client.exec_inspect(run_id)
                if not state["Running"] and state["ExitCode"] is not None:
                    return int(state["ExitCode"]), output
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
        return None, output or ""

    def exec_running(self, run_id: str) -> bool:
        """Whether an earlier `run` still has a process."""
        try:
            with mapped("ask for a process"):
                return bool(self._client.exec_inspect(run_id)["Running"])
        except NoSuchObject:
            return False

    def open_terminal(self, name: str, argv: Sequence[str], *, tty: bool) -> tuple[str, Any]:
        """Start `argv` with an open standard input; (id, stream). Framed when `tty` is off."""
        with mapped(f"run {argv[0]} in container {name}"):
            made = self._client.exec_create(name, list(argv), stdin=True, tty=tty)
            return str(made["Id"]), self._client.exec_start(made["Id"], tty=tty, socket=True)

    def resize_terminal(self, run_id: str, *, rows: int, columns: int) -> None:
        """Tell a terminal its size."""
        with mapped("resize a terminal"):
            self._client.exec_resize(run_id, height=rows, width=columns)

    def exit_code(self, run_id: str) -> int | None:
        """Exit code of a started process; None while it runs."""
        with mapped("ask for an exit code"):
            state = self._client.exec_inspect(run_id)
        return None if state["Running"] or state["ExitCode"] is None else int(state["ExitCode"])
