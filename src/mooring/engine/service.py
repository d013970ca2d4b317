# SPDX-License-Identifier: Apache-2.0
"""How a program of the engine image that runs until it is told to end begins, says a line, and ends.

Called by the relay and by the mail sink. It knows nothing of what they serve; tasks, which have a result, begin in
`mooring.engine.main`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def say(line: str) -> None:
    """Print one line, and have it out at once: targets wait for the first one."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run_service(
    arguments: list[str],
    *,
    name: str,
    cannot: str,
    load: Callable[[str], T],
    serve: Callable[[T, asyncio.Event], Awaitable[None]],
) -> int:
    """Serve what the document at the first of `arguments` says, until SIGTERM or SIGINT.

    Args:
        name: begins each line that it says.
        cannot: what it cannot do when `serve` raises an OSError.
        load: reads the document's text; a ValueError says that it is none.
        serve: returns soon after the event is set; what it started besides is cancelled then.

    Returns:
        0 when it was told to end or was done, 1 when it cannot do its work, 2 for a document that it cannot read.
    """
    try:
        document = load(Path(arguments[0]).read_text(encoding="utf-8"))
    except (IndexError, OSError, ValueError) as fault:
        say(f"{name}: no document to go by: {fault}")
        return 2
    try:
        asyncio.run(_serve(document, serve))
    except OSError as fault:
        say(f"{name}: cannot {cannot}: {fault}")
        return 1
    return 0


async def _serve(document: T, serve: Callable[[T, asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(document, stop)
