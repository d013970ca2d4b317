# SPDX-License-Identifier: Apache-2.0
"""Where the suite runs: a registry of targets, and hands that break things there as people and machines do.

The promises know `Place` alone. A new target is a new class here and a row in `PLACES`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from mooring.domain.model.identity import Ref
from mooring.domain.odoo.argv import CONFIG_PATH
from mooring.drivers.clock import Clock
from mooring.drivers.docker.find import find_engine
from mooring.targets.base import SecretReader, Target
from mooring.targets.docker.options import DockerOptions
from mooring.targets.docker.target import DockerTarget

ROOT = Path(__file__).parents[2]
IMAGES = ("odoo:14.0-base", "odoo:14.0-next", "odoo:14.0-bad", "odoo:14.0-dies", "postgres:17", "caddy:2", "engine")
NO_MACHINE = "podman: the test ground has no machine of its own"
START_POSTGRES = """
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
data=/tmp/data
if [ ! -s "$data/PG_VERSION" ]; then
  printf %s "$PGPASSWORD" > /tmp/password
  initdb -D "$data" -U postgres -A scram-sha-256 --pwfile=/tmp/password
  echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
fi
exec postgres -D "$data" -c "listen_addresses=*" -c "port=$1" -c unix_socket_directories=/tmp
"""


@dataclass(frozen=True, order=True)
class Process:
    """A live process of a workload: another id, or another start, is another process."""

    id: str
    role: str
    image: str
    started: str


@dataclass(frozen=True)
class Outside:
    """A PostgreSQL that Mooring does not run; reached under this address from instances."""

    host: str
    port: int
    password: str
    id: str


class Place(Protocol):
    """One target, with hands.

    Attributes:
        name: of the target, as the page calls it.
        address: where it is, for `make_target`.
    """

    name: str
    address: str

    def version(self) -> str:
        """What runs there, for the page."""
        ...

    def processes(self, ref: Ref, *roles: str) -> list[Process]:
        """Live processes of the workloads of `ref`, sorted."""
        ...

    def tasks(self, ref: Ref) -> list[str]:
        """Task processes of `ref` that live."""
        ...

    def run(self, ref: Ref, role: str, argv: Sequence[str], *, stdin: str = "") -> tuple[int, str]:
        """A program beside the first process of a role: exit code and all it said."""
        ...

    def remove_replica(self, ref: Ref, role: str) -> None:
        """Take the process away with everything that it was made from."""
        ...

    def stop_replica(self, ref: Ref, role: str) -> None:
        """End the process so that it does not come back by itself."""
        ...

    def edit_config(self, ref: Ref, role: str, line: str) -> None:
        """Add a line to the configuration that the process was started with."""
        ...

    def detach_network(self, ref: Ref, role: str) -> None:
        """Take the process off its networks."""
        ...

    def addresses(self, ref: Ref, role: str) -> list[str]:
        """Where the role's processes are, on networks of the place."""
        ...

    def reach(self, url: str) -> str:
        """The address under which the test reaches what is published there."""
        ...

    def left(self, namespace: str, name: str | None = None) -> list[str]:
        """Everything that exists of a namespace, or of one instance: `kind name`."""
        ...

    def clean(self, namespace: str, name: str | None = None) -> None:
        """Remove all that."""
        ...

    def outside(self) -> contextlib.AbstractContextManager[Outside]:
        """Run a database server that is not Mooring's."""
        ...

    def set_outside(self, server: Outside, *, running: bool) -> None:
        """Stop or start it."""
        ...

    def outside_sql(self, server: Outside, text: str) -> list[str]:
        """Lines of a query there, as its superuser."""
        ...


class Private(Place, Protocol):
    """A place of the test's own, whose engine and machine may fail."""

    def restart_engine(self) -> None:
        """The engine dies and is started again; what it ran goes on or comes back as it does there."""
        ...

    def reboot(self) -> None:
        """Power cut, then boot."""
        ...

    def fill(self) -> None:
        """Leave no room on the disk."""
        ...

    def free(self) -> None:
        """Give the room back."""
        ...


class EnginePlace:
    """Docker or Podman, by the engine's own API."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    def cli(self, *argv: str, stdin: str = "", check: bool = True, timeout_s: float = 120) -> str:
        """Docker's program, which speaks to both engines."""
        return self._cli(*argv, stdin=stdin, check=check, timeout_s=timeout_s)[1]

    def _cli(self, *argv: str, stdin: str, check: bool, timeout_s: float) -> tuple[int, str]:
        done = subprocess.run(
            ("docker", "-H", self.address, *argv), input=stdin, capture_output=True, text=True, timeout=timeout_s,
            check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"docker {' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.returncode, done.stdout + (done.stderr if not check else "")

    def version(self) -> str:
        form = "{{.Server.Version}}" if self.name == "docker" else "{{(index .Server.Components 0).Version}}"
        return self.cli("version", "--format", form).strip()

    def _containers(self, ref: Ref, purpose: str, *roles: str) -> list[dict[str, Any]]:
        labels = {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name, "purpose": purpose}
        filters = [word for key, value in labels.items() for word in ("--filter", f"label=dev.mooring.{key}={value}")]
        found = self.cli("ps", "-aq", "--no-trunc", *filters).split()
        if not found:
            return []
        known = json.loads(self._cli("inspect", *found, stdin="", check=False, timeout_s=60)[1].partition("\nError")[0])
        return [
            item for item in known if not roles or item["Config"]["Labels"].get("dev.mooring.role", "") in roles
        ]  # fmt: skip

    def processes(self, ref: Ref, *roles: str) -> list[Process]:
        return sorted(
            Process(
                str(item["Id"]),
                str(item["Config"]["Labels"]["dev.mooring.role"]),
                str(item["Image"]),
                str(item["State"]["StartedAt"]),
            )
            for item in self._containers(ref, "workload", *roles)
            if item["State"]["Running"]
        )

    def tasks(self, ref: Ref) -> list[str]:
        return [str(item["Name"]).lstrip("/") for item in self._containers(ref, "task") if item["State"]["Running"]]

    def _first(self, ref: Ref, role: str) -> str:
        found = self.processes(ref, role)
        assert found, f"{ref} has no process in {role}"
        return found[0].id

    def run(self, ref: Ref, role: str, argv: Sequence[str], *, stdin: str = "") -> tuple[int, str]:
        return self._cli("exec", "-i", self._first(ref, role), *argv, stdin=stdin, check=False, timeout_s=180)

    def remove_replica(self, ref: Ref, role: str) -> None:
        self.cli("rm", "-f", self._first(ref, role))

    def stop_replica(self, ref: Ref, role: str) -> None:
        self.cli("stop", "-t", "20", self._first(ref, role))

    def edit_config(self, ref: Ref, role: str, line: str) -> None:
        code, said = self.run(ref, role, ("sh", "-c", 'printf "%s\\n" "$1" >> "$2"', "sh", line, CONFIG_PATH))
        assert code == 0, said

    def detach_network(self, ref: Ref, role: str) -> None:
        name = self._first(ref, role)
        for network in self._networks(name):
            self.cli("network", "disconnect", "-f", network, name)
        assert not self._networks(name)

    def _networks(self, container: str) -> dict[str, Any]:
        item: Mapping[str, Any] = json.loads(self.cli("inspect", container))[0]
        return dict(item["NetworkSettings"]["Networks"] or {})

    def addresses(self, ref: Ref, role: str) -> list[str]:
        return [
            str(network["IPAddress"])
            for item in self._containers(ref, "workload", role)
            for network in (item["NetworkSettings"]["Networks"] or {}).values()
            if network["IPAddress"]
        ]

    def reach(self, url: str) -> str:
        return url

    def left(self, namespace: str, name: str | None = None) -> list[str]:
        wanted = {"dev.mooring.namespace": namespace} | ({} if name is None else {"dev.mooring.name": name})
        listing = {"container": ("ps", "-aq"), "volume": ("volume", "ls", "-q"), "network": ("network", "ls", "-q")}
        found: list[str] = []
        for kind, command in listing.items():
            ids = self.cli(*command, "--filter", f"label=dev.mooring.namespace={namespace}").split()
            known = json.loads(self.cli(kind, "inspect", *ids)) if ids else []
            for item in known:
                # Podman 4.3 takes several filters on volumes for one of them.
                labels = (item["Config"] if kind == "container" else item).get("Labels") or {}
                if all(labels.get(key) == value for key, value in wanted.items()):
                    found.append(f"{kind} {str(item['Name']).lstrip('/')}")
        return sorted(found)

    def clean(self, namespace: str, name: str | None = None) -> None:
        order = {"container": ("rm", "-fv"), "network": ("network", "rm"), "volume": ("volume", "rm")}
        found = [item.split(" ") for item in self.left(namespace, name)]
        for kind, command in order.items():
            mine = [one for word, one in found if word == kind]
            for one in mine if kind == "network" else ():
                self._empty(one)
            if mine:
                self.cli(*command, *mine, check=False)
        assert self.left(namespace, name) == []

    def _empty(self, network: str) -> None:
        attached = self.cli("ps", "-aq", "--filter", f"network={network}").split()
        for container in attached:
            self.cli("network", "disconnect", "-f", network, container, check=False)

    @contextmanager
    def outside(self) -> Iterator[Outside]:
        password, port = secrets.token_hex(8), free_port()
        # The machine's own network: one bridge of an engine does not reach another one's containers.
        container = self.cli(
            "run", "-d", "--network", "host", "--user", "postgres", "-e", f"PGPASSWORD={password}",
            "postgres:17", "sh", "-ec", START_POSTGRES, "sh", str(port),
        ).strip()  # fmt: skip
        server = Outside(machine_address(), port, password, container)
        try:
            until = time.monotonic() + 60
            while self._outside_psql(server, "SELECT 1")[0] != 0:
                assert time.monotonic() < until, self.cli("logs", container, check=False)
                time.sleep(0.3)
            yield server
        finally:
            self.cli("rm", "-fv", container)

    def set_outside(self, server: Outside, *, running: bool) -> None:
        self.cli("start" if running else "stop", server.id)

    def _outside_psql(self, server: Outside, text: str) -> tuple[int, str]:
        return self._cli(
            "exec", "-i", server.id, "psql", "-h", "/tmp", "-p", str(server.port), "-U", "postgres", "-At",
            "-v", "ON_ERROR_STOP=1", stdin=text, check=False, timeout_s=60,
        )  # fmt: skip

    def outside_sql(self, server: Outside, text: str) -> list[str]:
        code, said = self._outside_psql(server, text)
        assert code == 0, said
        return said.splitlines()


class PrivateDocker(EnginePlace):
    """An engine in namespaces of its own (`testbed/private-dockerd.sh`)."""

    def __init__(self, folder: Path, *, disk: str = "", images: Sequence[str] = IMAGES) -> None:
        self._folder = folder
        self._disk = disk
        self._tool("start", "--images", " ".join(images), *(("--disk", disk) if disk else ()))
        super().__init__("docker", f"unix://{folder}/docker.sock")

    def _tool(self, verb: str, *argv: str) -> None:
        run_tool("testbed/private-dockerd.sh", verb, str(self._folder), *argv)

    def reach(self, url: str) -> str:
        self._tool("forward", str(urlsplit(url).port))
        return url

    def kill_engine(self) -> None:
        """It dies and stays away."""
        self._tool("crash")

    def start_engine(self) -> None:
        """It is there again."""
        self._tool("start")

    def restart_engine(self) -> None:
        self.kill_engine()
        self.start_engine()

    def reboot(self) -> None:
        self._tool("kill")
        self._tool("start")

    def fill(self) -> None:
        self._tool("fill")

    def free(self) -> None:
        self._tool("free")

    def clean(self, namespace: str, name: str | None = None) -> None:
        """Nothing: it all goes with the engine."""

    def close(self) -> None:
        """Stop it and give its room back."""
        self._tool("kill")  # nobody waits for its containers
        self._tool("stop")
        subprocess.run(("setsid", "--fork", "rm", "-rf", str(self._folder)), check=True)  # nor for its files


class PrivatePodman(EnginePlace):
    """A service of Podman's of its own, on the storage of the one that runs: it may be killed, the machine may not."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._socket = folder / "podman.sock"
        self._log = folder / "log"
        self._service: subprocess.Popen[bytes] | None = None
        super().__init__("podman", f"unix://{self._socket}")
        self._start()

    def _start(self) -> None:
        self._socket.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            argv = ("podman", "system", "service", "--time=0", self.address)
            self._service = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while self._cli("version", stdin="", check=False, timeout_s=30)[0] != 0:
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.2)

    def restart_engine(self) -> None:
        self.close()
        self._start()

    def reboot(self) -> None:
        pytest.skip(NO_MACHINE)

    fill = free = reboot

    def close(self) -> None:
        """End the service; what it ran goes on."""
        if self._service is not None:
            self._service.kill()
            self._service.wait()


@contextmanager
def open_private_docker(folder: Path, disk: str) -> Iterator[PrivateDocker]:
    """A dockerd of the test's own, gone in the end with all it has."""
    engine = PrivateDocker(folder, disk=disk)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def open_private_podman(folder: Path, disk: str) -> Iterator[PrivatePodman]:
    """A service of Podman's; a test that needs a disk or a machine of its own skips."""
    del disk
    engine = PrivatePodman(folder)
    try:
        yield engine
    finally:
        engine.close()
        shutil.rmtree(folder)


def run_tool(script: str, *argv: str, env: Mapping[str, str] | None = None) -> str:
    """A script of the test ground; its standard output."""
    # A daemon that it starts keeps standard error open: a file does not wait for it, a pipe would.
    log = Path(os.environ.get("TMPDIR", "/tmp")) / f"mooring-conformance-{os.getpid()}.log"
    with log.open("w+") as errors:
        done = subprocess.run(
            (str(ROOT / script), *argv), stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True,
            timeout=900, check=False, env={**os.environ, **(env or {})},
        )  # fmt: skip
        errors.seek(0)
        assert done.returncode == 0, f"{script} {' '.join(argv)}: {done.stdout}{errors.read()[-3000:]}"
    log.unlink()
    return done.stdout


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def machine_address() -> str:
    """An address of this machine that is not its loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def make_target(name: str, address: str, *, secrets: SecretReader, clock: Clock, installation: str) -> Target:
    """The target of a place."""
    # Docker's and Podman's are one. Neither sees the other's networks that nothing runs on: they take them from two pools.
    options = DockerOptions(network_pool={"docker": "10.213.0.0/16", "podman": "10.214.0.0/16"}[name])
    return DockerTarget(
        find_engine(host=address), secrets=secrets, clock=clock, installation=installation, options=options
    )


def open_docker() -> EnginePlace | str:
    """Docker with its images, or why it cannot be had."""
    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    run_tool("testbed/images.sh", *IMAGES, env={"DOCKER_HOST": address, "MOORING_CLI": "docker"})
    return EnginePlace("docker", address)


def open_podman() -> EnginePlace | str:
    """Podman with its images, or why it cannot be had."""
    address = os.environ.get("MOORING_PODMAN_HOST")
    if not address:
        return "MOORING_PODMAN_HOST names no engine (testbed/with.sh podman -- … does)"
    run_tool("testbed/engines.sh", "podman-images", *IMAGES)
    return EnginePlace("podman", address)


PLACES = {"docker": open_docker, "podman": open_podman}
PRIVATE: Mapping[str, Callable[[Path, str], contextlib.AbstractContextManager[Private]]] = {
    "docker": open_private_docker,
    "podman": open_private_podman,
}
