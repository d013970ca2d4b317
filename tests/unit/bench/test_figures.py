# SPDX-License-Identifier: Apache-2.0
"""Figures and the page: what is met is told so, what is missed stands out, and no run is left out."""

from __future__ import annotations

import pytest
from bench.figures import Figure, Part, ratios
from bench.page import render_page, render_table


@pytest.mark.parametrize(
    ("samples", "limit", "verdict"),
    [
        pytest.param((1.0, 9.0, 1.2), 1.3, "met", id="the-median-counts-not-the-worst"),
        pytest.param((1.0, 1.4, 1.5), 1.3, "missed", id="above"),
        pytest.param((0.0,), 0.0, "met", id="nothing-where-nothing-may-be"),
        pytest.param((1.0,), None, "", id="only-told"),
        pytest.param((), 1.3, "not measured", id="no-run"),
    ],
)
def test_figure_against_its_limit_says_whether_it_is_met(
    samples: tuple[float, ...], limit: float | None, verdict: str
) -> None:
    assert Figure("one", "s", samples, limit).verdict == verdict


def test_ratios_of_pairs_compare_what_ran_side_by_side() -> None:
    assert ratios((2.0, 9.0), (1.0, 3.0)) == (2.0, 3.0)


def test_ratios_of_unequal_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios((2.0,), (1.0, 3.0))


def test_table_with_a_slow_run_shows_it_beside_the_median() -> None:
    table = render_table([Figure("apply", "s", (1.0, 1.25, 7.5), 1.3)])

    assert "| apply | 1.30 s | 1.25 s | 1 s | 7.50 s | 3 | met |" in table


def test_table_with_a_missed_limit_makes_it_stand_out() -> None:
    assert "**missed**" in render_table([Figure("apply", "ratio", (2.0,), 1.3)])


def test_page_with_a_failed_run_tells_why() -> None:
    part = Part("Start", "Both in turn.", (Figure("apply", "s", (1.0,), failed=("it was killed",)),), load=(0.5, 2.0))

    page = render_page({"cores": "2"}, [part])

    assert "apply: a run failed: it was killed" in page
    assert "load was 0.5 before and 2.0 after" in page
    assert "| cores | 2 |" in page
