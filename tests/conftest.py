# SPDX-License-Identifier: Apache-2.0
"""For all tests: with CI=true a skip that docs/conformance.md does not list is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.support.unproved import allowed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn such a skip into a failure; an expected failure is no skip."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not allowed(reason):
            report.outcome = "failed"
            report.longrepr = f"{reason}\nThis skip is not listed in tests/support/unproved.py, and CI is true."
    return report
