# SPDX-License-Identifier: Apache-2.0
"""The start script on a real PostgreSQL, without the image's entry point, as an unprivileged user without capabilities."""

from __future__ import annotations

import io
import secrets
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import pytest

from mooring.domain.postgres.bootstrap import (
    EXIT_NO_PASSWORD,
    EXIT_WRONG_MAJOR,
    PASS_FILE,
    STOP_SIGNAL,
    argv_postgres,
    server_user,
)
from mooring.domain.postgres.conf import render_hba, render_postgresql_conf

if TYPE_CHECKING:
    from docker.models.containers import Container

pytestmark = pytest.mark.real

IMAGE = "postgres:17"
MAJOR = 17
ROOT = "/var/lib/mooring"
ETC = "/etc/mooring"
PASSWORD = "s3cret with 'quotes'"
MEMORY = 256 * 1024 * 1024


def archive(entries: dict[str, tuple[bytes | None, int]], uid: int, gid: int) -> bytes:
    """A tar with folders (None) and files, owned by uid and gid."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, (content, mode) in entries.items():
            info = tarfile.TarInfo(path)
            info.uid, info.gid, info.mode = uid, gid, mode
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return buffer.getvalue()


def run(container: Container, argv: list[str], **options: Any) -> tuple[int, str]:
    """Exit code and output of a command in a running container."""
    code, output = container.exec_run(argv, **options)
    assert isinstance(output, bytes)
    return int(code or 0), output.decode().strip()


@dataclass
class Server:
    """Makes containers of one volume, and removes them."""

    engine: Any
    volume: str
    uid: int
    gid: int

    def create(self, *, major: int = MAJOR, password: bytes = PASSWORD.encode(), prefix: str = "") -> Container:
        """A container that is created, has its files, and is not started.

        Args:
            major: that the script is told.
            password: of the superuser.
            prefix: shell text that runs before the script, to break it.
        """
        argv = list(
            argv_postgres(
                root=ROOT,
                major=major,
                password_file=f"{ETC}/password",
                config_file=f"{ETC}/postgresql.conf",
                hba_file=f"{ETC}/pg_hba.conf",
            )
        )
        argv[2] = prefix + argv[2]
        container: Container = self.engine.containers.create(
            IMAGE,
            entrypoint=argv[:1],
            command=argv[1:],
            user=f"{self.uid}:{self.gid}",
            cap_drop=["ALL"],
            network_mode="none",  # the loopback interface is enough to reach it
            security_opt=["no-new-privileges"],
            stop_signal=STOP_SIGNAL,
            mem_limit=MEMORY,
            labels={"dev.mooring.test": "bootstrap"},
            volumes={self.volume: {"bind": ROOT, "mode": "rw"}},
        )
        files = {
            ROOT.lstrip("/"): (None, 0o700),
            ETC.lstrip("/"): (None, 0o755),
            f"{ETC}/password".lstrip("/"): (password, 0o600),
            f"{ETC}/postgresql.conf".lstrip("/"): (
                render_postgresql_conf(
                    memory_bytes=MEMORY,
                    major=MAJOR,
                    parameters={"application_name": r"a'b\c", "log_statement": "none"},
                ).encode(),
                0o644,
            ),
            f"{ETC}/pg_hba.conf".lstrip("/"): (render_hba().encode(), 0o644),
        }
        container.put_archive("/", archive(files, self.uid, self.gid))
        return container

    def sql(self, container: Container, statement: str, *, password: str = PASSWORD) -> str:
        """Output of psql over TCP with a password; raises AssertionError with its text when it fails."""
        code, text = run(
            container,
            [
                f"/usr/lib/postgresql/{MAJOR}/bin/psql",
                "-h127.0.0.1",
                "-Umooring",
                "-dpostgres",
                "-XAtwc",
                statement,
            ],
            environment={"PGPASSWORD": password},
        )
        assert code == 0, text
        return text

    def wait_ready(self, container: Container) -> None:
        """Returns when `SELECT 1` answers."""
        for _ in range(120):
            container.reload()
            assert container.status == "running", container.logs().decode()
            try:
                assert self.sql(container, "SELECT 1") == "1"
            except AssertionError:
                time.sleep(0.5)
            else:
                return
        pytest.fail(container.logs().decode())


@pytest.fixture
def server() -> Iterator[Server]:
    try:
        engine = docker.from_env()
        engine.images.get(IMAGE)
    except docker.errors.DockerException as error:
        pytest.skip(f"no engine with {IMAGE}: {error}")
    name = f"mooring-test-bootstrap-{secrets.token_hex(4)}"
    reader = engine.containers.create(IMAGE, entrypoint=["cat"], command=["/etc/passwd"])
    stream, _ = reader.get_archive("/etc/passwd")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        member = tar.extractfile("passwd")
        assert member is not None
        uid, gid = server_user(member.read().decode())
    reader.remove()
    engine.volumes.create(name)
    yield Server(engine, name, uid, gid)
    for container in engine.containers.list(all=True, filters={"volume": name}):
        container.remove(force=True, v=True)
    engine.volumes.get(name).remove()
    engine.close()


def test_bootstrap_new_volume_serves_with_password_and_keeps_data(server: Server) -> None:
    container = server.create()
    container.start()
    server.wait_ready(container)
    assert server.sql(container, "SHOW server_encoding; ") == "UTF8"
    assert server.sql(container, "SHOW data_checksums") == "on"
    assert server.sql(container, "SELECT setting FROM pg_file_settings WHERE name='application_name'") == r"a'b\c"
    assert server.sql(container, "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL") == "0"
    assert server.sql(container, "SELECT datcollate || ' ' || datctype FROM pg_database LIMIT 1") == "C C.UTF-8"
    with pytest.raises(AssertionError, match="password authentication failed"):
        server.sql(container, "SELECT 1", password="wrong")
    code, output = run(
        container, ["sh", "-c", f"cat {ROOT}/superuser-password; stat -c ' %a' {ROOT}/superuser-password"]
    )
    assert (code, output) == (0, f"{PASSWORD} 600")
    code, output = run(container, ["sh", "-c", "tr '\\0' ' ' </proc/1/cmdline; id -u; grep CapEff /proc/1/status"])
    assert output.startswith("/usr/lib/postgresql/17/bin/postgres")
    assert output.split()[-1] == "0" * 16
    server.sql(container, "CREATE TABLE kept AS SELECT 42 AS n")

    begin = time.monotonic()
    container.stop(timeout=30)
    assert time.monotonic() - begin < 15
    container.remove()

    again = server.create(password=b"")  # an existing cluster needs none
    again.start()
    server.wait_ready(again)
    assert server.sql(again, "SELECT n FROM kept") == "42"
    again.kill("SIGKILL")
    again.start()
    server.wait_ready(again)
    assert server.sql(again, "SELECT n FROM kept") == "42"


def test_bootstrap_takes_a_new_password_with_the_next_start(server: Server) -> None:
    container = server.create()
    container.start()
    server.wait_ready(container)
    container.kill("SIGKILL")
    container.remove()
    new = "another ' one \\ $HOME"
    again = server.create(password=new.encode() + b"\n")
    again.start()
    for _ in range(60):
        if run(again, ["sh", "-c", f"cmp -s {ETC}/password {ROOT}/superuser-password"])[0] == 0:
            break
        time.sleep(0.5)
    for _ in range(60):
        try:
            assert server.sql(again, "SELECT 1", password=new) == "1"
            break
        except AssertionError as error:
            if "password" in str(error):
                raise
            time.sleep(0.5)
    with pytest.raises(AssertionError, match="password authentication failed"):
        server.sql(again, "SELECT 1")
    assert "another" not in again.logs().decode()


@pytest.mark.parametrize("new", ["a:b", "a\\b:c\\", ":", "\\:\\\\", "with 'quotes' and  blanks "])
def test_bootstrap_lets_the_probe_log_in_with_any_password(server: Server, new: str) -> None:
    container = server.create(password=new.encode() + b"\n")
    container.start()
    text = ""
    for _ in range(120):
        container.reload()
        assert container.status == "running", container.logs().decode()
        psql = f"/usr/lib/postgresql/{MAJOR}/bin/psql"
        argv = ["env", f"PGPASSFILE={ROOT}/{PASS_FILE}", psql, "-h127.0.0.1", "-Umooring", "-dpostgres", "-XAtwc"]
        code, text = run(container, [*argv, "SELECT 1"])
        assert "authentication" not in text
        if code == 0:
            return
        time.sleep(0.5)
    pytest.fail(text)


def test_bootstrap_killed_during_initdb_starts_again(server: Server) -> None:
    container = server.create()
    container.start()
    for _ in range(400):
        code, _ = run(container, ["sh", "-c", f"test -e {ROOT}/data.building/postgresql.conf"])
        if code == 0:
            break
        time.sleep(0.02)
    code, output = run(container, ["ls", ROOT])
    container.kill("SIGKILL")
    assert "data.building" in output.split()
    assert "data" not in output.split()

    container.start()
    server.wait_ready(container)
    _, output = run(container, ["ls", ROOT])
    assert set(output.split()) == {"data", "lock", "pgpass", "superuser-password"}


def test_bootstrap_killed_just_before_the_rename_starts_again(server: Server) -> None:
    # `mv` of the finished cluster is where the new one becomes the real one: die there, once.
    broken = server.create(prefix='mv() { case $1 in */data.building) kill -9 $$ ;; *) command mv "$@" ;; esac; }\n')
    broken.start()
    broken.wait(timeout=60)
    broken.remove()
    container = server.create(password=b"another")
    container.start()
    for _ in range(60):
        try:
            assert server.sql(container, "SELECT 1", password="another") == "1"
        except AssertionError:
            time.sleep(0.5)
        else:
            break
    assert server.sql(container, "SELECT 1", password="another") == "1"


def test_bootstrap_data_of_another_major_is_refused(server: Server) -> None:
    container = server.create(prefix=f"mkdir -p {ROOT}/data; echo 15 >{ROOT}/data/PG_VERSION\n")
    container.start()
    assert container.wait(timeout=60)["StatusCode"] == EXIT_WRONG_MAJOR
    assert "of PostgreSQL 15, and this server is 17" in container.logs().decode()


def test_bootstrap_folder_of_a_stranger_is_left_alone(server: Server) -> None:
    container = server.create(prefix=f"mkdir -p {ROOT}/data; echo x >{ROOT}/data/precious\n")
    container.start()
    assert container.wait(timeout=60)["StatusCode"] == EXIT_WRONG_MAJOR
    look = server.create(prefix=f"cat {ROOT}/data/precious; exit 0\n")
    look.start()
    look.wait(timeout=60)
    assert look.logs().decode().strip() == "x"


def test_bootstrap_without_password_makes_nothing(server: Server) -> None:
    container = server.create(password=b"")
    container.start()
    assert container.wait(timeout=60)["StatusCode"] == EXIT_NO_PASSWORD


def test_bootstrap_image_of_another_major_says_so(server: Server) -> None:
    container = server.create(major=16)
    container.start()
    assert container.wait(timeout=60)["StatusCode"] == 69
    assert "is not 16" in container.logs().decode()


def test_bootstrap_second_server_on_the_volume_is_kept_out(server: Server) -> None:
    first = server.create()
    first.start()
    server.wait_ready(first)
    second = server.create(prefix="sleep() { :; }\n")  # do not wait for the first to leave
    second.start()
    assert second.wait(timeout=60)["StatusCode"] == 75
    assert server.sql(first, "SELECT 1") == "1"
