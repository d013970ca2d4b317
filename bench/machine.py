# SPDX-License-Identifier: Apache-2.0
"""What a run was measured on, and how busy that was. Reads only."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mooring


def load() -> float:
    """How many processes wanted a core, as an average over the last minute."""
    return os.getloadavg()[0]


def describe(engine: Any) -> dict[str, str]:
    """The machine, for the head of the page. It says no name and no address."""
    version, info = engine.version(), engine.info()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": str(os.cpu_count()),
        "memory": f"{_memory_bytes() / 2**30:.0f} GiB",
        "processor": _processor(),
        "system": f"{info.get('OperatingSystem', platform.system())}, kernel {platform.release().partition('-')[0]}",
        "engine": f"{_product(version)} {version['Version']}, storage {info.get('Driver', 'unknown')}",
        "Python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "Mooring": mooring.__version__,
        "Odoo": "14.0 (`odoo:14.0`), with PostgreSQL 17 (`postgres:17`)",
    }


def _product(version: dict[str, object]) -> str:
    return "Podman" if "podman" in str(version.get("Components", "")).lower() else "Docker"


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
