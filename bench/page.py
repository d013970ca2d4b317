# SPDX-License-Identifier: Apache-2.0
"""Writes the page of a run. Pure: what the machine is and what was measured are handed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.figures import Figure, Part

_HEAD = """# Benchmarks

Written by `make bench`, which measures everything anew and writes this page; nothing here is kept from an earlier run.
What counts is the ratio of two things that were measured side by side on one machine. A figure is the median of its runs;
the lowest and highest are shown too, and no run is left out: one that failed is listed below its table. No test fails on
a time.

"""
_HOW = """## How to run it

    make bench                                  # everything: an hour, 6 GB of memory, 20 GB of disk
    make bench ARGS="--only start,task"         # some parts, printed and not written
    make bench ARGS="--pairs 5 --instances 20"  # more repetitions, fewer instances

It makes objects of its own in the container engine, under a name that no other run has, and removes them in the end.
"""


def render_page(machine: Mapping[str, str], parts: Sequence[Part]) -> str:
    """The whole page."""
    facts = "".join(f"| {name} | {value} |\n" for name, value in machine.items())
    return f"{_HEAD}| machine | |\n| --- | --- |\n{facts}\n" + "".join(_part(one) for one in parts) + _HOW


def render_table(figures: Iterable[Figure]) -> str:
    """The figures as a table."""
    lines = ["| figure | limit | median | lowest | highest | runs | |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for one in figures:
        low, high = (min(one.samples), max(one.samples)) if one.samples else (None, None)
        limit = None if one.limit is None else one.limit
        cells = [one.name, *(_number(value, one.unit) for value in (limit, one.median, low, high))]
        lines.append(f"| {' | '.join(cells)} | {len(one.samples)} | {_verdict(one)} |")
    return "\n".join(lines) + "\n"


def _part(part: Part) -> str:
    text = f"## {part.title}\n\n{part.what}\n\n{render_table(part.figures)}\n"
    notes = [f"- {one.name}: {one.note}\n" for one in part.figures if one.note]
    notes += [f"- {one.name}: a run failed: {why}\n" for one in part.figures for why in one.failed]
    notes.append(
        f"- The machine's load was {part.load[0]:.1f} before and {part.load[1]:.1f} after; "
        f"this part took {part.seconds:.0f} s.\n"
    )
    text += "".join(notes) + "\n"
    for title, lines in part.lists.items():
        text += f"{title}:\n\n" + "".join(f"    {line}\n" for line in lines) + "\n"
    return text


def _verdict(figure: Figure) -> str:
    return f"**{figure.verdict}**" if figure.verdict == "missed" else figure.verdict


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2 if value >= 0.1 else 3
    text = f"{value:.{digits}f}"
    return f"{text} times" if unit == "ratio" else f"{text} {unit}".strip()
