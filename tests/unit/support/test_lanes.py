# SPDX-License-Identifier: Apache-2.0
"""What runs in one process."""

from __future__ import annotations

import pytest

from tests.support.lanes import lane


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        pytest.param("tests/conformance/test_data.py::test_purge[docker]", "docker", id="a promise"),
        pytest.param("tests/conformance/test_running.py::test_repair[podman-web]", "podman", id="with a parameter"),
        pytest.param("tests/conformance/test_power.py::test_reboot[docker]", "docker, test_power", id="its own engine"),
        pytest.param("tests/conformance/test_page.py::test_page", "tests/conformance/test_page.py", id="the page"),
        pytest.param("tests/system/test_a.py::test_b[docker]", "tests/system/test_a.py", id="another file"),
    ],
)
def test_lane_of_a_test_is_what_it_shares(test: str, expected: str) -> None:
    assert lane(test) == expected
