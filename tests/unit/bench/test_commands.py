# SPDX-License-Identifier: Apache-2.0
"""Programs are measured from outside, whatever they print, and a failure is no sample."""

from __future__ import annotations

import sys

import pytest
from bench.commands import RunFailed, environment, run


def test_run_of_a_program_tells_its_time_its_memory_and_its_words() -> None:
    done = run([sys.executable, "-c", "import time; kept = bytearray(64 << 20); time.sleep(0.2); print('x' * 100_000)"])

    assert done.wall_s >= 0.2
    assert done.rss_bytes >= 64 << 20
    assert len(done.out) == 100_001


def test_run_of_a_program_that_fails_raises_with_the_end_of_what_it_said() -> None:
    with pytest.raises(RunFailed, match="ended with 3: no such thing"):
        run([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])


def test_environment_lets_python_keep_what_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    assert "PYTHONDONTWRITEBYTECODE" not in environment({"MORE": "1"})
    assert environment({"MORE": "1"})["MORE"] == "1"
