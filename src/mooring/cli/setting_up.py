# SPDX-License-Identifier: Apache-2.0
"""The steps of `mooring setup`: each knows whether it is needless, and does one thing that is safe to do again."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mooring.cli import checks
from mooring.cli.engines import find_address
from mooring.cli.errors import NotRoot, SetupFailed
from mooring.cli.options import Options
from mooring.cli.service import UNIT_PATH, install_service, program_path, render_unit, run_program
from mooring.drivers import host
from mooring.drivers.docker.engine import Engine
from mooring.drivers.settings import Settings, default_settings_path, load_settings
from mooring.drivers.state import StateDir
from mooring.errors import MooringError

ENGINE_START_S = 60.0
CHECKOUT = Path(__file__).resolve().parents[3]
DOCKERFILE = Path("deploy/images/engine/Dockerfile")


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        title: what it does, said before it is done.
        needless: why it need not be done; empty when it has to be.
        act: does it.
    """

    title: str
    needless: Callable[[], str]
    act: Callable[[], None]


def machine_steps(options: Options) -> list[Step]:
    """Checks, the engine, the engine image."""
    settings = load_settings(default_settings_path(options.environ, os.geteuid()))
    image = settings.docker.engine_image
    return [
        Step("Look at memory, disk, clock and the ingress ports", lambda: "", lambda: _check(options, settings)),
        Step(
            "Install docker.io from the distribution's packages and start it",
            lambda: _engine_there(options),
            lambda: _install_engine(options),
        ),
        Step(
            f"Have the engine image {image}: pull it, or build it from this checkout",
            lambda: _image_there(options, image),
            lambda: _get_image(options, image),
        ),
    ]


def agent_steps(options: Options) -> list[Step]:
    """The agent as a service."""
    from mooring.cli.context import home_of

    def act() -> None:
        home = home_of(options)
        StateDir.open(home)  # the unit may write there only, so it has to be there
        for line in install_service(render_unit(program_path(), home=home, environ=options.environ)):
            sys.stderr.write(f"  {line}\n")

    def needless() -> str:
        if not Path("/run/systemd/system").is_dir():
            return "this machine does not run systemd; let your service manager run `mooring agent run`"
        return ""

    return [Step(f"Install the agent as a service ({UNIT_PATH}) and start it", needless, act)]


def instance_steps(options: Options, *, file: str | None, hosts: Sequence[str], image: str | None) -> list[Step]:
    """The manifest and its apply."""
    path = Path(file or "odoo.yaml")

    def write() -> None:
        from mooring.cli.commands.init import write_sample

        write_sample(options, "odoo", path, image=image, hosts=tuple(hosts), modules=("base",))

    def apply() -> None:
        from mooring.cli.applying import apply_manifests
        from mooring.cli.context import run
        from mooring.cli.manifests import read_manifests

        manifests = read_manifests([str(path)], namespace=options.namespace)
        run(options, lambda app: apply_manifests(app, manifests, wait=True))

    there = (lambda: f"{path} is there already") if path.exists() else (lambda: "")
    steps = [] if file is not None else [Step(f"Write the manifest {path}", there, write)]
    return [*steps, Step(f"Bring up what {path} says (`mooring apply -f {path}`)", lambda: "", apply)]


def _check(options: Options, settings: Settings) -> None:
    found = [checks.check_memory(), checks.check_disk(Path("/var/lib")), checks.check_clock()]
    found += checks.check_ports(settings, checks.check_engine(options.environ)[1], needed=False)
    bad = [f"{one.name}: {one.found} → {one.mend}" for one in found if one.verdict == "fail"]
    if bad:
        raise SetupFailed(
            "This machine cannot run Odoo yet.", details="\n".join(bad), resolution="Mend it, then again."
        )
    for one in found:
        if one.verdict == "warn":
            sys.stderr.write(f"  warning: {one.name}: {one.found} → {one.mend}\n")


def _engine_there(options: Options) -> str:
    try:
        return f"an engine answers at {find_address(options.environ).url}"
    except MooringError:
        return ""


def _install_engine(options: Options) -> None:
    release = host.observe_os_release()
    if not {"debian", "ubuntu"} & {release.id, *release.id_like.split()}:
        raise SetupFailed(
            f"Mooring installs an engine on Debian and Ubuntu only; this is {release.pretty_name or 'something else'}.",
            resolution="Install Docker or Podman by hand, then run the command again.",
        )
    if os.geteuid() != 0:
        raise NotRoot("Only root can install packages.")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    if shutil.which("dockerd") is None:
        run_program(["apt-get", "update", "-qq"], env=quiet)
        run_program(["apt-get", "install", "-y", "-qq", "docker.io"], env=quiet)
    if Path("/run/systemd/system").is_dir():
        run_program(["systemctl", "enable", "--now", "docker"])
    until = time.monotonic() + ENGINE_START_S
    while not _engine_there(options):
        if time.monotonic() > until:
            raise SetupFailed(
                "Docker is installed, and does not answer.", resolution="`journalctl -u docker` says why."
            )
        time.sleep(0.5)


def _image_there(options: Options, image: str) -> str:
    try:
        engine = Engine(find_address(options.environ))
    except MooringError:
        return ""
    try:
        return "it is there" if engine.image(image) is not None else ""
    finally:
        engine.close()


def _get_image(options: Options, image: str) -> None:
    engine = Engine(find_address(options.environ))
    try:
        engine.pull(image, login=None, idle_timeout_s=60.0)
    except MooringError as error:
        if not (CHECKOUT / DOCKERFILE).is_file():
            raise SetupFailed(
                f"{image} is in no registry that answers, and this is no checkout to build it from.",
                details=error.brief,
                resolution="Load it by hand (`docker load`), or name another one as docker.engine_image.",
            ) from error
        program = shutil.which("docker") or shutil.which("podman") or "docker"
        run_program([program, "build", "-q", "-f", str(CHECKOUT / DOCKERFILE), "-t", image, str(CHECKOUT)])
    finally:
        engine.close()
