# SPDX-License-Identifier: Apache-2.0
"""A real image registry on a free port of the loopback address that asks for a login: Debian's `docker-registry`.

Docker speaks plain HTTP to loopback addresses, so no certificate is needed. `testbed/tools.sh registry` has the program.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker

from mooring.drivers.docker.archive import Entry, render_archive
from tests.conformance.places import run_tool
from tests.support.s3_servers import free_port

USER = "team"
PASSWORD = "mooring-test-pass:word"
# bcrypt, the only kind that the registry reads.
_HASH = "$2b$04$b4tbSHGwjbFb9rJArzToEurmNVPoZ0LFu5XmIhBiMzd457cuFFIO2"
_START_S = 30.0


@dataclass
class Registry:
    """A registry that runs until `stop`."""

    port: int
    process: subprocess.Popen[bytes]
    images: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Its name in images' names."""
        return f"127.0.0.1:{self.port}"

    def docker_config(self, *, password: str = PASSWORD, host: str | None = None) -> str:
        """What a pull secret holds under `.dockerconfigjson`."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        return json.dumps({"auths": {host or self.host: {"auth": auth}}})

    def push(self, base: str, client: docker.APIClient) -> str:
        """A new private image: `base` with a file of its own; its name. It is on the engine and in the registry."""
        name, mark = f"{self.host}/mooring/test-{uuid.uuid4().hex[:8]}:1", uuid.uuid4().hex
        recipe = f"FROM {base}\nCOPY mark /mark\n"
        files = {"Dockerfile": recipe.encode(), "mark": mark.encode()}
        context = render_archive([Entry(path, data, 0, 0, 0o644) for path, data in files.items()])
        for line in client.build(fileobj=io.BytesIO(context), custom_context=True, tag=name, rm=True, decode=True):
            assert "error" not in line, line
        self.images.append(name)
        login = {"username": USER, "password": PASSWORD}
        for line in client.push(name, auth_config=login, stream=True, decode=True):
            assert "error" not in line, line
        return name

    def stop(self) -> None:
        """Nobody answers any more."""
        self.process.terminate()
        self.process.wait(timeout=20)


@contextlib.contextmanager
def private_registry(root: Path) -> Iterator[Registry]:
    """A registry with its data below `root`; nothing is read or written there without the login."""
    program = run_tool("testbed/tools.sh", "registry").strip()
    port = free_port()
    users = root / "users"
    users.write_text(f"{USER}:{_HASH}\n")
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(root / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"htpasswd": {"realm": "test", "path": str(users)}},
    }
    # JSON is YAML, too.
    (root / "config.yml").write_text(json.dumps(config))
    with (root / "registry.log").open("wb") as log:
        argv = [program, "serve", str(root / "config.yml")]
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={"PATH": "/usr/bin:/bin"})
        made = Registry(port, process)
        try:
            _wait(made, root / "registry.log")
            yield made
        finally:
            made.stop()


def _wait(registry: Registry, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while registry.process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://{registry.host}/v2/", timeout=2)
        except urllib.error.HTTPError as answer:
            if answer.code == 401:
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the registry does not ask for a login: {log.read_text(errors='replace')[-2000:]}")
