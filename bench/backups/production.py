# SPDX-License-Identifier: Apache-2.0
"""An Odoo that serves while its data is backed up, and visitors that come at a steady rate."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager

from bench.backups.box import ODOO, Box
from bench.backups.dataset import DATABASE
from bench.commands import RunFailed
from bench.place import OPENER

RATE = 5
PATIENCE_S = 120.0


@contextmanager
def serving(box: Box) -> Iterator[str]:
    """The address of its login page, for the length of the block.

    Raises:
        RunFailed: it does not come up.
    """
    argv = [
        "odoo",
        "--config",
        "/bench/odoo.conf",
        "-d",
        DATABASE,
        "--max-cron-threads=0",
        "--db-filter",
        f"^{DATABASE}$",
    ]
    data = box.folder / "data"
    name = box.start("web", argv, image=ODOO, user="0", binds=[f"{box.folder}:/bench", f"{data}:/data"])
    try:
        address = box.engine.inspect_container(name)["NetworkSettings"]["Networks"][box.name]["IPAddress"]
        url = f"http://{address}:8069/web/login"
        until = time.monotonic() + PATIENCE_S
        while not _answers(url):
            if time.monotonic() > until:
                raise RunFailed(f"Odoo does not answer: {box.engine.logs(name, tail=5).decode()[-600:]}")
            time.sleep(0.5)
        yield url
    finally:
        box.engine.remove_container(name, force=True)


def ask(url: str, seconds: float) -> list[float]:
    """Seconds of each answer. A slow one delays no other's clock: each counts from when it should have been asked."""
    begin, samples = time.monotonic(), []
    number = 0
    while (due := begin + number / RATE) < begin + seconds:
        time.sleep(max(due - time.monotonic(), 0))
        with OPENER.open(url, timeout=60) as answer:
            answer.read()
        samples.append(time.monotonic() - due)
        number += 1
    return samples


def _answers(url: str) -> bool:
    try:
        with OPENER.open(url, timeout=30) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
