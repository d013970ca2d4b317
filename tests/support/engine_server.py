# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL in a container for tests of the engine, and tasks run as the targets run them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from mooring.domain.work.codec import Document
from mooring.domain.work.common import Connection
from mooring.engine.main import run

_START = """
initdb=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)/initdb
printf admin-secret > /tmp/pw
"$initdb" -D /tmp/data -U admin --pwfile=/tmp/pw --auth-local=trust --auth-host=scram-sha-256 >/dev/null
echo 'host all all all scram-sha-256' >> /tmp/data/pg_hba.conf
exec "$(dirname "$initdb")/postgres" -D /tmp/data -k /tmp -c 'listen_addresses=*' -c fsync=off
"""
COMMAND = (sys.executable, "-c", "from mooring.cli.commands.task import task; task()")


@dataclass(frozen=True)
class Server:
    """A running server: `address` is reached from other containers, port `port` of the loopback address from here."""

    container: str
    port: int
    address: str
    folder: Path

    def secret(self, value: str) -> str:
        """Path of a 0600 file that holds the value."""
        path = self.folder / uuid.uuid4().hex
        path.touch(0o600)
        path.write_text(value + "\n")
        return str(path)

    def connection(self, user: str = "admin", password: str = "admin-secret", **changes: Any) -> Connection:
        """How to reach the server as this role."""
        given: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "sslmode": "disable", **changes}
        return Connection(user=user, password_file=self.secret(password), **given)

    def query(
        self, text: Any, parameters: Any = None, *, database: str = "postgres", user: str = "admin", password: str = ""
    ) -> list[Any]:
        """Rows of a statement, past everything that is tested; with `admin` by default."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=password or "admin-secret",
            dbname=database,
            autocommit=True,
        ) as link:
            found = link.execute(text, parameters)
            return found.fetchall() if found.description else []

    def mark(self, database: str) -> dict[str, Any]:
        """Our comment on the database."""
        rows = self.query(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (database,)
        )
        return json.loads(rows[0][0]) if rows and rows[0][0] else {}

    def databases(self) -> set[str]:
        """Names of all databases but the server's own."""
        rows = self.query("SELECT datname FROM pg_database WHERE datname !~ '^(postgres|template.)$'")
        return {row[0] for row in rows}

    def fill(self, database: str, *, rows: int = 10, word: str = "one") -> None:
        """A table `thing` with content."""
        query = sql.SQL(
            "CREATE TABLE IF NOT EXISTS thing (word text); INSERT INTO thing SELECT {} FROM generate_series(1, {})"
        )
        self.query(query.format(sql.Literal(word), sql.Literal(rows)), database=database)

    def words(self, database: str) -> set[str]:
        """What is in that table."""
        return {row[0] for row in self.query("SELECT DISTINCT word FROM thing", database=database)}


@contextmanager
def postgres(folder: Path, image: str = "postgres:17") -> Iterator[Server]:
    """Start a server, wait until it answers, remove it in the end."""
    container = subprocess.run(
        ("docker", "run", "-d", "--rm", "--user", "postgres", "-p", "127.0.0.1::5432", image, "sh", "-ec", _START),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    try:
        told = subprocess.run(("docker", "inspect", container), check=True, capture_output=True, text=True).stdout
        network = json.loads(told)[0]["NetworkSettings"]
        port = int(network["Ports"]["5432/tcp"][0]["HostPort"])
        server = Server(container, port, network["IPAddress"], folder)
        until = time.monotonic() + 60
        while True:
            try:
                server.query("SELECT 1")
                break
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield server
    finally:
        subprocess.run(("docker", "rm", "-f", container), check=False, capture_output=True)


@dataclass(frozen=True)
class Outcome:
    """What a task said in the end."""

    code: int
    result: dict[str, Any]
    error: dict[str, str]
    lines: tuple[dict[str, Any], ...]
    text: str


def run_task(document: Document) -> Outcome:
    """Run a task in this process."""
    lines: list[str] = []
    code = run(document.TASK, lambda: json.dumps(document.to_json()), write=lines.append)
    return outcome(code, "".join(lines))


def done(document: Document) -> dict[str, Any]:
    """The result of a task that has to succeed."""
    said = run_task(document)
    assert said.code == 0, said.text
    return said.result


def refused(document: Document, code: str) -> dict[str, str]:
    """The error of a task that has to fail with this code."""
    said = run_task(document)
    assert said.code == 1
    assert said.error["code"] == code, said.text
    return said.error


def start_task(document: Document, folder: Path) -> subprocess.Popen[str]:
    """Start a task as a process of its own, as targets do."""
    path = folder / f"{uuid.uuid4().hex}.json"
    path.write_text(json.dumps(document.to_json()))
    argv = (*COMMAND, document.TASK, "--document", str(path))
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def outcome(code: int, text: str) -> Outcome:
    """Sort what a task printed."""
    lines = tuple(json.loads(line) for line in text.splitlines() if line.startswith("{"))
    results = [line["result"] for line in lines if line["type"] == "result"]
    faults = [line["error"] for line in lines if line["type"] == "error"]
    return Outcome(code, results[-1] if results else {}, faults[-1] if faults else {}, lines, text)
