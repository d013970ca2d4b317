# SPDX-License-Identifier: Apache-2.0
"""Where the promises kill a controller: one moment that chance picks in `make test`, every moment in `make test-full`."""

from __future__ import annotations

import random

import pytest

# Records of an undisturbed run; tests/scenario/test_moments.py counts them. Each may be cut before and after it is written.
RECORDS = {
    "Init": 12,
    "Stop": 4,
    "Start": 4,
    "Restart": 4,
    "Upgrade": 28,
    "Verify": 26,  # a drill
    "Restore": 22,
    "Delete": 8,
}
# The ninth record of an upgrade was written: the intention to copy the files aside; its task is not started.
COPYING = 2 * 9
# The thirteenth record of an upgrade was written: the migration's intention; its task is not started.
MIGRATING = 2 * 13
# What a test is told instead of a moment when chance shall pick one.
ANY = 0


def every_moment(kind: str) -> pytest.MarkDecorator:
    """Give a test `at`: chance's pick, and in the full run each of the moments of the operation `kind` in turn."""
    marks = (pytest.mark.full, pytest.mark.every_moment)
    walk = [pytest.param(at, id=f"at{at}", marks=marks) for at in range(1, 2 * RECORDS[kind] + 1)]
    return pytest.mark.parametrize("at", [pytest.param(ANY, id="any"), *walk])


def moment(chance: random.Random, kind: str, at: int) -> int:
    """Where to kill: `at` itself, or where chance says."""
    return chance.randint(1, 2 * RECORDS[kind]) if at == ANY else at
