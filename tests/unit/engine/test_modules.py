# SPDX-License-Identifier: Apache-2.0
"""What the parameter of checksums is to hold after an update."""

from __future__ import annotations

import pytest

from mooring.engine.modules import merge_checksums

STORED = {"base": "b1", "sale": "s1", "gone": False}


@pytest.mark.parametrize(
    ("installed", "only", "expected"),
    [
        pytest.param(("base", "sale"), None, {"base": "b2", "sale": "s2"}, id="all were looked after"),
        pytest.param(("base", "sale", "new"), None, {"base": "b2", "sale": "s2"}, id="one that nobody looked at"),
        pytest.param(("base", "gone"), None, {"base": "b2", "gone": False}, id="one without code"),
        pytest.param(("base", "sale"), ("sale",), {"base": "b1", "sale": "s2"}, id="one alone was updated"),
        pytest.param(("base", "gone"), ("sale",), {"base": "b1", "gone": False}, id="what is stored stays"),
    ],
)
def test_merge_keeps_a_checksum_only_of_what_was_updated(
    installed: tuple[str, ...], only: tuple[str, ...] | None, expected: dict[str, object]
) -> None:
    found = merge_checksums(STORED, installed, {"base": "b2", "sale": "s2"}, missing=("gone",), only=only)
    assert found == expected


def test_merge_of_one_module_where_nothing_was_stored_leaves_the_others_out() -> None:
    assert merge_checksums({}, ("base", "sale"), {"base": "b2", "sale": "s2"}, only=("sale",)) == {"sale": "s2"}
