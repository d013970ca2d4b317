# SPDX-License-Identifier: Apache-2.0
"""Which engine is chosen where nobody names one; engines are played at sockets of the test's own."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mooring.drivers.docker import find
from mooring.drivers.docker.find import EngineAddress, find_engine
from mooring.drivers.errors import EngineUnreachable
from tests.support.fake_engine import serve_engine

# The order in which they are tried.
DOCKER, ROOTLESS_DOCKER, PODMAN, ROOTLESS_PODMAN = (
    "var/docker.sock",
    "user/docker.sock",
    "run/podman/podman.sock",
    "user/podman/podman.sock",
)
ALL = (DOCKER, ROOTLESS_DOCKER, PODMAN, ROOTLESS_PODMAN)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that everybody may look into, with the machine's usual sockets in it; short, as sockets' paths are."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder)
        found.chmod(0o755)
        for name in ALL:
            (found / name).parent.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(find, "SYSTEM_SOCKETS", (f"{found}/{DOCKER}", f"{found}/{PODMAN}"))
        yield found


def look(place: Path) -> EngineAddress:
    """As on a machine without DOCKER_HOST."""
    return find_engine(home=place, runtime_dir=f"{place}/user")


@contextmanager
def engines(place: Path, *names: str) -> Iterator[None]:
    """Engines that answer at these sockets."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(serve_engine(place / name))
        yield


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        pytest.param(ALL, DOCKER, id="all: Docker of the machine"),
        pytest.param(ALL[1:], ROOTLESS_DOCKER, id="Docker of the user before Podman"),
        pytest.param(ALL[2:], PODMAN, id="Podman of the machine before the user's"),
        pytest.param(ALL[3:], ROOTLESS_PODMAN, id="Podman of the user alone"),
    ],
)
def test_usual_sockets_are_tried_in_their_order(place: Path, there: tuple[str, ...], chosen: str) -> None:
    with engines(place, *there):
        found = look(place)
    assert (found.url, found.origin, found.local) == (f"unix://{place}/{chosen}", "usual socket", True)


def test_users_sockets_are_not_looked_for_without_a_runtime_folder(place: Path) -> None:
    with engines(place, ROOTLESS_DOCKER, ROOTLESS_PODMAN), pytest.raises(EngineUnreachable) as caught:
        find_engine(home=place)
    assert caught.value.details.count("there is no such socket") == 2


def test_socket_that_nobody_answers_at_is_passed_over(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place / DOCKER))
    with engines(place, ROOTLESS_PODMAN):
        assert look(place).url == f"unix://{place}/{ROOTLESS_PODMAN}"


def test_folder_that_one_may_not_look_into_is_passed_over(place: Path) -> None:
    # As /run/podman is for everybody but root where Podman is installed.
    closed = (place / PODMAN).parent
    closed.chmod(0)
    try:
        with engines(place, ROOTLESS_PODMAN):
            (place / ROOTLESS_PODMAN).chmod(0o777)
            with without_rights():
                found = look(place)
    finally:
        closed.chmod(0o700)
    assert found.url == f"unix://{place}/{ROOTLESS_PODMAN}"


@contextmanager
def without_rights() -> Iterator[None]:
    """This process as nobody where it is root, who may look everywhere."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_no_engine_anywhere_names_every_socket_and_why(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place / ROOTLESS_DOCKER))
    with pytest.raises(EngineUnreachable) as caught:
        look(place)
    lines = caught.value.details.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [f"unix://{place}/{name}" for name in ALL]
    assert "there is no such socket" in lines[0]
    assert "refused" in lines[1]


def test_current_context_is_chosen_before_the_usual_sockets(place: Path) -> None:
    meta = place / ".docker" / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    (place / ".docker" / "config.json").write_text('{"currentContext": "mine"}')
    endpoint = {"Host": f"unix://{place}/mine.sock"}
    (meta / "meta.json").write_text(json.dumps({"Name": "mine", "Endpoints": {"docker": endpoint}}))
    with engines(place, *ALL, "mine.sock"):
        assert look(place) == EngineAddress(f"unix://{place}/mine.sock", origin="context mine")


def test_default_context_leaves_the_usual_sockets(place: Path) -> None:
    (place / ".docker").mkdir()
    (place / ".docker" / "config.json").write_text('{"currentContext": "default"}')
    with engines(place, DOCKER):
        assert look(place).url == f"unix://{place}/{DOCKER}"


def test_engine_that_is_asked_for_is_the_only_one_tried(place: Path) -> None:
    with serve_engine(place / DOCKER) as asked, engines(place, PODMAN):
        assert find_engine(host=f"unix://{place}/{PODMAN}", home=place).origin == "DOCKER_HOST"
        with pytest.raises(EngineUnreachable):
            find_engine(host=f"unix://{place}/none.sock", home=place)
    assert asked == []


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:99999", "http://[::1"], ids=["port", "brackets"])
def test_address_that_is_none_is_no_engine(place: Path, host: str) -> None:
    with pytest.raises(EngineUnreachable) as caught:
        find_engine(host=host, home=place)
    assert host in caught.value.details
