# SPDX-License-Identifier: Apache-2.0
"""For all tests: what runs in one process, and with CI=true a skip that docs/conformance.md does not list is a failure."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from typing import Any

import pytest

from tests.support.lanes import lane
from tests.support.unproved import allowed

pytest_plugins = ("tests.support.page",)


def pytest_configure() -> None:
    """A shell ignores Ctrl-C for what it puts into the background, and every program that a test interrupts would, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With `--dist loadscope`, tests of one lane run in one process (pytest-xdist)."""
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no types

    class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
        """One lane after the other, wherever a process is free."""

        def _split_scope(self, nodeid: str) -> str:
            return lane(nodeid)

    return Lanes(config, log)


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
