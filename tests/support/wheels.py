# SPDX-License-Identifier: Apache-2.0
"""This checkout's wheel, and a folder with all wheels that it and its engine image need: for machines without an index."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The lock of the program, for the Python of Debian 12, and that of the engine image for its own.
LOCKS = (("runtime.txt", "3.11"), ("engine.txt", "3.13"))


def wheel_house() -> Path:
    """The folder; filled once for a lock, and kept in the test ground's cache."""
    cache = Path(os.environ.get("MOORING_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    texts = b"".join((ROOT / "requirements" / name).read_bytes() for name, _ in LOCKS)
    house = cache / "mooring" / "wheels" / f"setup-{hashlib.sha256(texts).hexdigest()[:12]}"
    if (house / "complete").exists():
        return house
    house.mkdir(parents=True, exist_ok=True)
    machine = platform.machine()
    for name, python in LOCKS:
        platforms = [f"--platform=manylinux{glibc}_{machine}" for glibc in ("_2_28", "_2_17", "2014")]
        pip("download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp", *platforms,
            f"--python-version={python}", f"--dest={house}", "-r", str(ROOT / "requirements" / name))  # fmt: skip
    (house / "complete").touch()
    return house


def own_wheel(folder: Path) -> Path:
    """Build this checkout's wheel into a folder."""
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", f"--wheel-dir={folder}", str(ROOT))
    (wheel,) = folder.glob("mooring-*.whl")
    return wheel


def pip(*arguments: str) -> None:
    """Run the development environment's pip."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", arguments[0], "-q", *arguments[1:]],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
