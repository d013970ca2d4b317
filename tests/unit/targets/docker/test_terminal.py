# SPDX-License-Identifier: Apache-2.0
"""Commands inside a replica, where the engine or the person is quicker than a real one shows reliably."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.domain.model.identity import Identity, Ref
from mooring.drivers.docker.engine import Engine
from mooring.drivers.docker.find import EngineAddress
from mooring.targets.docker import labels as tag
from mooring.targets.docker import terminal
from mooring.targets.docker.terminal import attach
from tests.support.fake_engine import FakeProcess, serve_engine

SHOP = Ref("OdooInstance", "default", "shop")


def frame(number: int, content: bytes) -> bytes:
    return struct.pack(">BxxxL", number, len(content)) + content


@pytest.fixture
def process() -> FakeProcess:
    labels = tag.owner_labels(SHOP, Identity("here", "1"), "web")
    return FakeProcess(labels, frame(1, b"said\n") + frame(2, b"complained\n"), 3)


@pytest.fixture
def engine(tmp_path: Path, process: FakeProcess) -> Iterator[Engine]:
    path = tmp_path / "e.sock"
    with serve_engine(path, process):
        made = Engine(EngineAddress(f"unix://{path}"))
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def _no_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Path("/dev/null").open(encoding="utf-8") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield


@pytest.mark.usefixtures("_no_input")
def test_output_that_comes_together_with_the_engines_answer_is_shown(
    engine: Engine, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert attach(engine, SHOP, ["true"], role="web", tty=False) == 3
    assert capfdbinary.readouterr() == (b"said\n", b"complained\n")


def test_run_that_ends_at_once_gives_its_output(engine: Engine) -> None:
    assert engine.run("shop", ["true"], timeout_s=5) == (3, "said\ncomplained\n")


@pytest.mark.usefixtures("_no_input")
def test_terminal_of_a_process_that_ended_before_its_size_was_told_is_no_fault(
    engine: Engine, process: FakeProcess, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    process.output = b"said\r\n"
    assert attach(engine, SHOP, ["true"], role="web", tty=True) == 3
    assert capfdbinary.readouterr() == (b"said\r\n", b"")


def test_command_without_a_standard_input_at_all_has_none(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # as Python starts after `<&-`
    assert attach(engine, SHOP, ["true"], role="web", tty=False) == 3
    assert capfdbinary.readouterr().out == b"said\n"


def test_command_that_says_more_than_it_is_given_is_heard_while_it_is_spoken_to(
    engine: Engine, process: FakeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, shown = tmp_path / "given", tmp_path / "shown"
    given.write_bytes(b"x" * (1 << 20))
    process.output, process.echo = b"", 60
    with given.open(encoding="latin-1") as source, shown.open("wb") as sink:
        monkeypatch.setattr("sys.stdin", source)
        monkeypatch.setattr(terminal, "OUTPUTS", (sink.fileno(), sink.fileno()))
        assert attach(engine, SHOP, ["cat"], role="web", tty=True) == 3
    assert shown.stat().st_size == 60 << 20


def test_command_that_ends_without_reading_its_input_is_told_by_its_exit_code(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    given = tmp_path / "given"
    given.write_bytes(bytes(4 << 20))
    with given.open(encoding="latin-1") as source:
        monkeypatch.setattr("sys.stdin", source)
        assert attach(engine, SHOP, ["true"], role="web", tty=False) == 3
    assert capfdbinary.readouterr().out == b"said\n"
