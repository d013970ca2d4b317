# SPDX-License-Identifier: Apache-2.0
"""The page says what the suite has: no promise without a row, no row without a promise, no list that is older."""

from __future__ import annotations

from tools.conformance import SIMULATED, TARGETS, Page, Promise, merge, read, render

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


def test_page_without_a_promise_of_the_suite_differs() -> None:
    page = merge(Page({}, {}), {("test_one", "docker"): True}, {}, "2026-01-01")
    text = render(page, [ONE])
    assert render(read(text), [ONE, Promise("test_two", "New.", ("docker",))]) != text
