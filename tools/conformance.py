# SPDX-License-Identifier: Apache-2.0
"""The page docs/conformance.md: for each promise and target proved, simulated or unproved, with the test's name.

The conformance suite writes it at the end of a run (`make conformance`); what the run left out keeps its words. Pure: text
and values in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.unproved import UNPROVED

TARGETS = ("docker", "podman", "kubernetes", "host")
NOT_YET = "unproved"
SIMULATED = (
    (
        "Every operation, killed before and after every record of its journal, ends as wanted or as before",
        "tests/unit/domain/test_operations_crashes.py",
    ),
    (
        "The same through stale reads, lost races and whole controllers",
        "tests/scenario/test_kills.py",
    ),
    ("No process of users runs while data is replaced, whatever fails", "tests/scenario/test_safety.py"),
    ("Every target behaves alike behind the interface", "tests/contract/test_target.py"),
)
_ROW = re.compile(r"^\| `(?P<test>test_\w+)`: (?P<words>.*?) \| (?P<cells>.*) \|$")
_RUN = re.compile(r"^\| (?P<target>\w+) \| (?P<version>[^|]*) \| (?P<date>[^|]*) \|$")


@dataclass(frozen=True)
class Promise:
    """One test of the suite.

    Attributes:
        test: name of the function.
        words: first sentence of its docstring.
        targets: those that it runs on.
    """

    test: str
    words: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """What stands in the page: (test, target) → word; target → (version, date)."""

    cells: Mapping[tuple[str, str], str]
    runs: Mapping[str, tuple[str, str]]


def read(text: str) -> Page:
    """The page's facts; an empty page for no text."""
    cells: dict[tuple[str, str], str] = {}
    runs: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        if row := _ROW.match(line):
            words = row["cells"].split(" | ")
            cells |= {(row["test"], target): word for target, word in zip(TARGETS, words, strict=True)}
        elif (run := _RUN.match(line)) and run["target"] in TARGETS:
            runs[run["target"]] = (run["version"], run["date"])
    return Page(cells, runs)


def merge(old: Page, results: Mapping[tuple[str, str], bool], versions: Mapping[str, str], date: str) -> Page:
    """The page after a run.

    Args:
        results: (test, target) → whether all of it passed; what was skipped or not run is not in it.
        versions: of the engines that ran.
        date: of the run, ISO 8601.
    """
    words = {key: f"proved {date}" if passed else f"failed {date}" for key, passed in results.items()}
    return Page(
        {**old.cells, **words}, {**old.runs, **{target: (version, date) for target, version in versions.items()}}
    )


def render(page: Page, promises: Sequence[Promise]) -> str:
    """The page's text."""
    lines = [
        "# Conformance",
        "",
        "Written by `make conformance` from its own run; `make test` checks that every promise stands here.",
        "*Proved* is proved with a real Odoo and a real PostgreSQL on a real engine, on that day; *simulated* is proved",
        "on the simulated target; *unproved* is what nobody has seen here.",
        "",
        "## Promises",
        "",
        f"| promise | {' | '.join(TARGETS)} |",
        f"| --- |{' --- |' * len(TARGETS)}",
    ]
    for one in promises:
        cells = (
            page.cells.get((one.test, target), NOT_YET) if target in one.targets else NOT_YET for target in TARGETS
        )
        lines.append(f"| `{one.test}`: {one.words} | {' | '.join(cells)} |")
    lines += ["", "## Simulated", "", "| promise | proved on the simulated target by |", "| --- | --- |"]
    lines += [f"| {words} | `{test}` |" for words, test in SIMULATED]
    lines += ["", "## Runs", "", "| target | engine | date |", "| --- | --- | --- |"]
    lines += [
        f"| {target} | {page.runs[target][0]} | {page.runs[target][1]} |" for target in TARGETS if target in page.runs
    ]
    lines += ["", "Odoo 14.0 and PostgreSQL 17 from Debian's packages.", "", "## Unproved", ""]
    lines += ["What the test ground cannot show. A test may skip for these reasons and for no other.", ""]
    lines += ["| what | why | skip |", "| --- | --- | --- |"]
    lines += [f"| {one.what} | {one.why} | {f'`{one.skip}`' if one.skip else ''} |" for one in UNPROVED]
    return "\n".join(lines) + "\n"
