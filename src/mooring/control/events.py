# SPDX-License-Identifier: Apache-2.0
"""What control tells while it works: one value an event, for whoever shows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mooring.domain.model.identity import Ref

logger = logging.getLogger("mooring.control")


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        kind: `phase` a phase was entered; `step` a step began or ended; `change` the target changed something;
            `warning` something a person should know.
        text: for people, one line.
        step: name of the step, for `step`.
        state: of the step: `started`, `done`, `failed`, `undone`.
    """

    ref: Ref
    kind: Literal["phase", "step", "change", "warning"]
    text: str
    step: str = ""
    state: str = ""


Listener = Callable[[Event], None]


def log_event(event: Event) -> None:
    """The listener that writes to the log."""
    level = logging.WARNING if event.kind == "warning" else logging.INFO
    logger.log(
        level,
        "%s",
        event.text,
        extra={"instance": str(event.ref), "event": event.kind, "step": event.step, "state": event.state},
    )
