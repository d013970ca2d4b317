# SPDX-License-Identifier: Apache-2.0
"""Data on standard output: a table, JSON or YAML. It prints what it is given and decides nothing."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mooring.cli.options import Options
from mooring.cli.style import Style, decide_colour
from mooring.drivers.files import file_error

GOOD_PHASES = frozenset({"Running", "Succeeded"})
BAD_PHASES = frozenset({"InitFailed", "UpgradeFailed", "Degraded", "Failed", "Deleting"})


def style_for(options: Options) -> Style:
    """The style of standard output."""
    return Style(options.output == "table" and decide_colour(options.environ, terminal=sys.stdout.isatty()))


def print_text(text: str) -> None:
    """One line or several on standard output."""
    _write(text + "\n")


def print_data(options: Options, data: Any) -> None:
    """Data as JSON (indented) or YAML; for `table` the caller prints its own words."""
    if options.output == "yaml":
        import yaml

        _write(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120))
        return
    print_text(json.dumps(data, ensure_ascii=False, indent=2))


def print_item(options: Options, data: Mapping[str, Any]) -> None:
    """One of many that come one after another: a JSON line, or a YAML document."""
    if options.output == "yaml":
        import yaml

        _write(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=120, explicit_start=True))
        return
    print_text(json.dumps(data, ensure_ascii=False))


def print_result(options: Options, data: Mapping[str, Any]) -> None:
    """The last word of a command that showed progress: one JSON line {type: result, …}, or YAML."""
    if options.output == "json":
        print_text(json.dumps({"type": "result", **data}, ensure_ascii=False))
    else:
        print_data(options, dict(data))


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces apart; the last one runs freely."""
    cells = [list(head), *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(head))]
    lines: list[str] = []
    for row in cells:
        parts = [cell + " " * (widths[column] - _width(cell)) for column, cell in enumerate(row)]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def render_age(since: str | None, now: datetime) -> str:
    """`42s`, `5m`, `3h`, `12d` since an RFC 3339 time; `-` where there is none."""
    if not since:
        return "-"
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def render_seconds(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def render_bytes(size: int) -> str:
    """`512 B`, `7.9 MiB`, `1.2 GiB`."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def mark_phase(style: Style, phase: str) -> str:
    """The phase in its colour."""
    if phase in GOOD_PHASES:
        return style.good(phase)
    return style.bad(phase) if phase in BAD_PHASES else style.careful(phase)


def _write(text: str) -> None:
    """Text on standard output, at once.

    Raises:
        BrokenPipeError: its reader went away.
        NoSpaceLeft, FileFailed: it is a file that cannot take it.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise file_error(error, Path("standard output")) from error


def _plain(text: str) -> str:
    # What comes from a manifest or a log may hold a terminal's control characters.
    return "".join(one if one == "\x1b" or one.isprintable() else "?" for one in text) if text else "-"


def _width(text: str) -> int:
    width, skipping = 0, False
    for one in text:
        if one == "\x1b":
            skipping = True
        if not skipping:
            width += 2 if unicodedata.east_asian_width(one) in "WF" else 1
        elif one == "m":
            skipping = False
    return width
