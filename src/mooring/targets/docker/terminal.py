# SPDX-License-Identifier: Apache-2.0
"""A person's terminal inside a replica. The only module of this target that touches this process's own terminal."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import struct
import sys
import termios
import threading
import time
import tty as terminal_modes
from collections.abc import Iterator, Sequence

from mooring.domain.model.identity import Ref
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.stream import close_stream
from mooring.targets.docker import labels as tag
from mooring.targets.errors import NotRunning

_HEAD = struct.Struct(">BxxxL")


def attach(engine: Engine, ref: Ref, argv: Sequence[str], *, role: str, tty: bool) -> int:
    """Run `argv` in the first running replica of `role`; its exit code.

    Raises:
        NotRunning: there is none.
    """
    filters = [*tag.owner_filter(ref), f"{tag.ROLE}={role}"]
    found = engine.containers(labels=filters)
    names = sorted(str(item["Names"][0]).lstrip("/") for item in found if item.get("State") == "running")
    if not names:
        raise NotRunning(f"no replica of {role} of {ref} is running")
    run_id, stream = engine.open_terminal(names[0], argv, tty=tty)
    plain: socket.socket = getattr(stream, "_sock", stream)
    plain.settimeout(None)
    try:
        with _raw(tty), _sized(engine, run_id, tty):
            _pump(plain, framed=not tty)
    finally:
        close_stream(stream)
    while (code := engine.exit_code(run_id)) is None:
        time.sleep(0.05)
    return code


def _pump(plain: socket.socket, *, framed: bool) -> None:
    """Both ways until the other side ends; the end of our input is passed on."""
    pending = b""
    sources = [plain.fileno(), sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if sys.stdin.fileno() in ready:
            data = os.read(sys.stdin.fileno(), 4096)
            if data:
                plain.sendall(data)
            else:
                sources.remove(sys.stdin.fileno())
                with contextlib.suppress(OSError):
                    plain.shutdown(socket.SHUT_WR)
        if plain.fileno() in ready:
            data = plain.recv(65536)
            if not data:
                return
            if framed:
                pending = _demultiplex(pending + data)
            else:
                _write(1, data)


def _demultiplex(data: bytes) -> bytes:
    """Write whole frames to standard output and error; what is left over."""
    while len(data) >= _HEAD.size:
        number, size = _HEAD.unpack_from(data)
        if len(data) < _HEAD.size + size:
            break
        _write(2 if number == 2 else 1, data[_HEAD.size : _HEAD.size + size])
        data = data[_HEAD.size + size :]
    return data


def _write(number: int, data: bytes) -> None:
    while data:
        data = data[os.write(number, data) :]


@contextlib.contextmanager
def _raw(tty: bool) -> Iterator[None]:
    """Keys go through as they are; the terminal is as it was afterwards."""
    if not tty or not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    terminal_modes.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _sized(engine: Engine, run_id: str, tty: bool) -> Iterator[None]:
    """The other side follows the size of the window; looked at twice a second, as signals reach the main thread only."""
    if not tty:
        yield
        return
    done = threading.Event()

    def follow() -> None:
        known: os.terminal_size | None = None
        while not done.is_set():
            size = shutil.get_terminal_size()
            if size != known:
                engine.resize_terminal(run_id, rows=size.lines, columns=size.columns)
                known = size
            done.wait(0.5)

    thread = threading.Thread(target=follow, name="terminal-size", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
