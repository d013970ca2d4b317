# SPDX-License-Identifier: Apache-2.0
"""The bare work, by hand: the same containers as Mooring's, and `odoo -i base`, with nothing around it.

    python -m bench.bare up NAME      # prints {"url": ..., "steps": {...}} as soon as the login page comes
    python -m bench.bare down NAME

It knows what Mooring has to find out (users, paths, what is there already), keeps no record, checks nothing, sets no
password and could not be resumed. PostgreSQL and Odoo do the same work with the same settings: its start script, its
configuration and Odoo's arguments come from `mooring.domain`.
"""

from __future__ import annotations

import io
import json
import secrets
import sys
import tarfile
import time
from collections.abc import Mapping
from typing import Any

from bench.place import SPEC, check_login, engine_client
from mooring.domain.odoo.argv import argv_init, argv_serve
from mooring.domain.odoo.facts import facts_for
from mooring.domain.postgres.bootstrap import argv_postgres, server_user
from mooring.domain.postgres.conf import render_hba, render_postgresql_conf

POLL_S = 0.1
PATIENCE_S = 300.0
POSTGRES, ODOO, CADDY = "postgres:17", str(SPEC["image"]), "caddy:2"
VOLUME = "/var/lib/postgresql/data"
FILESTORE = "/var/lib/odoo"
CONF = "/etc/mooring"
PROGRAM = "/usr/bin/odoo"
ADDONS = "/usr/lib/python3/dist-packages/odoo/addons"
FACTS = facts_for("14.0")
LABEL = "dev.mooring.bench"


class Hand:
    """The containers of one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine = engine_client()
        self.password = secrets.token_urlsafe(32)

    def up(self) -> str:
        """Bring everything up; the address."""
        self.engine.create_network(self.name, driver="bridge", labels={LABEL: self.name})
        for role in ("database", "filestore"):
            self.engine.create_volume(f"{self.name}-{role}", labels={LABEL: self.name})
        say("objects")
        self.database()
        self.initialize()
        self.serve("web", argv_serve(FACTS, role="web", program=PROGRAM, config=f"{CONF}/odoo.conf"))
        self.serve("cron", argv_serve(FACTS, role="cron", program=PROGRAM, config=f"{CONF}/odoo.conf"))
        url = self.gateway()
        say("containers")
        wait(lambda: answers(url))
        say("login page")
        return url

    def database(self) -> None:
        """The server, and role and database in it."""
        argv = argv_postgres(
            root=VOLUME,
            major=17,
            password_file=f"{CONF}/password",
            config_file=f"{CONF}/postgresql.conf",
            hba_file=f"{CONF}/pg_hba.conf",
        )
        box = self.create("database", POSTGRES, argv, memory=1 << 30, volume=("database", VOLUME), shm=256 << 20)
        passwd = self.read(box, "/etc/passwd")
        user = server_user(passwd)
        admin = secrets.token_urlsafe(32)
        sql = (
            f"CREATE ROLE odoo LOGIN PASSWORD '{self.password}';\n"
            "CREATE DATABASE odoo OWNER odoo TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8';\n"
            "REVOKE CONNECT ON DATABASE odoo FROM PUBLIC;\n\\connect odoo\n"
            "CREATE EXTENSION unaccent; CREATE EXTENSION pg_trgm;\n"
        )
        conf = render_postgresql_conf(memory_bytes=1 << 30, major=17, max_connections=200, parameters={})
        files = {
            "password": f"{admin}\n",
            "pgpass": f"127.0.0.1:5432:*:mooring:{admin}\n",
            "postgresql.conf": conf,
            "pg_hba.conf": render_hba(),
            "role.sql": sql,
        }
        self.write(box, {f"{CONF}/{path}": text for path, text in files.items()}, user, folder=VOLUME)
        self.engine.start(box)
        psql = ["env", f"PGPASSFILE={CONF}/pgpass", "psql", "-qAtX", "-w", "-h127.0.0.1", "-Umooring", "-dpostgres"]
        wait(lambda: self.execute(box, [*psql, "-cSELECT 1"]) == 0)
        say("server")
        if self.execute(box, [*psql, "-vON_ERROR_STOP=1", f"-f{CONF}/role.sql"]) != 0:
            raise RuntimeError("the role and the database could not be made")
        say("database")

    def initialize(self) -> None:
        """`odoo -i base`."""
        argv = argv_init(FACTS, database="odoo", modules=("base",), config=f"{CONF}/odoo.conf", program=PROGRAM)
        box = self.odoo("init", argv, memory=2 << 30)
        self.engine.start(box)
        code = self.engine.wait(box)["StatusCode"]
        if code != 0:
            raise RuntimeError(f"odoo -i base ended with {code}")
        self.engine.remove_container(box, v=True)
        say("odoo -i base")

    def serve(self, role: str, argv: tuple[str, ...]) -> None:
        """A container that stays."""
        self.engine.start(self.odoo(role, argv, memory=1 << 30, cores=2))

    def odoo(self, role: str, argv: tuple[str, ...], *, memory: int, cores: int = 0) -> str:
        """A container with Odoo, not started."""
        box = self.create(role, ODOO, argv, memory=memory, cores=cores, volume=("filestore", FILESTORE))
        line = next(one for one in self.read(box, "/etc/passwd").splitlines() if one.startswith("odoo:"))
        user = (int(line.split(":")[2]), int(line.split(":")[3]))
        conf = {
            "addons_path": ADDONS,
            "data_dir": FILESTORE,
            "db_host": f"{self.name}-database",
            "db_user": "odoo",
            "db_password": self.password,
            "db_name": "odoo",
            "list_db": "False",
            "proxy_mode": "True",
            "without_demo": "all",
            "workers": "0",
            "server_wide_modules": "base,web",
        }
        text = "[options]\n" + "".join(f"{key} = {value}\n" for key, value in conf.items())
        self.write(box, {f"{CONF}/odoo.conf": text}, user, folder=FILESTORE)
        return box

    def gateway(self) -> str:
        """Caddy, on a free port of the loopback address."""
        argv = ("caddy", "run", "--config", f"{CONF}/Caddyfile", "--adapter", "caddyfile")
        box = self.create("gateway", CADDY, argv, memory=256 << 20, port=8080)
        text = (
            "{\n\tadmin off\n\tauto_https off\n}\n:8080 {\n"
            f"\treverse_proxy {self.name}-web:8069 {{\n\t\tlb_try_duration 5s\n\t}}\n}}\n"
        )
        self.write(box, {f"{CONF}/Caddyfile": text}, (0, 0))
        self.engine.start(box)
        ports = self.engine.inspect_container(box)["NetworkSettings"]["Ports"]
        return f"http://127.0.0.1:{ports['8080/tcp'][0]['HostPort']}"

    def create(
        self,
        role: str,
        image: str,
        argv: tuple[str, ...],
        *,
        memory: int,
        cores: int = 0,
        volume: tuple[str, str] | None = None,
        shm: int = 0,
        port: int = 0,
    ) -> str:
        """A container, not started: its id. Limited and unprivileged as Mooring's."""
        name = f"{self.name}-{role}"
        host: dict[str, Any] = {
            "NetworkMode": self.name,
            "Memory": memory,
            "MemorySwap": memory,
            "CapDrop": ["ALL"],
            "CapAdd": ["NET_BIND_SERVICE"] if port else [],
            "SecurityOpt": ["no-new-privileges"],
            "Init": True,
            "NanoCpus": cores * 1_000_000_000,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
            "PortBindings": {f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]} if port else {},
            "Binds": [f"{self.name}-{volume[0]}:{volume[1]}:rw,nocopy"] if volume else [],
        }
        if shm:
            host["ShmSize"] = shm
        config = {
            "Image": image,
            "Entrypoint": [argv[0]],
            "Cmd": list(argv[1:]),
            "User": {POSTGRES: "postgres", ODOO: "odoo", CADDY: "65532:65532"}[image],
            "Env": [f"HOME={FILESTORE if image == ODOO else '/tmp'}", f"PGDATA={VOLUME}/data", "XDG_DATA_HOME=/tmp"],
            "Labels": {LABEL: self.name},
            "Healthcheck": {"Test": ["NONE"]},
            "ExposedPorts": {f"{port}/tcp": {}} if port else {},
            "HostConfig": host,
            "NetworkingConfig": {"EndpointsConfig": {self.name: {"Aliases": [name]}}},
        }
        return str(self.engine.create_container_from_config(config, name)["Id"])

    def write(self, box: str, files: Mapping[str, str], user: tuple[int, int], *, folder: str = "") -> None:
        """Put files into a container, and give the root of its volume to its user."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path, text in files.items():
                data = text.encode()
                entry = tarfile.TarInfo(path.strip("/"))
                entry.size, entry.uid, entry.gid, entry.mode = len(data), *user, 0o644
                if user != (0, 0):
                    entry.mode = 0o600
                archive.addfile(entry, io.BytesIO(data))
            if folder:
                entry = tarfile.TarInfo(folder.strip("/"))
                entry.type, entry.uid, entry.gid, entry.mode = tarfile.DIRTYPE, *user, 0o700
                archive.addfile(entry)
        self.engine.put_archive(box, "/", packed.getvalue())

    def read(self, box: str, path: str) -> str:
        """A file of a container."""
        chunks, _ = self.engine.get_archive(box, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            stream = archive.extractfile(archive.next() or tarfile.TarInfo())
            return stream.read().decode() if stream is not None else ""

    def execute(self, box: str, argv: list[str]) -> int:
        """Run a command in a container; its exit code."""
        made = self.engine.exec_create(box, argv)["Id"]
        self.engine.exec_start(made)
        return int(self.engine.exec_inspect(made)["ExitCode"] or 0)

    def down(self) -> None:
        """Remove everything of this name."""
        mine = {"label": [f"{LABEL}={self.name}"]}
        for one in self.engine.containers(all=True, filters=mine):
            self.engine.remove_container(one["Id"], v=True, force=True)
        for one in self.engine.networks(filters=mine):
            self.engine.remove_network(one["Id"])
        for one in self.engine.volumes(filters=mine).get("Volumes") or []:
            self.engine.remove_volume(one["Name"])


STARTED = time.monotonic()
STEPS: dict[str, float] = {}


def say(step: str) -> None:
    """Note when a step was done, in seconds since the start."""
    STEPS[step] = round(time.monotonic() - STARTED, 2)


def wait(done: Any) -> None:
    """Ask until it is so.

    Raises:
        TimeoutError: it did not become so.
    """
    until = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(POLL_S)


def answers(url: str) -> bool:
    """Whether the login page comes."""
    try:
        check_login(url)
    except OSError:
        return False
    return True


def main() -> None:
    """The program."""
    verb, name = sys.argv[1:]
    hand = Hand(name)
    if verb == "up":
        print(json.dumps({"url": hand.up(), "steps": STEPS}))
    else:
        hand.down()


if __name__ == "__main__":
    main()
