# SPDX-License-Identifier: Apache-2.0
"""Runs in the box, from standard library alone: `inside.py ARGV...` runs a program and prints how it ran as one JSON line.

What counts is the time in the task; the start of a container is measured elsewhere (`bench/tasks.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time


def main(argv: list[str]) -> None:
    """Run it, with what it says kept in memory."""
    begin = time.perf_counter()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    kept: list[bytes] = []
    reader = threading.Thread(target=lambda: kept.append(process.stdout.read()))  # type: ignore[union-attr]
    reader.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    told = b"".join(kept).decode(errors="replace")
    print(
        json.dumps(
            {
                "wall": wall_s,
                "cpu": usage.ru_utime + usage.ru_stime,
                # Linux counts in kilobytes of 1024; of a process and those that it waited for, the largest one.
                "rss": usage.ru_maxrss * 1024,
                "code": process.returncode,
                "out": told[-20000:],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
