# SPDX-License-Identifier: Apache-2.0
"""`mooring setup` on a fresh server that boots systemd: a container with a minimal Debian 12 and this checkout's wheel.

Nothing of the checkout is in it, and no registry need answer there: the engine comes from Debian's packages by apt as the
machine has it, the engine image from the recipe in the wheel. The short test is given that image's base, which changes
with the lock alone; the whole one makes it from Debian's packages and brings up an Odoo.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring import __version__
from mooring.cli.engine_recipe import load_recipe
from tests.support.fresh_server import NO_INDEX, FreshServer, docker, fresh_server, install
from tests.support.wheels import own_wheel, wheel_house

pytestmark = pytest.mark.real

ENGINE_IMAGE = f"mooring-engine:{__version__}"
MANIFEST = """\
apiVersion: mooring.dev/v1alpha1
kind: OdooInstance
metadata:
  name: shop
spec:
  image: odoo:14.0
  init:
    modules: [base]
"""
LOG_IN = """\
import json, sys, urllib.request
call = {"jsonrpc": "2.0", "method": "call", "params": {
    "service": "common", "method": "authenticate", "args": [sys.argv[2], "admin", sys.stdin.read().strip(), {}]}}
request = urllib.request.Request(sys.argv[1] + "/jsonrpc", json.dumps(call).encode(), {"Content-Type": "application/json"})
print(json.load(urllib.request.urlopen(request, timeout=30))["result"])
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    own_wheel(folder)
    return folder


@pytest.fixture
def server(own: Path) -> Iterator[FreshServer]:
    with fresh_server(wheels=wheel_house(), own=own) as booted:
        install(booted)
        yield booted


@pytest.fixture
def container(own: Path) -> Iterator[FreshServer]:
    """The same without systemd."""
    with fresh_server(wheels=wheel_house(), own=own, command=("sleep", "infinity")) as made:
        install(made)
        yield made


def units(server: FreshServer) -> set[str]:
    """What systemd says of the engine and of the agent."""
    return {
        server.run("systemctl", question, unit).stdout.strip()
        for unit in ("docker", "mooring-agent")
        for question in ("is-enabled", "is-active")
    }


def agent(server: FreshServer) -> int:
    """The agent's process."""
    return int(json.loads(server.told("mooring", "agent", "status", "-o", "json"))["pid"])


def engine_image_works(server: FreshServer) -> None:
    run = ("docker", "run", "--rm", "--network=none", "--user=12345:12345", "--read-only", ENGINE_IMAGE)
    assert server.told(*run, "mooring", "--version").strip() == f"mooring {__version__}"
    assert "(PostgreSQL) 17" in server.told(*run, "pg_dump", "--version")
    server.told(*run, "python3", "-c", "import psycopg, mooring.engine.main")


def log_in(server: FreshServer) -> str:
    """Odoo's answer to the generated password, over HTTP from the server itself: the user's number."""
    shop = json.loads(server.told("mooring", "status", "shop", "-o", "json"))
    password = server.told("mooring", "secret", "show", "shop-odoo", "admin-password")
    return server.told("python3", "-c", LOG_IN, shop["url"], shop["database"]["name"], given=password).strip()


def test_setup_on_a_fresh_server_installs_engine_image_and_agent_once(server: FreshServer) -> None:
    asked = server.run("script", "-qec", "mooring setup --no-instance", "/dev/null", given="y\nn\n", environ=NO_INDEX)
    assert asked.returncode == 2, asked.stdout
    assert "[2/4] Install docker.io from the distribution's packages and start it" in asked.stdout
    assert "[3/4] Have the engine image" in asked.stdout
    assert "[4/4]" not in asked.stdout
    assert server.told("dpkg-query", "-W", "-f", "${Status}", "docker.io") == "install ok installed"
    assert server.run("docker", "image", "inspect", ENGINE_IMAGE).returncode != 0

    base = load_recipe().base_name
    if docker("image", "inspect", base, check=False).returncode == 0:
        server.load(base)
    first = server.told("mooring", "setup", "--yes", "--no-instance", environ=NO_INDEX)
    assert "an engine answers at unix:///var/run/docker.sock." in first
    assert "This machine is ready.\n" in first
    assert units(server) == {"enabled", "active"}
    engine_image_works(server)
    pid = agent(server)

    again = server.told("mooring", "setup", "--yes", "--no-instance")
    assert "This machine is ready; nothing was to be done.\n" in again
    assert agent(server) == pid

    server.told("systemctl", "restart", "mooring-agent")
    server.wait(lambda: server.run("mooring", "agent", "status").returncode == 0, 60)
    assert agent(server) != pid


def test_setup_where_no_systemd_runs_is_refused_before_anything_is_installed(container: FreshServer) -> None:
    refused = container.run("mooring", "setup", "--yes")

    assert refused.returncode == 1
    assert "MOOR-714" in refused.stderr
    assert "mooring setup --no-agent" in refused.stderr
    assert refused.stdout == ""
    assert container.run("dpkg-query", "-W", "docker.io").returncode != 0


@pytest.mark.full
def test_setup_where_no_systemd_runs_starts_the_engine_and_says_what_is_left(container: FreshServer) -> None:
    base = load_recipe().base_name
    asked = ("script", "-qec", "mooring setup --no-agent --no-instance", "/dev/null")
    begun = container.run(*asked, given="y\nn\n", environ=NO_INDEX)
    assert "Nothing here starts it with the machine" in begun.stdout
    assert begun.returncode == 2, begun.stdout  # the second step was declined; the terminal of the first is gone
    container.load(base)

    told = container.told("mooring", "setup", "--yes", "--no-agent", "--no-instance")

    assert "This machine is ready.\n" in told
    engine_image_works(container)


@pytest.mark.full
def test_setup_from_nothing_brings_up_an_odoo_that_a_restart_and_a_reboot_keep(server: FreshServer) -> None:
    told = server.run("mooring", "setup", "--yes", "--no-instance", environ=NO_INDEX, timeout_s=1200)
    assert told.returncode == 0, told.stderr
    assert f"Building {ENGINE_IMAGE} on {load_recipe().base_name}." in told.stderr
    engine_image_works(server)
    assert units(server) == {"enabled", "active"}

    server.load("odoo:14.0", "postgres:17", "caddy:2")
    server.write("/root/shop.yaml", MANIFEST)
    brought = server.told("mooring", "setup", "--yes", "-f", "/root/shop.yaml")
    assert "Running  http://127.0.0.1:" in brought
    assert log_in(server) == "2"

    before = server.containers()
    again = server.told("mooring", "setup", "--yes", "-f", "/root/shop.yaml")
    assert "This machine is ready; nothing was to be done. Your manifest: /root/shop.yaml.\n" in again
    assert server.containers() == before

    server.told("systemctl", "restart", "mooring-agent")
    server.wait(lambda: server.run("mooring", "agent", "status").returncode == 0, 60)
    assert server.containers() == before
    server.told("docker", "rm", "-f", next(name for name in before if "-cron-" in name).lstrip("/"))
    server.wait(lambda: set(server.containers()) == set(before), 120)

    server.reboot()
    server.wait(lambda: server.run("mooring", "agent", "status").returncode == 0, 120)
    assert units(server) == {"enabled", "active"}
    server.wait(lambda: "Running" in server.run("mooring", "list").stdout, 120)
    server.wait(lambda: log_in_now(server) == "2", 120)


def log_in_now(server: FreshServer) -> str:
    """As `log_in`; empty while nobody answers."""
    try:
        return log_in(server)
    except AssertionError:
        return ""
