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
from mooring.drivers.docker.stream import close_stream, first_bytes
from mooring.errors import MooringError
from mooring.targets.docker import labels as tag
from mooring.targets.errors import NotRunning

_HEAD = struct.Struct(">BxxxL")
OUTPUTS = (1, 2)
# A socket that can be written to takes this much without waiting.
_PIECE = 4096


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
    early = first_bytes(stream)
    try:
        with _raw(tty), _sized(engine, run_id, tty):
            _pump(plain, early, framed=not tty)
    finally:
        close_stream(stream)
    while (code := engine.exit_code(run_id)) is None:
        time.sleep(0.05)
    return code


def _pump(plain: socket.socket, early: bytes, *, framed: bool) -> None:
    """Both ways until the other side ends; the end of our input is passed on.

    Nothing is sent that would have to be waited for: a process that says more than it is given would wait for us.
    """
    heard = _show(early, framed=framed)
    # Python has no standard input at all where it was started with that closed.
    keys = sys.stdin.fileno() if sys.stdin is not None else None
    typed = b""
    while True:
        sources = [plain.fileno()] if keys is None or typed else [plain.fileno(), keys]
        ready, free, _ = select.select(sources, [plain.fileno()] if typed else [], [])
        if free:
            try:
                plain.sendall(typed)
            except ConnectionError:
                keys = None  # it has ended, whatever it was still to be given; what it said is still to be read
            typed = b""
        if keys in ready:
            typed = os.read(keys, _PIECE)
            if not typed:
                keys = None
                with contextlib.suppress(OSError):
                    plain.shutdown(socket.SHUT_WR)
        if plain.fileno() in ready:
            try:
                data = plain.recv(65536)
            except ConnectionError:
                return  # an engine that closes before it took all input resets; the exit code tells the rest
            if not data:
                return
            heard = _show(heard + data, framed=framed)


def _show(data: bytes, *, framed: bool) -> bytes:
    """Write what came; what is left over of it."""
    if framed:
        return _demultiplex(data)
    _write(OUTPUTS[0], data)
    return b""


def _demultiplex(data: bytes) -> bytes:
    """Write whole frames to standard output and error; what is left over."""
    while len(data) >= _HEAD.size:
        number, size = _HEAD.unpack_from(data)
        if len(data) < _HEAD.size + size:
            break
        _write(OUTPUTS[number == 2], data[_HEAD.size : _HEAD.size + size])
        data = data[_HEAD.size + size :]
    return data


def _write(number: int, data: bytes) -> None:
    while data:
        data = data[os.write(number, data) :]


@contextlib.contextmanager
def _raw(tty: bool) -> Iterator[None]:
    """Keys go through as they are; the terminal is as it was afterwards."""
    if not tty or sys.stdin is None or not sys.stdin.isatty():
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
                # Before its start and after its end a process has no terminal: the next look tells the size, or none does.
                with contextlib.suppress(MooringError):
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
