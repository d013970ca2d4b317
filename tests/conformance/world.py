# SPDX-License-Identifier: Apache-2.0
"""What a person does with Mooring, on one place: manifests, operations, secrets, and a look at what came of them.

Everything goes through control, each call with services of its own, as one command after another would.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mooring.api.loader import load_documents
from mooring.control.accept import accept_manifests
from mooring.control.drive import drive
from mooring.control.events import Event
from mooring.control.operations import list_operations
from mooring.control.reconcile import Pass, reconcile
from mooring.control.requests import request_deletion
from mooring.control.services import Services
from mooring.domain.model.identity import Ref
from mooring.domain.model.observed import Observed
from mooring.domain.model.secret import SecretKey, SecretRef, SecretValue
from mooring.domain.odoo.argv import CONFIG_PATH
from mooring.domain.server.desired import PASS_FILE, server_secret
from mooring.drivers.documents import Document
from mooring.drivers.secret_files import SecretFiles
from mooring.drivers.state import StateDir
from tests.conformance.controller import DRIVE_S, open_services
from tests.conformance.odoo_client import Odoo
from tests.conformance.places import ROOT, Place, Process

T = TypeVar("T")
KILLED = -9
BASE, NEXT, BAD, DIES = (f"odoo:14.0-{word}" for word in ("base", "next", "bad", "dies"))
ADMIN_PASSWORD = "conformance-admin"
SERVER_CONNECTIONS = 400
SECRET = "conformance"
CONNECT = """
import sys, psycopg2
host, user, database, password = sys.argv[1:]
try:
    psycopg2.connect(host=host, user=user, dbname=database, password=password, connect_timeout=5).close()
    print("connected")
except psycopg2.OperationalError as error:
    print(error)
"""


@dataclass
class World:
    """One installation of Mooring on one place, with a namespace that nobody else has."""

    place: Place
    home: Path
    namespace: str
    events: list[Event] = field(default_factory=list)

    def run(self, work: Callable[[Services], Awaitable[T]]) -> T:
        """`work` with services of its own."""

        async def inside() -> T:
            async with open_services(self.place.name, self.place.address, self.home, self.events.append) as services:
                return await work(services)

        return asyncio.run(inside())

    @property
    def server(self) -> Ref:
        """The database server that instances of this world share."""
        return Ref("DatabaseServer", self.namespace, "default")

    def manifest(self, kind: str, name: str, spec: Mapping[str, Any]) -> str:
        """YAML of one document."""
        return yaml.safe_dump(
            {
                "apiVersion": "mooring.dev/v1alpha1",
                "kind": kind,
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": dict(spec),
            }
        )

    def accept(self, *manifests: str) -> None:
        """Check and write; nothing happens yet."""
        text = "---\n".join(manifests)
        self.run(lambda services: accept_manifests(services, load_documents(text.encode(), source="test")))

    def set_secret(self, name: str, **values: str) -> None:
        """`mooring secret set`."""
        store = SecretFiles(StateDir.open(self.home).secrets)

        async def write() -> None:
            for key, value in values.items():
                await store.set(SecretRef(self.namespace, name), key, SecretValue(value))

        asyncio.run(write())

    def read_secret(self, ref: SecretRef, key: str) -> str:
        """A value, as files hold it."""
        store = SecretFiles(StateDir.open(self.home).secrets)
        return asyncio.run(store.value(SecretKey(ref, key))).reveal()

    def server_sql(self, text: str, database: str = "postgres") -> list[str]:
        """Lines of a query on the managed server, past everything that is tested."""
        self.read_secret(server_secret(self.server), "password")
        argv = (
            "env", f"PGPASSFILE={PASS_FILE}", "psql", "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
            "-U", "mooring", "-d", database,
        )  # fmt: skip
        code, said = self.place.run(self.server, "database", argv, stdin=text)
        assert code == 0, said
        return said.splitlines()

    def instance(self, name: str, **spec: Any) -> Instance:
        """An instance that is not applied yet; on a server with room for all that the tests leave behind."""
        self.set_secret(SECRET, admin=ADMIN_PASSWORD)
        if self.run(lambda services: services.documents.get(self.server)) is None:
            parameters = {"max_connections": SERVER_CONNECTIONS}
            given = {"default": True, "managed": {"parameters": parameters}}
            self.accept(self.manifest("DatabaseServer", self.server.name, given))
        base = {
            "image": BASE,
            "init": {"modules": ["base", "mooring_demo"], "adminPasswordSecretRef": {"name": SECRET, "key": "admin"}},
        }
        return Instance(self, Ref("OdooInstance", self.namespace, name), {**base, **spec})

    def child(self, job: Mapping[str, Any], *, wait_s: float = DRIVE_S) -> subprocess.CompletedProcess[str]:
        """A controller as a process of its own, to its end."""
        process = self.start_child(job)
        try:
            said, _ = process.communicate(timeout=wait_s)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, said, "")

    def start_child(self, job: Mapping[str, Any]) -> subprocess.Popen[str]:
        """The same, going on."""
        value = {"place": self.place.name, "address": self.place.address, "home": str(self.home), **job}
        path = self.home.parent / f"job-{len(list(self.home.parent.glob('job-*')))}.json"
        path.write_text(json.dumps(value))
        argv = (sys.executable, "-m", "tests.conformance.controller", str(path))
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)


@dataclass(frozen=True)
class Instance:
    """One instance, and what a person wants of it."""

    world: World
    ref: Ref
    spec: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return self.ref.name

    def with_spec(self, **changes: Any) -> Instance:
        """The same with other fields."""
        return replace(self, spec={**self.spec, **changes})

    @property
    def manifest(self) -> str:
        """Its document."""
        return self.world.manifest("OdooInstance", self.name, self.spec)

    def accept(self) -> None:
        """Write its document."""
        self.world.accept(self.manifest)

    def apply(self, **changes: Any) -> Instance:
        """`mooring apply`, to the end.

        Raises:
            MooringError: it settled otherwise than wanted, or was refused.
        """
        changed = self.with_spec(**changes)
        changed.accept()
        changed.drive()
        return changed

    def drive(self, *, timeout_s: float = DRIVE_S) -> Pass:
        """Until it is settled."""
        return self.world.run(
            lambda services: drive(services, self.ref, command="conformance", timeout_s=timeout_s)
        )  # fmt: skip

    def one_pass(self) -> Pass:
        """What the agent does once."""
        return self.world.run(lambda services: reconcile(services, self.ref))

    def ask(self, kind: str, **spec: Any) -> None:
        """An operation, carried out: `Stop`, `Start`, `Restart`, `Rollback`; or a job's kind."""
        self.request(kind, **spec)
        self.drive()

    def request(self, kind: str, **spec: Any) -> None:
        """An operation, asked for."""
        name = f"{self.name}-asked-{len(self.operations()) + 1}"
        body = {"instanceRef": {"name": self.name}, **spec}
        if not kind.startswith("Odoo"):
            kind, body = "OdooOperation", {**body, "type": kind}
        self.world.accept(self.world.manifest(kind, name, body))

    def mark_deleted(self, *, purge: bool = False) -> None:
        """Ask for its deletion."""
        self.world.run(lambda services: request_deletion(services, self.ref, purge=purge))

    def delete(self, *, purge: bool = False) -> None:
        """`mooring delete`, to the end."""
        self.mark_deleted(purge=purge)
        assert self.drive().gone

    @property
    def document(self) -> Document | None:
        """Its record."""
        return self.world.run(lambda services: services.documents.get(self.ref))

    @property
    def status(self) -> Mapping[str, Any]:
        """What `mooring status` reads."""
        doc = self.document
        assert doc is not None, f"{self.ref} has no record"
        return doc.status

    @property
    def phase(self) -> str:
        """The word that users read."""
        return str(self.status.get("phase", ""))

    def operations(self, kind: str = "") -> list[tuple[str, str]]:
        """(type, phase) of its operations, oldest first."""
        found = self.world.run(lambda services: list_operations(services, self.ref))
        return [(one.type.value, one.phase) for one in found if kind in ("", one.type.value)]

    def failure(self, kind: str) -> Mapping[str, Any]:
        """The error of its last operation of this type."""
        found = self.world.run(lambda services: list_operations(services, self.ref))
        last = [one for one in found if one.type.value == kind][-1]
        return dict(last.doc.status.get("error") or {})

    def results(self, kind: str, step: str) -> list[Mapping[str, Any]]:
        """What this step of its operations of this type gave, oldest first."""
        found = self.world.run(lambda services: list_operations(services, self.ref))
        records = [record for one in found if one.type.value == kind for record in one.log]
        return [one.result for one in records if one.step == step and one.state == "done" and one.result]

    def observe(self) -> Observed:
        """What the target sees."""
        return self.world.run(lambda services: services.target.observe(self.ref, live=True))

    def processes(self, *roles: str) -> list[Process]:
        """Its live processes, as the place itself counts them."""
        return self.world.place.processes(self.ref, *roles)

    @property
    def odoo(self) -> Odoo:
        """Its administrator, at the address that it publishes."""
        status = self.status
        url = self.world.place.reach(str(status["url"]))
        return Odoo(url, str(status["database"]["name"]), ADMIN_PASSWORD)

    def conf(self, role: str) -> list[str]:
        """Lines of the configuration that a process was started with."""
        return self.inside(role, "cat", CONFIG_PATH).splitlines()

    def inside(self, role: str, *argv: str) -> str:
        """What a program beside the first process of a role says."""
        code, said = self.world.place.run(self.ref, role, argv)
        assert code == 0, said
        return said

    def connect(self, password: str, *, database: str = "") -> str:
        """What PostgreSQL says to a login from beside the web process with the instance's role."""
        host = next(line.partition("= ")[2] for line in self.conf("web") if line.startswith("db_host"))
        return self.inside("web", "python3", "-c", CONNECT, host, self.database, database or self.database, password)

    @property
    def database(self) -> str:
        """The name of its database, which is also its role's."""
        return f"{self.world.namespace}_{self.name}"

    def job(self, action: str = "drive", **more: Any) -> dict[str, Any]:
        """What a controller process is told to do for it."""
        return {"action": action, "ref": [self.ref.kind, self.ref.namespace, self.ref.name], **more}

    def killed(self, kind: str, at: int) -> str:
        """Drive it in a process that is killed at this point of the operation `kind`; what it said."""
        done = self.world.child(self.job(kill={"type": kind, "at": at}))
        assert done.returncode == KILLED, f"it was not killed at {at}, but ended: {done.stdout[-3000:]}"
        return done.stdout
