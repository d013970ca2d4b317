# SPDX-License-Identifier: Apache-2.0
"""The page docs/conformance.md: for each promise and target proved, simulated or unproved, with the test's name.

The conformance suite writes it at the end of a run (`make conformance`, `make test-full`); what the run left out keeps its
words. Pure: text and values in, text out. Called by `tests/support/page.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.support.unproved import UNPROVED

TARGETS = ("docker", "podman", "kubernetes", "host")
OTHER = "other"
NOT_YET = "unproved"
NEVER = "never as a whole"
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
_FULL = re.compile(
    r"^\| (?P<target>\w+) \| (?P<date>\d[\d-]*) \| (?P<passed>\d+) \| (?P<failed>\d+) \| (?P<skipped>\d+) \|$"
)
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
class Count:
    """What came of the tests of a full run on one target; a test is in one of the three."""

    passed: int
    failed: int
    skipped: int


@dataclass(frozen=True)
class Page:
    """What stands in the page.

    Attributes:
        cells: (test, target) → word.
        runs: target → (version, date).
        full: target, or `other` → (date, count) of its last full run.
    """

    cells: Mapping[tuple[str, str], str]
    runs: Mapping[str, tuple[str, str]]
    full: Mapping[str, tuple[str, Count]] = field(default_factory=dict)


def read(text: str) -> Page:
    """The page's facts; an empty page for no text."""
    cells: dict[tuple[str, str], str] = {}
    runs: dict[str, tuple[str, str]] = {}
    full: dict[str, tuple[str, Count]] = {}
    for line in text.splitlines():
        if row := _ROW.match(line):
            words = row["cells"].split(" | ")
            cells |= {(row["test"], target): word for target, word in zip(TARGETS, words, strict=True)}
        elif (run := _RUN.match(line)) and run["target"] in TARGETS:
            runs[run["target"]] = (run["version"], run["date"])
        elif one := _FULL.match(line):
            full[one["target"]] = (one["date"], Count(int(one["passed"]), int(one["failed"]), int(one["skipped"])))
    return Page(cells, runs, full)


def merge(old: Page, results: Mapping[tuple[str, str], bool], versions: Mapping[str, str], date: str) -> Page:
    """The page after a run.

    Args:
        results: (test, target) → whether all of it passed; what was skipped or not run is not in it.
        versions: of the engines that ran.
        date: of the run, ISO 8601.
    """
    words = {key: f"proved {date}" if passed else f"failed {date}" for key, passed in results.items()}
    runs = {target: (version, date) for target, version in versions.items()}
    return Page({**old.cells, **words}, {**old.runs, **runs}, old.full)


def merge_full(old: Page, counts: Mapping[str, Count], date: str) -> Page:
    """The page after a run of everything; a target that nothing ran on keeps its words.

    Args:
        counts: as `count` makes them.
        date: of the run, ISO 8601.
    """
    new = {target: (date, one) for target, one in counts.items() if one.passed or one.failed}
    return Page(old.cells, old.runs, {**old.full, **new})


def count(outcomes: Mapping[str, Iterable[str]]) -> dict[str, Count]:
    """How the tests of a run ended, by the target that their parameters name; `other` for those that name none.

    Args:
        outcomes: pytest's word (`passed`, `failed`, `error`, `skipped`) → ids of tests. What passed and then failed to
            clean up behind itself has failed.
    """
    failed = {*outcomes.get("failed", ()), *outcomes.get("error", ())}
    passed = {*outcomes.get("passed", ())} - failed
    skipped = {*outcomes.get("skipped", ())} - failed - passed

    def of(target: str, tests: Iterable[str]) -> int:
        return sum(_target(test) == target for test in tests)

    return {target: Count(of(target, passed), of(target, failed), of(target, skipped)) for target in (*TARGETS, OTHER)}


def _target(test: str) -> str:
    """The target that a test's id names."""
    words = test.partition("[")[2].rstrip("]").split("-")
    return next((word for word in words if word in TARGETS), OTHER)


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
    lines += ["", "Odoo 14.0 and PostgreSQL 17 from Debian's packages.", ""]
    lines += _full_run(page)
    lines += ["", "## Unproved", ""]
    lines += ["What the test ground cannot show. A test may skip for these reasons and for no other.", ""]
    lines += ["| what | why | skip |", "| --- | --- | --- |"]
    lines += [f"| {one.what} | {one.why} | {f'`{one.skip}`' if one.skip else ''} |" for one in UNPROVED]
    return "\n".join(lines) + "\n"


def _full_run(page: Page) -> list[str]:
    """The section of the full run."""
    lines = [
        "## Full run",
        "",
        "`make test-full`: every promise on every target, its kill at every moment of the operation, and every long test.",
        f"Counted are tests, each with its parameters; *{OTHER}* are those that are not repeated for each target. Written when",
        "the run came to its end as a whole, and not after a part of it.",
        "",
        "| target | date | passed | failed | skipped |",
        "| --- | --- | --- | --- | --- |",
    ]
    for target in (*TARGETS, OTHER):
        if target in page.full:
            date, one = page.full[target]
            lines.append(f"| {target} | {date} | {one.passed} | {one.failed} | {one.skipped} |")
        else:
            lines.append(f"| {target} | {NEVER} |  |  |  |")
    return lines
