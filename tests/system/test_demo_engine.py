# SPDX-License-Identifier: Apache-2.0
"""`make demo` takes the engine that answers: what `testbed/engines.sh any` prints leads there, and installs nothing."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.doc_blocks import ROOT

pytestmark = pytest.mark.real


def ask(**environ: str) -> subprocess.CompletedProcess[str]:
    """The engine that is chosen; `environ` is added to what this process has."""
    kept = {name: value for name, value in os.environ.items() if name != "MOORING_CLI"}
    return subprocess.run(
        [str(ROOT / "testbed/engines.sh"), "any"],
        env={**kept, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_engine_for_the_demo_where_docker_answers_is_docker() -> None:
    done = ask()
    assert done.returncode == 0, done.stderr
    assert "export MOORING_CLI=docker" in done.stdout.splitlines()


def test_engine_for_the_demo_that_is_podman_is_used_by_its_own_program() -> None:
    host = os.environ.get("MOORING_PODMAN_HOST", "")
    if not host:
        pytest.skip("MOORING_PODMAN_HOST names no engine (testbed/with.sh podman -- … does)")
    done = ask(DOCKER_HOST=host)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "export MOORING_CLI=podman" in said
    assert f"export DOCKER_HOST={host}" in said
    assert f"export MOORING_PODMAN_HOST={host}" in said


def test_engine_for_the_demo_that_is_named_and_dead_is_never_replaced(tmp_path: os.PathLike[str]) -> None:
    done = ask(DOCKER_HOST=f"unix://{os.fspath(tmp_path)}/none.sock")
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert done.stdout == ""
