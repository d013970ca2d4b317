# SPDX-License-Identifier: Apache-2.0
"""The page says what the suite has: no promise without a row, no row without a promise, no list that is older."""

from __future__ import annotations

from tools.conformance import (
    NEVER,
    OTHER,
    SIMULATED,
    TARGETS,
    Count,
    Page,
    Promise,
    count,
    merge,
    merge_full,
    read,
    render,
)

from tests.conformance.places import ROOT
from tests.conformance.suite import MODULES, modules_on_disk, promises

PAGE = ROOT / "docs/conformance.md"
ONE = Promise("test_one", "It works.", ("docker", "podman"))


def test_page_is_what_the_suite_has() -> None:
    text = PAGE.read_text()
    assert render(read(text), promises()) == text, "run `make conformance`"


def test_page_proves_every_promise_on_docker_and_shows_no_failure() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `test_")]
    assert len(rows) == len(promises())
    assert [row[0] for row in rows if not row[1].startswith("proved ")] == []
    assert [row[0] for row in rows if any(cell.startswith("failed") for cell in row)] == []


def test_every_module_of_promises_is_in_the_suite() -> None:
    assert set(MODULES) == modules_on_disk()
    assert all(one.words.endswith(".") for one in promises())


def test_simulated_promises_name_files_that_exist() -> None:
    assert [path for _, path in SIMULATED if not (ROOT / path).is_file()] == []


def test_page_after_a_run_keeps_what_the_run_left_out() -> None:
    first = merge(Page({}, {}), {("test_one", "docker"): True}, {"docker": "20.10"}, "2026-01-01")
    again = read(render(first, [ONE]))
    second = merge(again, {("test_one", "podman"): False}, {"podman": "4.3"}, "2026-02-02")
    page = read(render(second, [ONE]))
    assert [page.cells["test_one", target] for target in TARGETS] == [
        "proved 2026-01-01",
        "failed 2026-02-02",
        "unproved",
        "unproved",
    ]
    assert page.runs == {"docker": ("20.10", "2026-01-01"), "podman": ("4.3", "2026-02-02")}


def full_rows(text: str) -> dict[str, str]:
    """The section of the full run: the first word of a row → the rest."""
    section = text.partition("\n## Full run\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ", 1) for line in section.splitlines() if line.startswith("| ")]
    return {row[0]: row[1] for row in rows if row[0] not in ("target", "---")}


def test_page_says_of_every_target_when_it_was_last_run_in_full() -> None:
    rows = full_rows(PAGE.read_text())
    assert list(rows) == [*TARGETS, OTHER]
    assert [row for row in rows.values() if not row.startswith((NEVER, "20"))] == []


def test_full_run_is_counted_by_target_and_kept_through_other_runs() -> None:
    kill = "tests/conformance/test_kills.py::test_kill_during_stop"
    outcomes = {
        "passed": [
            f"{kill}[docker-any]",
            f"{kill}[docker-at1]",
            f"{kill}[docker-at2]",
            "tests/system/test_one.py::test_a",
        ],
        "failed": [f"{kill}[podman-at1]"],
        "error": [f"{kill}[docker-at2]"],
        "skipped": [f"{kill}[podman-at2]", "tests/conformance/test_power.py::test_disk_full[podman]"],
    }
    counts = count(outcomes)
    assert counts["docker"] == Count(passed=2, failed=1, skipped=0)
    first = read(render(merge_full(Page({}, {}), counts, "2026-01-01"), [ONE]))
    page = read(render(merge(first, {("test_one", "docker"): True}, {"docker": "20.10"}, "2026-02-02"), [ONE]))
    assert page.full == {
        "docker": ("2026-01-01", Count(2, 1, 0)),
        "podman": ("2026-01-01", Count(0, 1, 2)),
        OTHER: ("2026-01-01", Count(1, 0, 0)),
    }
    assert full_rows(render(page, [ONE]))["kubernetes"].startswith(NEVER)


def test_full_run_without_an_engine_says_nothing_of_it() -> None:
    skipped = count({"passed": ["test_a[docker]"], "skipped": ["test_a[podman]"]})
    old = merge_full(Page({}, {}), {"podman": Count(7, 0, 0)}, "2026-01-01")
    page = merge_full(old, skipped, "2026-02-02")
    assert {target: date for target, (date, _) in page.full.items()} == {"podman": "2026-01-01", "docker": "2026-02-02"}


def test_page_without_a_promise_of_the_suite_differs() -> None:
    page = merge(Page({}, {}), {("test_one", "docker"): True}, {}, "2026-01-01")
    text = render(page, [ONE])
    assert render(read(text), [ONE, Promise("test_two", "New.", ("docker",))]) != text
