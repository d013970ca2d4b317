# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

import pytest

from mooring.drivers import host
from mooring.drivers.files import FileFailed
from mooring.drivers.host import OsRelease
from tests.support.people import as_nobody


def test_memory_is_what_the_system_has() -> None:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert host.observe_memory_bytes() == pytest.approx(pages, rel=0.05)


@pytest.mark.parametrize("content", [None, "MemFree: 1 kB\n"], ids=["missing", "no line"])
def test_memory_that_the_kernel_does_not_tell_is_an_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "meminfo").write_text(content)
    with pytest.raises(FileFailed, match="meminfo"):
        host.observe_memory_bytes(tmp_path / "meminfo")


def test_memory_is_read_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       2048 kB\nMemFree: 1 kB\n")
    assert host.observe_memory_bytes(tmp_path / "meminfo") == 2 * 1024 * 1024


def test_disk_free_of_a_folder_yet_to_be_made_is_its_parents(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    free = host.observe_disk_free_bytes(tmp_path / "a" / "b")
    assert free == pytest.approx(found.f_bavail * found.f_frsize, rel=0.05)


@pytest.mark.parametrize(("listens", "asked"), [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.1",) * 2])
def test_port_in_use_is_not_free_and_is_free_after(listens: str, asked: str) -> None:
    with socket.socket() as server:
        server.bind((listens, 0))
        server.listen()
        port = server.getsockname()[1]
        assert host.observe_port_free(port, address=asked) is False
    assert host.observe_port_free(port, address=asked) is True


def test_port_below_1024_without_the_right_is_unknown() -> None:
    floor = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    with as_nobody():
        assert host.observe_port_free(1, address="127.0.0.1") is (None if floor > 1 else True)


def test_port_of_a_foreign_address_is_an_error() -> None:
    with pytest.raises(FileFailed, match=r"192\.0\.2\.1"):
        host.observe_port_free(8080, address="192.0.2.1")


@pytest.mark.parametrize(("state", "expected"), [(0, True), (1, True), (5, False), (-1, None)])
def test_clock_is_synchronised_unless_the_kernel_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, state: int, expected: bool | None
) -> None:
    class Libc:
        def __init__(self, *args: object, **options: object) -> None:
            pass

        def adjtimex(self, timex: ctypes.Array[ctypes.c_char]) -> int:
            assert timex.raw[:4] == b"\0" * 4  # modes 0: nothing is set
            return state

    monkeypatch.setattr(ctypes, "CDLL", Libc)
    assert host.observe_clock_synchronised() is expected


def test_clock_of_this_machine_can_be_asked() -> None:
    assert host.observe_clock_synchronised() in {True, False, None}


def test_addresses_of_localhost_are_loopback() -> None:
    found = host.observe_addresses("localhost")
    assert found.exists
    assert set(found.addresses) <= {"127.0.0.1", "::1"}
    assert found.addresses


@pytest.mark.parametrize("name", ["x" * 64 + ".example.com", "a..b"])
def test_addresses_of_what_is_no_name_are_none(name: str) -> None:
    found = host.observe_addresses(name)
    assert found.addresses == ()
    assert found.exists is False
    assert found.problem


@pytest.mark.parametrize(
    ("error", "exists"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, None), (socket.EAI_FAIL, None)]
)
def test_addresses_tell_a_missing_name_from_a_silent_resolver(
    monkeypatch: pytest.MonkeyPatch, error: int, exists: bool | None
) -> None:
    def fails(*args: object, **options: object) -> None:
        raise socket.gaierror(error, "words of the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    found = host.observe_addresses("shop.example.com")
    assert (found.addresses, found.exists, found.problem) == ((), exists, "words of the resolver")


def test_os_release_reads_quotes_and_skips_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text('# ID=no\nID=ubuntu\nVERSION_ID="24.04"\nID_LIKE=\'debian\'\nPRETTY_NAME="Ubuntu 24.04 LTS"\n\nx\n')
    assert host.observe_os_release(path) == OsRelease("ubuntu", "24.04", "debian", "Ubuntu 24.04 LTS")
    assert host.observe_os_release(tmp_path / "none") == OsRelease()
