# SPDX-License-Identifier: Apache-2.0
"""Shows control's events while a command works.

A line a step with its time on a terminal, plain lines elsewhere, JSON lines with `-o json`.

JSON lines, on standard output: {type: step|phase|change|warning, at, kind, namespace, name, text}, and for a step also
{step, state: started|done|failed|undoing|undone}. Everything else goes to standard error. Used by `context`; it never
decides what happens next.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Protocol, TextIO

from mooring.cli.output import render_seconds
from mooring.cli.style import Style
from mooring.control.events import Event

STARTED = frozenset({"started", "undoing"})
REFRESH_S = 0.25


class Progress(Protocol):
    """Whoever is told events."""

    def __call__(self, event: Event) -> None:
        """Show an event."""
        ...

    def line(self, text: str) -> None:
        """Show a line of words."""
        ...

    def tick(self) -> None:
        """Time has passed."""
        ...

    def close(self) -> None:
        """Nothing more comes; safe to repeat."""
        ...


class JsonProgress:
    """JSON lines on standard output; words on standard error."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        """Args: out: for data; err: for words."""
        self._out = out
        self._err = err

    def __call__(self, event: Event) -> None:
        """One line."""
        value = {
            "type": event.kind,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "kind": event.ref.kind,
            "namespace": event.ref.namespace,
            "name": event.ref.name,
            "text": event.text,
        }
        if event.step:
            value |= {"step": event.step, "state": event.state}
        self._out.write(json.dumps(value, ensure_ascii=False) + "\n")
        self._out.flush()

    def line(self, text: str) -> None:
        """Words."""
        self._err.write(text + "\n")
        self._err.flush()

    def tick(self) -> None:
        """Nothing moves in JSON."""

    def close(self) -> None:
        """Nothing is open."""


class PlainProgress:
    """`12:03:04 shop install-modules started: …` for pipes and logs."""

    def __init__(self, err: TextIO) -> None:
        """Args: err: for words."""
        self._err = err
        self._began: dict[tuple[str, str], float] = {}

    def __call__(self, event: Event) -> None:
        """One line."""
        key, spent = (str(event.ref), event.step), ""
        if event.state in STARTED:
            self._began[key] = time.monotonic()
        elif event.kind == "step" and key in self._began:
            spent = f" ({render_seconds(time.monotonic() - self._began.pop(key))})"
        self.line(f"{time.strftime('%H:%M:%S')} {_name(event)} {_words(event)}{spent}")

    def line(self, text: str) -> None:
        """Words."""
        self._err.write(text + "\n")
        self._err.flush()

    def tick(self) -> None:
        """Lines that are written stay."""

    def close(self) -> None:
        """Nothing is open."""


class LiveProgress:
    """Finished lines above, steps in progress below with the time they have taken so far."""

    def __init__(self, err: TextIO, style: Style, *, columns: int) -> None:
        """Args: err: a terminal; columns: its width."""
        self._err = err
        self._style = style
        self._columns = max(20, columns)
        self._active: dict[tuple[str, str], tuple[float, str]] = {}
        self._drawn = 0

    def __call__(self, event: Event) -> None:
        """A step moves; anything else becomes a line."""
        if event.kind == "step":
            self._step(event)
        elif event.kind == "change":
            self.line(self._style.quiet(f"  {_name(event)}  {event.text}"))
        elif event.kind == "warning":
            self.line(f"{self._style.careful('!')} {_name(event)}  {event.text}")
        else:
            self.line(f"{self._style.strong('·')} {_name(event)}  {_said(event)}")

    def line(self, text: str) -> None:
        """Words, above the steps in progress."""
        self._erase()
        self._err.write(text + "\n")
        self._draw()

    def tick(self) -> None:
        """Count on."""
        if self._active:
            self._erase()
            self._draw()

    def close(self) -> None:
        """Leave what is still in progress as it stands."""
        self.tick()
        self._active.clear()
        self._drawn = 0

    def _step(self, event: Event) -> None:
        key = (str(event.ref), event.step)
        if event.state in STARTED:
            self._active[key] = (time.monotonic(), event.text if event.state == "started" else f"{event.text} (undo)")
            self.tick()
            return
        began, text = self._active.pop(key, (time.monotonic(), event.step))
        mark = {"done": self._style.good("✓"), "undone": self._style.careful("↶")}.get(
            event.state, self._style.bad("✗")
        )
        words = event.text if event.state == "failed" else text
        self.line(f"{mark} {_name(event)}  {words}  {self._style.quiet(render_seconds(time.monotonic() - began))}")

    def _erase(self) -> None:
        if self._drawn:
            self._err.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        now = time.monotonic()
        for (ref, _), (began, text) in self._active.items():
            # A line that wraps would make the count of lines wrong.
            shown = f"… {ref.split(' ', 1)[-1]}  {text}"[: self._columns - 12]
            self._err.write(f"{shown}  {render_seconds(now - began)}\n")
        self._drawn = len(self._active)
        self._err.flush()


def make_progress(*, output: str, colour: bool, terminal: bool, columns: int) -> Progress:
    """The way that fits the output.

    Args:
        output: `table`, `json` or `yaml`.
        terminal: whether standard error is one that can move its cursor.
    """
    if output == "json":
        return JsonProgress(sys.stdout, sys.stderr)
    if terminal:
        return LiveProgress(sys.stderr, Style(colour), columns=columns)
    return PlainProgress(sys.stderr)


def _name(event: Event) -> str:
    ref = event.ref
    name = ref.name if ref.namespace == "default" else f"{ref.namespace}/{ref.name}"
    return name if ref.kind == "OdooInstance" else f"{name} ({ref.kind})"


def _words(event: Event) -> str:
    if event.kind == "step":
        reason = event.text.split(": ", 1)[-1] if event.state in STARTED or ": " in event.text else ""
        return f"{event.step} {event.state}" + (f": {reason}" if reason else "")
    return f"warning: {event.text}" if event.kind == "warning" else _said(event)


def _said(event: Event) -> str:
    """The text without the name that stands before it already."""
    return event.text.removeprefix(f"{event.ref} ")
