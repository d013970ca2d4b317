# SPDX-License-Identifier: Apache-2.0
"""The agent as a systemd service: the unit's text, and the few calls that install it. Used by `agent` and `setup`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mooring import __version__
from mooring.cli.errors import NoServiceManager, NotRoot, SetupFailed
from mooring.drivers.files import file_errors, write_file
from mooring.drivers.locks import AgentLock
from mooring.drivers.state import StateDir

UNIT = "mooring-agent.service"
UNIT_PATH = Path("/etc/systemd/system") / UNIT
TIMEOUT_S = 900
AGENT_START_S = 60.0
ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")

_UNIT = """\
[Unit]
Description=Mooring agent: keeps Odoo instances in shape
# systemd leaves names that begin with X- alone; another version is another unit, and restarts the agent.
X-Mooring-Version={version}
Wants=network-online.target
After=network-online.target docker.service podman.socket

[Service]
Type=exec
ExecStart={program} agent run
{environment}
Restart=always
RestartSec=5
TimeoutStopSec=20
# What it needs: its state directory, folders of add-ons and secrets to read, the engine's socket, and to answer.
ReadWritePaths={home}
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def render_unit(program: Path, *, home: Path, environ: Mapping[str, str]) -> str:
    """The unit's text; paths are quoted as systemd reads them.

    Args:
        program: absolute path of `mooring`.
        home: the state directory.
        environ: what says where the engine is goes along.
    """
    kept = {"MOORING_HOME": str(home)} | {name: environ[name] for name in ENGINE_VARIABLES if environ.get(name)}
    lines = [f"Environment={_quoted(f'{name}={value}')}" for name, value in kept.items()]
    return _UNIT.format(
        version=__version__, program=_quoted(str(program)), home=_quoted(str(home)), environment="\n".join(lines)
    )


def program_path() -> Path:
    """The absolute path of the program that runs now.

    Raises:
        SetupFailed: it cannot be told.
    """
    own = Path(sys.argv[0])
    if own.name == "mooring" and own.exists():
        return own.absolute()
    found = shutil.which("mooring")
    if found is None:
        raise SetupFailed("The program `mooring` is not on PATH.", resolution="Install it, such as with pipx or uv.")
    return Path(found).absolute()


def systemd_runs() -> bool:
    """Whether systemd is this machine's first process, as sd_booted(3) tells."""
    return Path("/run/systemd/system").is_dir()


def service_runs(unit: str, home: Path) -> bool:
    """Whether the service is installed with this text, starts with the machine, and its agent runs."""
    if not UNIT_PATH.exists() or UNIT_PATH.read_text(encoding="utf-8") != unit:
        return False
    for question in ("is-enabled", "is-active"):
        try:
            run_program(["systemctl", "--quiet", question, UNIT])
        except SetupFailed:
            return False  # the exit code is the answer
    return AgentLock(StateDir.open(home).locks).holder() is not None


def install_service(unit: str) -> Iterator[str]:
    """Write, enable and start; says each thing before it is done. Changes nothing that is as it should be.

    Raises:
        NotRoot: only root may.
        NoServiceManager: there is no systemd.
        SetupFailed: it refuses.
    """
    if os.geteuid() != 0:
        raise NotRoot("Only root can install a service.")
    if not systemd_runs():
        raise NoServiceManager(
            "This machine does not run systemd.", resolution="Let what starts services here run `mooring agent run`."
        )
    if not UNIT_PATH.exists() or UNIT_PATH.read_text(encoding="utf-8") != unit:
        yield f"Writing {UNIT_PATH}."
        write_file(UNIT_PATH, unit.encode(), 0o644)
        run_program(["systemctl", "daemon-reload"])
        yield f"Enabling and starting {UNIT}."
        run_program(["systemctl", "enable", UNIT])
        run_program(["systemctl", "restart", UNIT])
    else:
        yield f"{UNIT_PATH} is as it should be; starting {UNIT} if it does not run."
        run_program(["systemctl", "enable", "--now", UNIT])


def wait_for_agent(home: Path, *, timeout_s: float = AGENT_START_S) -> None:
    """Until an agent runs on the state directory: systemd calls a service active whose program is about to fail.

    Raises:
        SetupFailed: none came up; the details are the end of its journal.
    """
    lock = AgentLock(StateDir.open(home).locks)
    until = time.monotonic() + timeout_s
    while lock.holder() is None:
        if time.monotonic() > until:
            try:
                said = run_program(["journalctl", "--unit", UNIT, "--no-pager", "--lines", "10", "--output", "cat"])
            except SetupFailed as error:
                said = error.brief
            raise SetupFailed(
                f"The service {UNIT} is installed, and no agent came up within {timeout_s:.0f} s.",
                details=said.strip(),
                resolution=f"`journalctl -u {UNIT}` says why; mend it, then run the command again.",
            )
        time.sleep(0.2)


def run_program(argv: Sequence[str], *, env: dict[str, str] | None = None) -> str:
    """Run a program to its end; what it printed.

    Args:
        env: added to the process's environment.

    Raises:
        SetupFailed: it is missing, ended badly, or took longer than a quarter of an hour.
    """
    try:
        done = subprocess.run(
            list(argv),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except OSError as error:
        raise SetupFailed(f"{argv[0]} cannot be run: {error.strerror or error}.") from error
    except subprocess.TimeoutExpired as error:
        raise SetupFailed(f"{' '.join(argv[:2])} did not end within {TIMEOUT_S} s.") from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise SetupFailed(f"`{' '.join(argv)}` ended with {done.returncode}.", details=tail)
    return done.stdout


def start_detached(argv: Sequence[str], *, log: Path) -> None:
    """Start a program that outlives this one and its terminal; what it says goes to the end of `log`.

    Raises:
        SetupFailed: it is missing.
        NotWritable, FileFailed: the log cannot be written.
    """
    with file_errors(log), log.open("ab") as output:
        try:
            subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
            )
        except FileNotFoundError as error:
            raise SetupFailed(f"{argv[0]} is not on this machine.") from error


def _quoted(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("%", "%%").replace('"', '\\"')
    return f'"{text}"' if " " in text else text
