# SPDX-License-Identifier: Apache-2.0
"""Facts about the machine Mooring runs on, one function each, for `mooring doctor` and the pre-flight checks.

They look and judge nothing: how much memory is enough is the caller's business. None changes anything.
"""

from __future__ import annotations

import ctypes
import errno
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from mooring.drivers.files import file_errors

# struct timex is 208 bytes on 64-bit Linux (adjtimex(2)); room to spare costs nothing. `modes` 0 only reads.
_TIMEX_BYTES = 512
_TIME_ERROR = 5


@dataclass(frozen=True)
class OsRelease:
    """What /etc/os-release says; empty texts where it does not.

    Attributes:
        id: such as `debian`.
        version_id: such as `12`.
        id_like: such as `debian` on Ubuntu; space-separated.
        pretty_name: for people.
    """

    id: str = ""
    version_id: str = ""
    id_like: str = ""
    pretty_name: str = ""


@dataclass(frozen=True)
class Lookup:
    """What a host name stands for.

    Attributes:
        addresses: IPv4 and IPv6 addresses as text, sorted; empty when the name was not found.
        problem: why there are none, in the resolver's words; empty when there are some.
        exists: False only when a resolver said that there is no such name; when none answered it is None.
    """

    addresses: tuple[str, ...]
    problem: str = ""
    exists: bool | None = True


def observe_memory_bytes(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Memory of the machine, in bytes.

    Raises:
        FileFailed: the kernel's file cannot be read or has no such line.
    """
    with file_errors(meminfo):
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
        raise OSError(errno.ENODATA, "no line MemTotal")


def observe_disk_free_bytes(path: Path) -> int:
    """Bytes that this user can still write where `path` is, or where its nearest existing parent is.

    Raises:
        NotWritable: this user may not look there.
        FileFailed: the file system does not answer.
    """
    with file_errors(path):
        while not path.exists():
            path = path.parent
        return shutil.disk_usage(path).free


def observe_port_free(port: int, *, address: str = "0.0.0.0") -> bool | None:  # noqa: S104 - asks, does not listen
    """Whether a TCP port could be listened on; None when this user may not try (below 1024 without the right).

    Args:
        port: 1 to 65535.
        address: a local address; the wildcard is free only when no local address has it in use.

    Raises:
        FileFailed: the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections that linger after a server's end do not make its port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with file_errors(Path(f"{address}:{port}")):
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
                if error.errno in {errno.EACCES, errno.EPERM}:
                    return None
                raise
    return True


def observe_clock_synchronised() -> bool | None:
    """Whether the kernel's clock is disciplined by a time service; None when the kernel does not tell.

    adjtimex(2) gives TIME_ERROR while nobody keeps the clock. In a container it tells of the machine around it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = libc.adjtimex(timex)
    return None if state < 0 else state != _TIME_ERROR


def observe_addresses(host: str) -> Lookup:
    """What the system's resolver says a host name stands for; waits for it, usually at most some ten seconds."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        missing = error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}
        return Lookup((), problem=str(error.strerror), exists=False if missing else None)
    except UnicodeError:  # longer than a label may be: no resolver is asked
        return Lookup((), problem="not a host name", exists=False)
    return Lookup(tuple(sorted({str(entry[4][0]) for entry in found})))


def observe_os_release(path: Path = Path("/etc/os-release")) -> OsRelease:
    """The distribution, by os-release(5); all empty where the file is missing."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return OsRelease()
    values = {}
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith("#"):
            values[key] = value.strip("\"'")
    return OsRelease(
        id=values.get("ID", ""),
        version_id=values.get("VERSION_ID", ""),
        id_like=values.get("ID_LIKE", ""),
        pretty_name=values.get("PRETTY_NAME", ""),
    )
