# SPDX-License-Identifier: Apache-2.0
"""The demo stays on the engine on which it was brought up."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import demo

DOCKER, PODMAN = "unix:///var/run/docker.sock", "unix:///run/user/1000/mine.sock"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", PODMAN)


def test_demo_on_its_engine_goes_on() -> None:
    demo.keep_to_engine()
    demo.keep_to_engine()
    assert not demo.home().exists()  # Mooring takes no folder as its own in which something else is


@pytest.mark.parametrize("host", [DOCKER, ""], ids=["another socket", "a context"])
def test_demo_on_another_engine_is_refused_with_the_way_back(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.keep_to_engine()
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(SystemExit, match=f"DOCKER_HOST={PODMAN} make demo-down"):
        demo.keep_to_engine()
    monkeypatch.setenv("DOCKER_HOST", PODMAN)
    demo.keep_to_engine()


@pytest.mark.parametrize(("host", "told"), [(DOCKER, False), ("", False), (PODMAN, True)], ids=["usual", "none", "own"])
def test_demo_tells_the_engine_that_mooring_does_not_find_by_itself(
    host: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert (demo.engine_line() == f"\n  export DOCKER_HOST={host}") is told
