# SPDX-License-Identifier: Apache-2.0
"""Real S3 servers on a free port, for tests: rclone (from the dev group) and versitygw (where it is installed)."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mooring.drivers.objects.retry import RetryPolicy
from mooring.drivers.objects.settings import StoreSettings

ACCESS_KEY = "MOORINGTESTKEY"
SECRET_KEY = "mooring-test-secret"
BUCKET = "backups"


@dataclass(frozen=True)
class S3Server:
    """A server that runs; `data` is the folder in which it keeps its buckets."""

    endpoint: str
    port: int
    data: Path
    credentials: Path

    def settings(self, *, prefix: str = "odoo", patience_s: float = 0, **changes: object) -> StoreSettings:
        """How to reach a prefix of its bucket."""
        known: dict[str, object] = {
            "url": f"s3://{BUCKET}/{prefix}",
            "endpoint": self.endpoint,
            "credentials": self.credentials,
            "retry": RetryPolicy(patience_s=patience_s, longest_s=2),
        }
        return StoreSettings(**{**known, **changes})  # type: ignore[arg-type]


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_credentials(folder: Path, *, access: str = ACCESS_KEY, secret: str = SECRET_KEY) -> Path:
    """A secret's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "accessKeyId").write_text(access + "\n")
    (folder / "secretAccessKey").write_text(secret + "\n")
    return folder


@contextlib.contextmanager
def rclone_server(root: Path, *, address: str = "127.0.0.1") -> Iterator[S3Server]:
    """`rclone serve s3`: ignores conditions on writes, and answers ranges with status 200.

    Args:
        address: where it listens; of the machine, for what runs in containers.
    """
    program = Path(sys.executable).with_name("rclone")
    port = free_port()
    argv = [str(program), "serve", "s3", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--addr", f"{address}:{port}"]
    with _serve([*argv, str(root / "data")], root, port, address=address) as server:
        yield server


@contextlib.contextmanager
def versity_server(root: Path) -> Iterator[S3Server]:
    """versitygw: honours conditions on writes, and Object Lock."""
    found = versitygw()
    if found is None:
        pytest.skip("no versitygw here")
    port = free_port()
    argv = [found, "--port", f"127.0.0.1:{port}", "--access", ACCESS_KEY, "--secret", SECRET_KEY, "posix"]
    sidecar = root / "meta"
    sidecar.mkdir(parents=True)
    with _serve([*argv, "--sidecar", str(sidecar), str(root / "data")], root, port) as server:
        yield server


def versitygw() -> str | None:
    """The program, from PATH or where `go install` puts it."""
    return shutil.which("versitygw", path=os.environ.get("PATH", "") + os.pathsep + str(Path.home() / "go" / "bin"))


@contextlib.contextmanager
def _serve(argv: list[str], root: Path, port: int, *, address: str = "127.0.0.1") -> Iterator[S3Server]:
    (root / "data" / BUCKET).mkdir(parents=True)
    credentials = write_credentials(root / "credentials")
    with (root / "server.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env={"PATH": "/usr/bin:/bin", "HOME": str(root)})
        try:
            _wait(process, (address, port), root / "server.log")
            yield S3Server(f"http://{address}:{port}", port, root / "data", credentials)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(process: subprocess.Popen[bytes], place: tuple[str, int], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(place, timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server does not answer: {log.read_text(errors='replace')[-2000:]}")
