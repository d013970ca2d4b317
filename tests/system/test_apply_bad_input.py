# SPDX-License-Identifier: Apache-2.0
"""The program as a person runs it, on a real engine, when something is wrong: what it says, how it ends, what is left.

Nothing here leaves more than the instance's own record behind, and each time a corrected manifest, or the same command
again, ends as it was wanted.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mooring.domain.model.identity import Ref
from tests.conformance.places import (
    PLACES,
    START_POSTGRES,
    EnginePlace,
    PrivateDocker,
    free_port,
    machine_address,
    open_private_docker,
    run_tool,
)
from tests.conformance.world import BASE, DIES, NEXT

pytestmark = pytest.mark.real
APPLY_S = 420
FAILED, USAGE, INTERRUPTED = 1, 2, 130
NO_ODOO = "mooring-noodoo:1"


@dataclass(frozen=True)
class Person:
    """Somebody with a namespace and a state directory of their own."""

    place: EnginePlace
    folder: Path
    namespace: str

    def environ(self) -> dict[str, str]:
        """With programs of this checkout."""
        return {**os.environ, "DOCKER_HOST": self.place.address, "MOORING_HOME": str(self.folder / "state")}

    def argv(self, *words: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "mooring.cli.main", "-n", self.namespace, *words]

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """To its end."""
        return subprocess.run(
            self.argv(*words),
            env=self.environ(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=APPLY_S,
            check=False,
        )

    def manifest(self, name: str, **spec: Any) -> Path:
        """A file with one instance."""
        value = {"apiVersion": "mooring.dev/v1alpha1", "kind": "OdooInstance", "metadata": {"name": name}}
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**value, "spec": {"image": BASE, "init": {"modules": ["base"]}, **spec}}))
        return path

    def apply(self, name: str, **spec: Any) -> subprocess.CompletedProcess[str]:
        """`mooring apply`."""
        return self.run("apply", "-f", str(self.manifest(name, **spec)))

    def interrupt(self, name: str, when: Callable[[str], bool], **spec: Any) -> tuple[int, str, float]:
        """`mooring apply`, and Ctrl-C once `when` holds of what it said; code, words, and how long the end took."""
        return self.disturb(name, when, lambda process: process.send_signal(signal.SIGINT), **spec)

    def disturb(
        self, name: str, when: Callable[[str], bool], act: Callable[[subprocess.Popen[str]], object], **spec: Any
    ) -> tuple[int, str, float]:
        """`mooring apply`, and `act` once `when` holds of what it said; code, words, and how long the end took."""
        words = self.argv("apply", "-f", str(self.manifest(name, **spec)))
        process = subprocess.Popen(
            words, env=self.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        lines: list[str] = []
        listener = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
        listener.start()
        try:
            until = time.monotonic() + APPLY_S
            while not when("".join(lines)):
                assert process.poll() is None, "".join(lines)
                assert time.monotonic() < until, "the moment never came"
                time.sleep(0.05)
            begun = time.monotonic()
            act(process)
            code = process.wait(timeout=APPLY_S)
            seconds = time.monotonic() - begun
        finally:
            process.kill()
            process.wait()
            listener.join(10)
            process.stdout.close()
        return code, "".join(lines), seconds

    def secret(self, name: str, **values: str) -> None:
        """`mooring secret set`."""
        for key, value in values.items():
            done = self.run("secret", "set", name, key, stdin=value)
            assert done.returncode == 0, done.stderr

    def status(self, name: str) -> Mapping[str, Any]:
        """Of the record."""
        done = self.run("status", name, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: Mapping[str, Any] = json.loads(done.stdout)
        return found

    def ref(self, name: str) -> Ref:
        """An instance."""
        return Ref("OdooInstance", self.namespace, name)

    def busy(self, name: str) -> bool:
        """Whether a task of the instance runs."""
        return bool(self.place.tasks(self.ref(name)))


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    found = PLACES["docker"]()
    if isinstance(found, str):
        pytest.skip(f"docker: {found}")
    assert isinstance(found, EnginePlace)
    made = Person(found, tmp_path_factory.mktemp("person"), f"bad-{secrets.token_hex(3)}")
    try:
        yield made
    finally:
        found.clean(made.namespace)


# Ctrl-C


@pytest.mark.full
def test_apply_interrupted_while_odoo_installs_then_again_ends_running(person: Person) -> None:
    code, said, _ = person.interrupt("cut", lambda said: "install-modules started" in said and person.busy("cut"))
    assert code == INTERRUPTED
    assert "again to resume" in said
    assert "Traceback" not in said
    again = person.apply("cut")
    assert again.returncode == 0, again.stderr
    assert "Running" in again.stdout


def test_apply_interrupted_while_odoo_migrates_then_again_ends_upgraded(person: Person) -> None:
    assert person.apply("cut").returncode == 0
    # Of what this instance has installed no file differs in that release.
    everything = {"image": NEXT, "autoUpgrade": {"modules": "all"}}
    code, said, _ = person.interrupt("cut", lambda said: "migrate started" in said and person.busy("cut"), **everything)
    assert code == INTERRUPTED
    assert "Traceback" not in said
    again = person.apply("cut", **everything)
    assert again.returncode == 0, again.stderr
    assert "Running" in again.stdout
    names = person.run("operations", "list", "cut", "-o", "json").stdout
    assert names.count('"Upgrade"') == 1


def test_apply_interrupted_while_it_pulls_ends_at_once(person: Person) -> None:
    asked = threading.Event()
    with silent_registry(asked) as address:
        image = f"{address}/odoo:1"
        code, said, seconds = person.interrupt("pulled", lambda _: asked.is_set(), image=image)
    assert code == INTERRUPTED, said
    assert seconds < 15


@contextlib.contextmanager
def silent_registry(asked: threading.Event) -> Iterator[str]:
    """A registry that takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept()[0])
                    asked.set()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for one in kept:
                one.close()


# What dies at its start


def test_apply_of_a_release_that_dies_at_its_start_shows_the_end_of_its_log(person: Person) -> None:
    begun = time.monotonic()
    done = person.apply("dies", image=DIES)
    seconds = time.monotonic() - begun
    assert done.returncode == 1, done.stdout
    assert "this release cannot serve" in done.stderr
    assert "→" in done.stderr
    assert seconds < 300, f"it took {seconds:.0f} s"


def test_apply_of_an_image_that_is_no_odoo_says_so_and_leaves_nothing_running(person: Person) -> None:
    run_tool("testbed/images.sh", NO_ODOO, env={"DOCKER_HOST": person.place.address, "MOORING_CLI": "docker"})
    done = person.apply("noodoo", image=NO_ODOO)
    assert done.returncode == USAGE, done.stdout + done.stderr
    assert "MOOR-440" in done.stderr
    assert "This is no release of Odoo" in done.stderr
    assert "→" in done.stderr
    assert person.place.processes(person.ref("noodoo")) == []
    assert not person.busy("noodoo")


@pytest.mark.full
def test_apply_with_a_database_server_that_dies_at_its_start_shows_the_end_of_its_log(person: Person) -> None:
    begun = time.monotonic()
    server = {"version": 17, "parameters": {"shared_preload_libraries": "nowhere"}}
    done = person.apply("own", database={"managed": server})
    seconds = time.monotonic() - begun
    assert done.returncode == 1, done.stdout
    assert "nowhere" in done.stderr
    assert "MOOR-" in done.stderr
    assert seconds < 300, f"it took {seconds:.0f} s"
    mended = person.apply("own", database={"managed": {"version": 17}})
    assert mended.returncode == 0, mended.stderr


# An engine that goes away


@pytest.fixture
def breaking(tmp_path: Path) -> Iterator[tuple[Person, PrivateDocker]]:
    """Somebody with an engine that the test may end."""
    # Short: the path of a socket has a limit.
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"mooring-private-{secrets.token_hex(3)}"
    with open_private_docker(folder, "") as engine:
        yield Person(engine, tmp_path, f"bad-{secrets.token_hex(3)}"), engine


@pytest.mark.full
def test_apply_while_the_engine_goes_away_says_so_and_again_ends_running(
    breaking: tuple[Person, PrivateDocker],
) -> None:
    person, engine = breaking
    port = {"service": {"port": free_port()}}  # in a network of its own: free there and here
    code, said, _ = person.disturb(
        "gone",
        lambda said: "install-modules started" in said and person.busy("gone"),
        lambda _: engine.kill_engine(),
        **port,
    )
    assert code == FAILED, said
    assert "MOOR-301" in said
    assert "the engine does not answer" in said
    assert "→" in said
    assert "Traceback" not in said
    away = person.apply("gone", **port)
    assert away.returncode == FAILED, away.stdout
    assert "MOOR-301" in away.stderr
    engine.start_engine()
    again = person.apply("gone", **port)
    assert again.returncode == 0, again.stderr
    assert "Running" in again.stdout
    assert len(engine.processes(person.ref("gone"))) == 2


# Database servers that others run


@dataclass(frozen=True)
class Outside:
    """A PostgreSQL of the test's own."""

    place: EnginePlace
    host: str
    port: int
    password: str
    container: str

    def sql(self, text: str, database: str = "postgres") -> list[str]:
        """Lines of a query as its superuser."""
        said = self.place.cli(
            "exec", "-i", self.container, "psql", "-h", "/tmp", "-p", str(self.port), "-U", "postgres", "-At",
            "-v", "ON_ERROR_STOP=1", "-d", database, stdin=text,
        )  # fmt: skip
        return said.splitlines()

    def databases(self) -> set[str]:
        """Names of all that are no templates."""
        return set(self.sql("SELECT datname FROM pg_database WHERE NOT datistemplate"))

    def spec(self, **changes: Any) -> dict[str, Any]:
        """`spec.database`, with an administrator."""
        external = {"host": self.host, "port": self.port, "secretRef": {"name": "owner"}}
        return {"external": {**external, "adminSecretRef": {"name": "admin"}, **changes}}


@pytest.fixture(scope="module")
def outside(person: Person) -> Iterator[Outside]:
    place, password, port = person.place, secrets.token_hex(8), free_port()
    container = place.cli(
        "run", "-d", "--network", "host", "--user", "postgres", "-e", f"PGPASSWORD={password}",
        "postgres:13", "sh", "-ec", START_POSTGRES, "sh", str(port),
    ).strip()  # fmt: skip
    made = Outside(place, machine_address(), port, password, container)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                made.sql("SELECT 1")
                break
            except AssertionError:
                assert time.monotonic() < until
                time.sleep(0.3)
        made.sql("CREATE ROLE narrow LOGIN PASSWORD 'narrow-password'; CREATE DATABASE narrow OWNER narrow;")
        person.secret("owner", user="remote", password="remote-password", dbname="remote")
        person.secret("admin", user="postgres", password=password)
        yield made
    finally:
        place.cli("rm", "-fv", container)


@pytest.fixture(scope="module")
def newest(person: Person) -> Iterator[str]:
    """An image that says that it is Odoo 20, which needs a newer PostgreSQL."""
    name = f"mooring-test-newest:{secrets.token_hex(3)}"
    release = "$(python3 -c 'import odoo.release; print(odoo.release.__file__)')"
    text = f'FROM {BASE}\nUSER root\nRUN sed -i \'s/^version_info = .*/version_info = (20, 0, 0, "final", 0, "")/\' {release}\n'
    person.place.cli("build", "-q", "-t", name, "-", stdin=text)
    yield name
    person.place.cli("rmi", "-f", name)


def refused(person: Person, outside: Outside, name: str, code: str, **spec: Any) -> str:
    """Apply, fail with this code in reasonable time, and find the server as it was; what was said."""
    before = outside.databases()
    done = person.apply(name, **spec)
    assert done.returncode == 1, done.stdout
    assert code in done.stderr, done.stderr
    assert "→" in done.stderr
    assert "password-of" not in done.stderr
    assert outside.databases() == before
    assert person.place.processes(person.ref(name)) == []
    return done.stderr


def test_apply_with_a_server_too_old_for_the_series_says_so_and_changes_nothing(
    person: Person, outside: Outside, newest: str
) -> None:
    said = refused(person, outside, "old", "MOOR-413", image=newest, database=outside.spec())
    assert "13" in said


def test_apply_with_a_wrong_password_says_so_and_a_right_one_works(person: Person, outside: Outside) -> None:
    person.secret("wrong", user="narrow", password="password-of-nobody", dbname="narrow")
    spec = outside.spec(secretRef={"name": "wrong"})
    del spec["external"]["adminSecretRef"]
    said = refused(person, outside, "wrong", "MOOR-411", database=spec)
    assert "narrow" in said
    person.secret("wrong", password="narrow-password")
    mended = person.apply("wrong", database=spec)
    assert mended.returncode == 0, mended.stderr


def test_apply_with_a_server_that_takes_no_writes_says_so(person: Person, outside: Outside) -> None:
    outside.sql("ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        refused(person, outside, "readonly", "MOOR-414", database=outside.spec())
    finally:
        outside.sql("SET default_transaction_read_only = off; ALTER ROLE postgres RESET default_transaction_read_only")


def test_apply_with_a_server_that_is_not_there_says_so(person: Person, outside: Outside) -> None:
    said = refused(person, outside, "away", "MOOR-410", database=outside.spec(port=free_port()))
    assert outside.host in said
