# SPDX-License-Identifier: Apache-2.0
"""Writes docs/conformance.md at the end of a run that is asked to: what came of the promises, and the count of a full run.

A plugin of its own because the first of several processes (pytest-xdist) reads no conftest but the topmost. Named by
`tests/conftest.py`; `tests/conformance/conftest.py` puts in what it sees.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

# Path of the page; nothing is written without it.
WRITE = "MOORING_WRITE_CONFORMANCE"
# Set by `make test-full` where nothing is left out.
FULL = "MOORING_FULL_RUN"
RESULTS = pytest.StashKey[dict[tuple[str, str], bool]]()
VERSIONS = pytest.StashKey[dict[str, str]]()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a process beside this one has seen (pytest-xdist)."""
    seen = getattr(node, "workeroutput", {}).get("conformance", {})
    results = node.config.stash.setdefault(RESULTS, {})
    for test, target, passed in seen.get("results", ()):
        results[test, target] = results.get((test, target), True) and passed
    node.config.stash.setdefault(VERSIONS, {}).update(seen.get("versions", {}))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page, when it is asked for; a process beside the first one hands over what it has seen."""
    path = os.environ.get(WRITE)
    results = session.config.stash.get(RESULTS, {})
    versions = session.config.stash.get(VERSIONS, {})
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        rows = [(*key, passed) for key, passed in results.items()]
        output["conformance"] = {"results": rows, "versions": versions}
    elif path and results:
        whole = os.environ.get(FULL) == "1" and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        write(Path(path), results, versions, outcomes(session.config) if whole else None)


def outcomes(config: pytest.Config) -> dict[str, list[str]]:
    """Ids of tests by pytest's word for how they ended, as its own summary counts them."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    words = ("passed", "failed", "error", "skipped")
    return {word: [report.nodeid for report in reporter.stats.get(word, ())] for word in words}


def write(
    path: Path, results: dict[tuple[str, str], bool], versions: dict[str, str], whole: dict[str, list[str]] | None
) -> None:
    """Bring the page up to date; `whole` is how all tests of a full run ended."""
    from tools.conformance import count, merge, merge_full, read, render

    from tests.conformance.suite import promises

    today = datetime.now(UTC).date().isoformat()
    page = merge(read(path.read_text() if path.exists() else ""), results, versions, today)
    if whole is not None:
        page = merge_full(page, count(whole), today)
    path.write_text(render(page, promises()))
