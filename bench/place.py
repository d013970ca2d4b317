# SPDX-License-Identifier: Apache-2.0
"""A place to measure in: a state directory and names of its own in the engine, all of it removed in the end."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import docker.errors

from bench.commands import MOORING, Run, RunFailed, run

INSTALLATION = "dev.mooring.installation"
# No proxy: the address is this machine's own.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Place:
    """One state directory and what was made from it.

    Attributes:
        namespace: of everything in it; no other run has it.
        host: where the engine answers, None for the usual place.
        images: that were built for it.
    """

    folder: Path
    namespace: str
    engine: Any
    host: str | None = None
    images: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """The state directory."""
        return self.folder / "state"

    @property
    def installation(self) -> str:
        """The id that stands on everything in the engine that was made from here."""
        return (self.home / "installation").read_text(encoding="ascii").strip()

    def mooring(self, *arguments: str, host: str | None = None) -> Run:
        """Run the real program here.

        Raises:
            RunFailed: it failed.
        """
        return run([MOORING, *arguments], env=self.environment(host))

    def environment(self, host: str | None = None) -> dict[str, str]:
        """What the program needs to know of this place."""
        where = host or self.host
        return {"MOORING_HOME": str(self.home), **({"DOCKER_HOST": where} if where else {})}

    def manifest(self, name: str, **spec: Any) -> str:
        """Write a manifest; its path. JSON is YAML."""
        value = {
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "OdooInstance",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {**SPEC, **spec},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(value), encoding="utf-8")
        return str(path)

    def operation(self, name: str, kind: str) -> dict[str, Any]:
        """The last operation of a type of an instance, with its steps, as the program shows it.

        Raises:
            RunFailed: there is none.
        """
        listed = json.loads(self.mooring("-n", self.namespace, "operations", "list", name, "-o", "json").out)
        rows = listed["items"] if isinstance(listed, dict) else listed
        found = [one["name"] for one in rows if one["type"] == kind]
        if not found:
            raise RunFailed(f"{name} has had no {kind}")
        shown = self.mooring("-n", self.namespace, "operations", "show", found[-1], "-o", "json").out
        return dict(json.loads(shown))

    def containers(self) -> dict[str, tuple[str, str, int]]:
        """Name → id, time of its start, number of restarts, of every container made from here."""
        found = self.engine.containers(all=True, filters={"label": [f"{INSTALLATION}={self.installation}"]})
        inspected = [self.engine.inspect_container(one["Id"]) for one in found]
        return {one["Name"]: (one["Id"], one["State"]["StartedAt"], one["RestartCount"]) for one in inspected}

    def clear(self) -> None:
        """Remove everything that was made from here."""
        if not (self.home / "installation").exists():
            return
        mine = {"label": [f"{INSTALLATION}={self.installation}"]}
        for one in self.engine.containers(all=True, filters=mine):
            _gone(lambda one=one: self.engine.remove_container(one["Id"], v=True, force=True))
        for one in self.engine.networks(filters=mine):
            _gone(lambda one=one: self.engine.remove_network(one["Id"]))
        for one in self.engine.volumes(filters=mine).get("Volumes") or []:
            _gone(lambda one=one: self.engine.remove_volume(one["Name"]))
        for image in self.images:
            _gone(lambda image=image: self.engine.remove_image(image))


# What both ways start: threaded, so that one process answers, and with limits.
SPEC: Mapping[str, Any] = {
    "image": "odoo:14.0",
    "workers": 0,
    "resources": {"cpu": "2", "memory": "1Gi"},
    "database": {"managed": {"version": 17}},
}


@contextmanager
def new_place(engine: Any, *, host: str | None = None) -> Iterator[Place]:
    """A place of its own, removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="mooring-bench-") as folder:
        place = Place(Path(folder), f"bench-{secrets.token_hex(3)}", engine, host)
        try:
            yield place
        finally:
            place.clear()


def check_login(url: str) -> None:
    """Odoo's login page, as people ask for it.

    Raises:
        RunFailed: it is not there.
    """
    with OPENER.open(f"{url}/web/login", timeout=30) as answer:
        if answer.status != 200 or b"login" not in answer.read():
            raise RunFailed(f"the login page answers {answer.status}")


def engine_client() -> Any:
    """The engine that Mooring finds, too: DOCKER_HOST, else the usual socket. The library has types for a part only."""
    return docker.APIClient(base_url=os.environ.get("DOCKER_HOST"), version="auto", timeout=120)


def seconds_between(begin: str, end: str) -> float:
    """Between two times of a journal."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def pause(seconds: float) -> None:
    """Let what was removed come to rest before the next run."""
    time.sleep(seconds)


def _gone(remove: Any) -> None:
    try:
        remove()
    except docker.errors.NotFound:
        return
