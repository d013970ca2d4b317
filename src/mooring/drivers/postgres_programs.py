# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's own programs: find those of this machine, start one, read what it says, end it with all its workers.

A program reaches its server by a connection string and a password file; nothing of this process's environment takes part,
and no secret stands in an argument. It dies with this process. Decides nothing; the engine calls it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mooring.domain.model.secret import SecretValue

_KEPT_LINES = 60
_LINE_BYTES = 8192
# How long a process that does not show its files is looked at again.
_UNSEEN_S = 5.0
_STOP_S = 5.0
_POLL_S = 0.02
_GUARD = 'read -r _ || kill -KILL -- "-$0"'
_LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Client:
    """The programs of one major version.

    Attributes:
        major: such as 17.
        folder: where `pg_dump` and `pg_restore` are.
    """

    major: int
    folder: str

    def path(self, program: str) -> str:
        """The program's path."""
        return f"{self.folder}/{program}"


@cache
def observe_clients(path: str | None = None) -> tuple[Client, ...]:
    """What is installed, by major; of two of one major the first on the path.

    Args:
        path: folders, joined by colons; None is this process's own path and Debian's places.
    """
    folders = os.get_exec_path() if path is None else path.split(":")
    if path is None:
        folders += sorted(str(folder) for folder in _DEBIAN.glob("*/bin"))
    found: dict[int, Client] = {}
    for folder in folders:
        if not all(os.access(f"{folder}/{name}", os.X_OK) for name in ("pg_dump", "pg_restore")):
            continue
        try:
            said = subprocess.run(
                (f"{folder}/pg_dump", "--version"), capture_output=True, text=True, check=False, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if match := _VERSION.search(said.stdout):
            found.setdefault(int(match[1]), Client(int(match[1]), folder))
    return tuple(found[major] for major in sorted(found))


def write_passfile(path: Path, password: SecretValue | None) -> str:
    """A password file for whatever the program connects to; the path for `render_conninfo`."""
    if password is None:
        return "/dev/null"
    escaped = password.reveal().replace("\\", "\\\\").replace(":", "\\:")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"*:*:*:*:{escaped}\n")
    return str(path)


class Program:
    """One running program, the leader of a process group. A context manager: leaving it ends the whole group."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        heard: Callable[[str], None] | None = None,
    ) -> None:
        """Start it.

        Args:
            argv: the command.
            stdin: as for `subprocess.Popen`.
            stdout: as for `subprocess.Popen`.
            heard: gets each line of its standard error, in a thread of its own.
        """
        self.name = Path(argv[0]).name
        keeper = shutil.which("setpriv")
        # Without it a program would go on after its task was killed, and keep its locks.
        guarded = (keeper, "--pdeathsig", "KILL", "--", *argv) if keeper else tuple(argv)
        environment = {"PATH": os.defpath, "LC_ALL": "C", "PGSERVICEFILE": "/dev/null", "PGSYSCONFDIR": "/nonexistent"}
        self._process = subprocess.Popen(
            guarded, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment, process_group=0
        )
        # The same for its workers, which that does not reach: the shell's pipe ends with this process, however that ends.
        self._guard = subprocess.Popen(
            ("/bin/sh", "-c", _GUARD, str(self._process.pid)),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}, process_group=0,
        )  # fmt: skip
        self._heard = heard
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._reader = threading.Thread(target=self._read, name=f"{self.name} stderr", daemon=True)
        self._reader.start()

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe into it, where one was asked for."""
        assert self._process.stdin is not None  # noqa: S101 - asked for by the caller
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe out of it, where one was asked for."""
        assert self._process.stdout is not None  # noqa: S101 - asked for by the caller
        return self._process.stdout

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def runs(self, wait_s: float) -> bool:
        """Whether it still runs after these seconds; False as soon as it ended."""
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return True
        return False

    def wait(self) -> int:
        """Its exit code, when it ended and all that it said was read."""
        code = self._process.wait()
        self._reader.join(timeout=_STOP_S)
        return code

    def said(self) -> str:
        """The end of what it said on standard error: its own messages only, as the lines between them can hold data."""
        own = (f"{self.name}: error: ", f"{self.name}: hint: ", f"{self.name}: warning: ")
        return "\n".join(line for line in self._lines if line.startswith(own))

    def workers(self) -> list[int]:
        """Process ids of the workers that it started."""
        return [pid for pid in _group(self._process.pid) if pid != self._process.pid]

    def pids(self) -> list[int]:
        """Its own process id and its workers'."""
        return list(_group(self._process.pid))

    def signal(self, number: int) -> None:
        """Send a signal to it and all its workers; nothing when it is gone."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self) -> None:
        """End it and its workers: politely, then not. Whoever reads its output or feeds it finds the pipe's end."""
        if self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            until = time.monotonic() + _STOP_S
            # Not reaped yet, so that the group's number is still its own when what is left of it is killed.
            # Where another thread waits for it, it may be reaped meanwhile.
            with contextlib.suppress(ChildProcessError):
                while time.monotonic() < until and not os.waitid(os.P_PID, self._process.pid, _LOOK):
                    time.sleep(_POLL_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def end(self) -> None:
        """The same, and close the pipes: only where nobody is at them any more. Safe to repeat."""
        self.stop()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if self._guard.poll() is None:
            self._guard.communicate(b"\n")
        self._reader.join(timeout=_STOP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _read(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - always a pipe
        with self._process.stderr as pipe:
            while line := pipe.readline(_LINE_BYTES):
                text = line.decode(errors="replace").rstrip("\n")
                self._lines.append(text)
                if self._heard is not None:
                    self._heard(text)


def open_files(pids: Sequence[int]) -> set[str]:
    """Paths that these processes have open; a process that is gone has none.

    Raises:
        PermissionError: one of them stays out of sight.
    """
    return {path for pid in pids for path in _open_of(pid)}


def _open_of(pid: int) -> set[str]:
    """Of one process. While it starts a program or ends, the kernel shows nobody its files (proc(5), ptrace access mode)."""
    until = time.monotonic() + _UNSEEN_S
    while True:
        try:
            found = set()
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    found.add(str(entry.readlink()))
        except (FileNotFoundError, ProcessLookupError):
            return set()
        except PermissionError:
            if _ended(pid):
                return set()
            if time.monotonic() > until:
                raise
            time.sleep(_POLL_S)
        else:
            return found


def _ended(pid: int) -> bool:
    """Whether it is gone, or waits only for its parent to ask how it ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            in "ZX"
        )
    return True


def _group(leader: int) -> Iterator[int]:
    """The processes of a group, from /proc/PID/stat: after the name in brackets come state, parent and group."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                words = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if int(words[2]) == leader:
                    yield int(entry.name)
