# SPDX-License-Identifier: Apache-2.0
"""The record on the data, and the fence that it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.domain.work.common import DATABASE_NAME_BYTES, Fence
from mooring.domain.work.errors import StaleAttempt
from mooring.domain.work.mark import DataMark, decide_fence, parse_mark, render_mark
from mooring.domain.work.names import beside, lock_key

MARK = DataMark("id-1", "current", "op-1", {"database-return": 3}, at="2026-01-01T00:00:00+00:00", returned="op-0")


def test_mark_through_text_stays_the_same() -> None:
    assert parse_mark(render_mark(MARK)) == MARK


@given(st.text())
def test_mark_of_any_text_never_raises(text: str) -> None:
    parse_mark(text)


@pytest.mark.parametrize(
    "text",
    [None, "", "my database", "[]", '{"mooring":2,"instance":"a","role":"current"}', '{"mooring":1,"instance":"a"}'],
    ids=["none", "empty", "stranger", "list", "newer format", "no role"],
)
def test_mark_of_a_stranger_is_none(text: str | None) -> None:
    assert parse_mark(text) is None


def test_fence_with_a_lower_attempt_of_the_same_step_is_refused() -> None:
    with pytest.raises(StaleAttempt):
        decide_fence(MARK, Fence("op-1", 2), "database-return")


@pytest.mark.parametrize(
    ("fence", "task", "steps"),
    [
        pytest.param(Fence("op-1", 3), "database-return", {"database-return": 3}, id="same attempt again"),
        pytest.param(Fence("op-1", 4), "database-return", {"database-return": 4}, id="later attempt"),
        pytest.param(Fence("op-1", 1), "other", {"database-return": 3, "other": 1}, id="first attempt of another step"),
        pytest.param(Fence("op-2", 1), "database-return", {"database-return": 1}, id="another operation"),
    ],
)
def test_fence_that_is_not_stale_is_remembered(fence: Fence, task: str, steps: dict[str, int]) -> None:
    assert decide_fence(MARK, fence, task) == (fence.operation, steps)


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_beside_fit_postgresql_and_differ_by_role(instance: str, operation: str) -> None:
    names = {beside(instance, role=role, operation=operation) for role in ("building", "safety", "previous")}
    assert len(names) == 3
    assert all(len(name) <= DATABASE_NAME_BYTES for name in names)
    assert -(2**63) <= lock_key(instance) < 2**63
