# SPDX-License-Identifier: Apache-2.0
"""Runs programs and measures them from outside: seconds by the clock, seconds of processor, most memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
MOORING = str(Path(sys.executable).with_name("mooring"))


@dataclass(frozen=True)
class Run:
    """How one program ran.

    Attributes:
        wall_s: from before its start to after its end.
        cpu_s: of its processor time, in user and system.
        rss_bytes: the most memory that it had at once.
    """

    wall_s: float
    cpu_s: float
    rss_bytes: int
    code: int
    out: str
    err: str


class RunFailed(Exception):
    """A program ended with an error; the text has the end of what it said."""


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Run:
    """Run a program to its end.

    Raises:
        RunFailed: it ended with another exit code than 0.
    """
    out_file, err_file = (os.memfd_create(name) for name in ("out", "err"))
    try:
        begin = time.perf_counter()
        process = subprocess.Popen(  # waited for by wait4 below, which alone says how much it used
            list(argv),
            env=environment(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=err_file,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out, err = _text(out_file), _text(err_file)
    finally:
        os.close(out_file)
        os.close(err_file)
    if process.returncode != 0:
        lines = (err.strip() or out.strip()).splitlines()
        raise RunFailed(
            f"{Path(argv[0]).name} {argv[1]} ended with {process.returncode}: {' '.join(lines[-3:])[-400:]}"
        )
    # Linux counts the memory in kilobytes of 1024.
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, process.returncode, out, err)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of what is measured.

    Installers compile what they install; a checkout is compiled by its first run, unless this variable forbids it. Then
    every run would compile everything again, which no user's does.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **(more or {})}


def _text(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        return stream.read().decode(errors="replace")
