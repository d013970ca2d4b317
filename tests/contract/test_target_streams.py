# SPDX-License-Identifier: Apache-2.0
"""The contract of `mooring.targets.base` on commands inside replicas and on their logs."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mooring.domain.model.identity import child
from tests.contract.target_bench import Bench, desired, settle, talker, workload
from tests.support.sim_world import Program

PATIENCE_S = 30


@contextmanager
def standard_input(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's standard input is the file."""
    with path.open(encoding="latin-1") as source, monkeypatch.context() as patch:
        patch.setattr("sys.stdin", source)
        yield


async def test_attach_gives_both_outputs_and_the_exit_code(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    await settle(bench, desired(bench, workload(bench)))
    argv = ("sh", "-c", "echo said; echo complained >&2; exit 7")
    bench.program(argv, Program(lambda _given, _tty: b"said\n", b"complained\n", 7))
    with standard_input(Path("/dev/null"), monkeypatch):
        assert await bench.target.attach(bench.ref, argv, role="web", tty=False) == 7
    assert capfdbinary.readouterr() == (b"said\n", b"complained\n")


async def test_attach_passes_standard_input_to_its_end(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    await settle(bench, desired(bench, workload(bench)))
    bench.program(("cat",), Program(lambda given, _tty: given))
    given = os.urandom(3 << 20)
    (tmp_path / "given").write_bytes(given)
    with standard_input(tmp_path / "given", monkeypatch):
        assert await bench.target.attach(bench.ref, ("cat",), role="web", tty=False) == 0
    assert capfdbinary.readouterr().out == given


async def test_attach_of_what_does_not_read_its_input_ends_by_its_exit_code(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settle(bench, desired(bench, workload(bench)))
    argv = ("sh", "-c", "exit 4")
    bench.program(argv, Program(exit_code=4))
    (tmp_path / "given").write_bytes(bytes(3 << 20))
    with standard_input(tmp_path / "given", monkeypatch):
        assert await bench.target.attach(bench.ref, argv, role="web", tty=False) == 4


async def test_attach_with_a_terminal_passes_keys_and_leaves_ours_as_it_was(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    await settle(bench, desired(bench, workload(bench)))
    argv = ("sh", "-c", '[ -t 0 ] && [ -t 1 ] || exit 9; read -r word; echo "<$word>"; echo complained >&2; exit 5')
    bench.program(argv, Program(lambda given, _tty: b"<" + given.strip() + b">\r\n", b"complained\r\n", 5))
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    done = threading.Event()

    def person() -> None:
        # What is typed before the terminal is made ready is thrown away: typed again until it is heard.
        while not done.wait(0.2):
            os.write(ours, b"hello\r")

    typing = threading.Thread(target=person)
    typing.start()
    try:
        with standard_input(Path(os.ttyname(theirs)), monkeypatch):
            code = await asyncio.wait_for(bench.target.attach(bench.ref, argv, role="web", tty=True), PATIENCE_S)
        after = termios.tcgetattr(theirs)
    finally:
        done.set()
        typing.join()
        os.close(ours)
        os.close(theirs)
    shown = capfdbinary.readouterr()
    assert (code, shown.err) == (5, b"")
    assert b"<hello>\r\n" in shown.out
    assert shown.out.endswith(b"complained\r\n")
    assert after == before


async def logged(bench: Bench, *, lines: int = 100) -> list[str]:
    return [line async for line in bench.target.logs(bench.ref, role="web", follow=False, lines=lines)]


async def until_logged(bench: Bench, count: int) -> list[str]:
    """What is in the log when `count` lines are: a line takes a moment from a process to its log."""
    found: list[str] = []
    for _ in range(100):
        found = await logged(bench)
        if len(found) >= count:
            break
        await bench.clock.sleep(0.1)
    return found


async def test_logs_give_as_many_last_lines_as_asked_for(bench: Bench) -> None:
    await settle(bench, desired(bench, talker(bench)))
    for line in ("one", "", "thr\u00e9\u00e9"):
        await bench.say(f"{child(bench.ref, 'web')}-0", line)
    assert await until_logged(bench, 3) == ["one", "", "thr\u00e9\u00e9"]
    assert [await logged(bench, lines=count) for count in (2, 0)] == [["", "thr\u00e9\u00e9"], []]


async def test_logs_of_several_replicas_say_whose_each_line_is(bench: Bench) -> None:
    await settle(bench, desired(bench, talker(bench, replicas=2)))
    names = [f"{child(bench.ref, 'web')}-{index}" for index in range(2)]
    for name in names:
        await bench.say(name, "here")
    assert sorted(await until_logged(bench, 2)) == [f"{name}: here" for name in names]


async def test_logs_that_are_followed_show_what_comes_later_and_end_with_the_replica(bench: Bench) -> None:
    await settle(bench, desired(bench, talker(bench)))
    name = f"{child(bench.ref, 'web')}-0"
    await bench.say(name, "before")
    await until_logged(bench, 1)
    seen: list[str] = []

    async def follow() -> None:
        async for line in bench.target.logs(bench.ref, role="web", follow=True, lines=1):
            seen.append(line)  # noqa: PERF401 - what came so far is looked at meanwhile

    reading = asyncio.create_task(follow())
    try:
        for number, line in enumerate(("before", "later", "last"), start=1):
            if number > 1:
                await bench.say(name, line)
            for _ in range(200):
                if len(seen) >= number:
                    break
                await asyncio.sleep(0.05)
            assert seen[number - 1 :] == [line]
        assert not reading.done()
        await bench.kill_process(name)
        await asyncio.wait_for(reading, PATIENCE_S)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert seen == ["before", "later", "last"]


async def test_logs_that_nobody_reads_on_leave_no_reader_behind(bench: Bench) -> None:
    await settle(bench, desired(bench, talker(bench)))
    await bench.say(f"{child(bench.ref, 'web')}-0", "first")
    await until_logged(bench, 1)
    others = set(threading.enumerate())
    lines = bench.target.logs(bench.ref, role="web", follow=True, lines=1)
    assert await anext(lines) == "first"
    begun = set(threading.enumerate()) - others
    await lines.aclose()  # type: ignore[attr-defined]  # every one is a generator
    for _ in range(100):
        if not any(thread.is_alive() for thread in begun if thread.name == "docker-stream"):
            break
        await asyncio.sleep(0.05)
    assert not any(thread.is_alive() for thread in begun if thread.name == "docker-stream")
