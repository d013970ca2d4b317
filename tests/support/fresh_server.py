# SPDX-License-Identifier: Apache-2.0
"""A fresh server: a container of a minimal Debian 12 that boots systemd, with a disk of its own for an engine inside."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGE = "mooring-machine:12"
WHEELS, OWN = "/srv/wheels", "/srv/own"
CONTROL_GROUPS = Path("/sys/fs/cgroup")
# What lets a container boot systemd where the outer machine lacks CAP_SYS_RESOURCE; --privileged fails there.
RIGHTS = (
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--cgroupns=host",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--stop-signal=SIGRTMIN+3",
)
# The packages come without a network name; what else pip is told is the image's own affair.
NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}


def control_groups() -> list[str]:
    """The outer machine's control groups, as options: where they are several, each by itself on a tmpfs of its own.

    systemd makes the tmpfs around them read-only when it boots, and adds to it what it misses: given the outer
    machine's own, it does that to the outer machine.
    """
    if (CONTROL_GROUPS / "cgroup.controllers").exists():
        return [f"--volume={CONTROL_GROUPS}:{CONTROL_GROUPS}"]
    mounted = [folder for folder in sorted(CONTROL_GROUPS.iterdir()) if folder.is_mount()]
    return [f"--tmpfs={CONTROL_GROUPS}", *(f"--volume={folder}:{folder}" for folder in mounted)]


def docker(
    *arguments: str, timeout_s: float = 120, check: bool = True, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run Docker's program on the engine of the test ground; `given` is its standard input."""
    done = subprocess.run(
        ["docker", *arguments], input=given, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert not check or done.returncode == 0, f"docker {arguments[0]}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done


@dataclass(frozen=True)
class FreshServer:
    """The running container; commands in it are root's."""

    name: str

    def run(
        self, *argv: str, environ: Mapping[str, str] | None = None, timeout_s: float = 600, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; its exit code is the caller's business."""
        extra = [part for key, value in (environ or {}).items() for part in ("--env", f"{key}={value}")]
        return docker("exec", "-i", *extra, self.name, *argv, timeout_s=timeout_s, check=False, given=given)

    def told(
        self, *argv: str, environ: Mapping[str, str] | None = None, timeout_s: float = 600, given: str = ""
    ) -> str:
        """Run a command that has to succeed; what it printed."""
        done = self.run(*argv, environ=environ, timeout_s=timeout_s, given=given)
        assert done.returncode == 0, f"{' '.join(argv)}:\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        self.told("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1"', "sh", path, given=text)

    def load(self, *images: str) -> None:
        """Have images of the outer engine in the engine inside."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            subprocess.run(
                ["docker", "exec", "-i", self.name, "docker", "load", "-q"],
                stdin=saving.stdout, timeout=600, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        assert saving.returncode == 0

    def containers(self) -> dict[str, str]:
        """When each container of the engine inside was started, by name."""
        ids = self.told("docker", "ps", "--quiet", "--no-trunc").split()
        found = json.loads(self.told("docker", "inspect", *ids)) if ids else []
        return {str(one["Name"]): str(one["State"]["StartedAt"]) for one in found}

    def wait_booted(self) -> None:
        """Until systemd has started everything."""
        self.wait(lambda: self.run("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}, 90)

    def wait(self, true: Callable[[], bool], seconds: float) -> None:
        """Until a call gives true."""
        until = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < until, f"not within {seconds} s\n{self.journal()}"
            time.sleep(0.5)

    def reboot(self) -> None:
        """Shut down and start."""
        docker("stop", "--time=60", self.name)
        docker("start", self.name)
        self.wait_booted()

    def journal(self) -> str:
        """The end of the agent's journal."""
        return self.run("journalctl", "-u", "mooring-agent", "--no-pager", "-n", "40").stdout


@contextlib.contextmanager
def fresh_server(*, wheels: Path, own: Path, command: Sequence[str] = ()) -> Iterator[FreshServer]:
    """Boot one, and take it away with all that is in it.

    Args:
        command: what runs instead of systemd.
        wheels: folder of wheels of other packages.
        own: folder with this checkout's wheel.
    """
    name = f"mooring-server-{secrets.token_hex(4)}"
    docker(
        "run", "--detach", f"--name={name}", f"--hostname={name}", *RIGHTS, *control_groups(),
        "--volume=/var/lib/docker", f"--volume={wheels}:{WHEELS}:ro", f"--volume={own}:{OWN}:ro", IMAGE, *command,
    )  # fmt: skip
    server = FreshServer(name)
    try:
        # It sees the outer machine's control groups: what its engine makes there has one place, which can be removed.
        server.write("/etc/docker/daemon.json", json.dumps({"cgroup-parent": f"/{name}"}))
        if not command:
            server.wait_booted()
        yield server
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
        for folder in sorted(Path("/sys/fs/cgroup").glob(f"*/{name}/**/"), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()


def install(server: FreshServer) -> None:
    """What a person does first: Mooring in an environment of its own, from wheels."""
    server.told("python3", "-m", "venv", "/opt/mooring")
    wheel = server.told("sh", "-c", f"ls {OWN}/*.whl").strip()
    server.told("/opt/mooring/bin/pip", "install", "-q", wheel, environ=NO_INDEX)
    server.told("ln", "-s", "/opt/mooring/bin/mooring", "/usr/local/bin/mooring")
