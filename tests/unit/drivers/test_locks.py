# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mooring.domain.model.identity import Ref
from mooring.drivers.files import NotWritable
from mooring.drivers.lock_store import AgentRunning, InstanceLocked
from mooring.drivers.locks import AgentLock, InstanceLock, ProcessLock, exclusive
from mooring.errors import Retry
from tests.support.people import as_nobody

SHOP = Ref("OdooInstance", "default", "shop")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

_HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from mooring.drivers.locks import ProcessLock
lock = ProcessLock(Path(sys.argv[1]))
assert lock.try_acquire(command="mooring apply", now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) is None
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def other_process(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            yield process
        finally:
            process.kill()


def test_instance_lock_held_by_another_process_says_who(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path, SHOP)
    with other_process(tmp_path / "OdooInstance.default.shop.lock") as process:
        with pytest.raises(InstanceLocked) as caught:
            lock.acquire(command="mooring upgrade", now=NOW)
        assert caught.value.brief == (
            f"OdooInstance shop is held by pid {process.pid} (mooring apply) since 2026-01-02T03:04:05+00:00."
        )
        assert caught.value.retry is Retry.AFTER
        assert not lock.held


def test_instance_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path, SHOP)
    with other_process(tmp_path / "OdooInstance.default.shop.lock") as process:
        process.kill()
        process.wait()
        assert lock.holder() is None
        with lock.acquire(command="mooring apply", now=NOW):
            assert lock.held
    assert not lock.held


def test_instance_lock_held_by_this_process_excludes_another_object(tmp_path: Path) -> None:
    first, second = InstanceLock(tmp_path, SHOP), InstanceLock(tmp_path, SHOP)
    with first.acquire(command="a", now=NOW), pytest.raises(InstanceLocked):
        second.acquire(command="b", now=NOW)
    second.acquire(command="b", now=NOW).release()


def test_instance_lock_taken_twice_by_one_object_says_so(tmp_path: Path) -> None:
    with InstanceLock(tmp_path, SHOP).acquire(command="a", now=NOW) as lock:
        with pytest.raises(InstanceLocked):
            lock.acquire(command="a", now=NOW)
        assert lock.held


def test_instance_lock_is_not_inherited_by_a_child_process(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path, SHOP).acquire(command="a", now=NOW)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as child:
        lock.release()
        try:
            assert InstanceLock(tmp_path, SHOP).holder() is None
        finally:
            child.kill()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(Ref("K", "a-b", "c"), Ref("K", "a", "b-c"), id="hyphen moved"),
        pytest.param(Ref("K", "a", "c"), Ref("L", "a", "c"), id="kinds"),
        pytest.param(Ref("K", "a", "c"), Ref("K", "b", "c"), id="namespaces"),
    ],
)
def test_instance_lock_of_another_reference_is_another_lock(tmp_path: Path, one: Ref, other: Ref) -> None:
    with InstanceLock(tmp_path, one).acquire(command="a", now=NOW):
        InstanceLock(tmp_path, other).acquire(command="a", now=NOW).release()


@pytest.mark.parametrize("name", ["../x", "", "a.b", "a\0b"])
def test_instance_lock_of_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a reference"):
        InstanceLock(tmp_path, Ref("K", "default", name))


def test_holder_is_looked_at_without_taking_the_lock(tmp_path: Path) -> None:
    agent = AgentLock(tmp_path)
    assert agent.holder() is None
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            AgentLock(tmp_path).holder()

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(300):
            agent.acquire(command="mooring agent run", now=NOW).release()
    finally:
        stop.set()
        for watcher in watchers:
            watcher.join()


def test_agent_lock_shows_the_agent_and_refuses_a_second(tmp_path: Path) -> None:
    with AgentLock(tmp_path).acquire(command="mooring agent run", now=NOW):
        holder = AgentLock(tmp_path).holder()
        assert holder is not None
        assert (holder.command, holder.since) == ("mooring agent run", NOW)
        with pytest.raises(AgentRunning, match="mooring agent run"):
            AgentLock(tmp_path).acquire(command="mooring agent run", now=NOW)
    assert AgentLock(tmp_path).holder() is None


def test_holder_before_it_wrote_who_it_is_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with ProcessLock(path) as lock:
        assert lock.try_acquire(command="a", now=NOW) is None
        path.write_text('{"pid": 1')
        assert str(ProcessLock(path).holder()) == "a process that has just started"


def test_lock_in_a_folder_without_permission_says_so() -> None:
    with as_nobody() as folder, pytest.raises(NotWritable):
        InstanceLock(folder, SHOP).acquire(command="a", now=NOW)


def test_exclusive_lets_one_thread_in_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with exclusive(tmp_path / "x.lock"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_exclusive_waits_for_another_process(tmp_path: Path) -> None:
    with other_process(tmp_path / "x.lock") as process:
        threading.Timer(0.2, process.kill).start()
        started = time.monotonic()
        with exclusive(tmp_path / "x.lock"):
            assert time.monotonic() - started > 0.1
