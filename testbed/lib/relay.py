# SPDX-License-Identifier: Apache-2.0
"""Make one loopback port of a private engine's network reachable on this machine's loopback, under the same number.

relay.py PID PORT: listens here, then enters the network of process PID and connects there for each caller. A socket
stays in the network it was made in, so one process can stand in both. Run by private-dockerd.sh, until it is ended.
"""

import contextlib
import ctypes
import os
import socket
import sys
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000  # linux/sched.h; os.setns came with Python 3.12.


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends, then tell the sink so."""
    # A broken connection ends both directions; the other pump sees the same.
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def main() -> None:
    """Listen, enter the other network, serve."""
    pid, port = int(sys.argv[1]), int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open() as network:
        if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network of process {pid}")
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    os.close(1)
    while True:
        caller, _ = listener.accept()
        try:
            callee = socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError:
            caller.close()  # Nothing listens there: the caller sees its connection closed.
            continue
        callee.settimeout(None)  # That limit was for connecting; an idle connection may live on.
        for pair in ((caller, callee), (callee, caller)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


main()
