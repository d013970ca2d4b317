# SPDX-License-Identifier: Apache-2.0
"""Where both sides work: one PostgreSQL, one S3 server, and one container of the engine image that holds the programs."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors

from bench.commands import ROOT, Run, RunFailed

POSTGRES, ODOO = "postgres:17", "odoo:14.0"
ACCESS, SECRET = "MOORINGBENCHKEY", "mooring-bench-secret"
BUCKET = "backups"
WORK = "/bench"
LABEL = "dev.mooring.bench"
PATIENCE_S = 120.0


@dataclass
class Box:
    """The containers of one run.

    Attributes:
        folder: of this machine; `/bench` in the box.
        password: of every role; it guards data that is made up.
    """

    engine: Any
    name: str
    folder: Path
    image: str
    password: str

    def path(self, name: str) -> str:
        """Where a file of the folder is in the box."""
        return f"{WORK}/{name}"

    def write(self, name: str, text: str) -> str:
        """A file for the box, readable to its owner alone; its path there."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(text, encoding="utf-8")
        return self.path(name)

    def run(self, *argv: str, env: dict[str, str] | None = None) -> Run:
        """Run a program in the box, measured there.

        Raises:
            RunFailed: it ended with another exit code than 0.
        """
        said = json.loads(self._exec(f"{self.name}-box", ["python3", f"{WORK}/inside.py", *argv], env))
        if said["code"]:
            raise RunFailed(f"{argv[0]} ended with {said['code']}: {said['out'][-600:]}")
        return Run(said["wall"], said["cpu"], said["rss"], said["code"], said["out"], "")

    def shell(self, script: str, env: dict[str, str] | None = None) -> Run:
        """Run a script of the peers, that fails with its first failure."""
        return self.run("bash", "-euo", "pipefail", "-c", script, env=env)

    def clear(self, *prefixes: str) -> None:
        """Remove repositories from the bucket, by the server's own interface, and what was cached of them."""
        for prefix in prefixes:
            self.run("rclone", "purge", f"bench:{BUCKET}/{prefix}", env=rclone_env(self))
            self.shell(f"rm -rf {WORK}/{prefix}-cache")

    def query(self, statement: str, database: str = "postgres") -> str:
        """What psql prints of it, as the server's administrator.

        Raises:
            RunFailed: the server refused it.
        """
        argv = ["psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-U", "admin", "-h", "/tmp", "-d", database, "-c", statement]
        return self._exec(f"{self.name}-postgres", argv, None).strip()

    def _exec(self, container: str, argv: Sequence[str], env: dict[str, str] | None) -> str:
        made = self.engine.exec_create(container, list(argv), environment=env or {})
        out = self.engine.exec_start(made["Id"]).decode(errors="replace")
        if code := self.engine.exec_inspect(made["Id"])["ExitCode"]:
            raise RunFailed(f"{argv[0]} ended with {code}: {out[-600:]}")
        return str(out)

    def start(self, role: str, argv: Sequence[str], *, image: str = "", **more: Any) -> str:
        """Start a container on the network of this run; its name."""
        name = f"{self.name}-{role}"
        binds = more.pop("binds", [])
        self.engine.create_container(
            image or self.image,
            entrypoint=list(argv),
            name=name,
            labels={LABEL: self.name},
            host_config=self.engine.create_host_config(binds=binds, network_mode=self.name),
            **more,
        )
        self.engine.start(name)
        return name


@contextmanager
def new_box(engine: Any, folder: Path, *, image: str) -> Iterator[Box]:
    """Bring everything up, and remove it in the end.

    Raises:
        RunFailed: a program is missing.
    """
    box = Box(engine, f"bench-{secrets.token_hex(3)}", folder, image, secrets.token_hex(16))
    shutil.copy(Path(__file__).with_name("inside.py"), folder / "inside.py")
    restic, rclone = find_program("restic"), Path(sys.executable).with_name("rclone")
    box.write("password", box.password + "\n")
    engine.create_network(box.name, driver="bridge", labels={LABEL: box.name})
    try:
        box.start(
            "postgres", ["sh", "-ec", _POSTGRES], image=POSTGRES, user="postgres", environment={"PW": box.password}
        )
        data = folder / "s3"
        (data / BUCKET).mkdir(parents=True)
        box.start(
            "s3",
            ["/rclone", "serve", "s3", "--auth-key", f"{ACCESS},{SECRET}", "--addr", "0.0.0.0:9000", "/data"],
            user="0",
            binds=[f"{rclone}:/rclone:ro", f"{data}:/data"],
        )
        binds = [f"{folder}:{WORK}", f"{restic}:/usr/local/bin/restic:ro", f"{rclone}:/usr/local/bin/rclone:ro"]
        box.start("box", ["sleep", "infinity"], user="0", binds=binds)
        _wait(box)
        yield box
    finally:
        for one in engine.containers(all=True, filters={"label": f"{LABEL}={box.name}"}):
            engine.remove_container(one["Id"], v=True, force=True)
        engine.remove_network(box.name)


def find_program(name: str) -> str:
    """Path of a program that the test ground brings.

    Raises:
        RunFailed: it could not.
    """
    done = subprocess.run(
        (str(ROOT / "testbed" / "tools.sh"), name),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise RunFailed(f"testbed/tools.sh {name} ended with {done.returncode}")
    return done.stdout.strip()


def _wait(box: Box) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            box.query("SELECT 1")
            box.run("rclone", "lsf", f"bench:{BUCKET}", env=rclone_env(box))
        except (RunFailed, docker.errors.APIError):
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
        else:
            return


def rclone_env(box: Box) -> dict[str, str]:
    """How rclone is told of the S3 server."""
    known = {"TYPE": "s3", "PROVIDER": "Other", "ACCESS_KEY_ID": ACCESS, "SECRET_ACCESS_KEY": SECRET}
    known["ENDPOINT"] = endpoint(box)
    return {f"RCLONE_CONFIG_BENCH_{name}": value for name, value in known.items()}


def endpoint(box: Box) -> str:
    """Address of the S3 server, for the box."""
    return f"http://{box.name}-s3:9000"


# Both sides meet the same server; it need not survive a power cut.
_POSTGRES = """
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
printf %s "$PW" > /tmp/pw
"$bin/initdb" -D /tmp/data -U admin --pwfile=/tmp/pw --auth-local=trust --auth-host=scram-sha-256 -E UTF8 >/dev/null
echo 'host all all all scram-sha-256' >> /tmp/data/pg_hba.conf
exec "$bin/postgres" -D /tmp/data -k /tmp -c 'listen_addresses=*' -c fsync=off -c shared_buffers=512MB -c max_wal_size=4GB
"""
