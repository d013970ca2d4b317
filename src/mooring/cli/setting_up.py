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

from mooring.cli import checks, debian
from mooring.cli.engine_image import (
    OWN_IMAGE,
    build_engine_image,
    engine_image_state,
    ensure_engine_image,
)
from mooring.cli.engines import find_address
from mooring.cli.errors import NoServiceManager, NotRoot, SetupFailed
from mooring.cli.options import Options
from mooring.cli.service import (
    UNIT_PATH,
    install_service,
    program_path,
    render_unit,
    run_program,
    service_runs,
    start_detached,
    systemd_runs,
    wait_for_agent,
)
from mooring.drivers import host
from mooring.drivers.docker.engine import Engine
from mooring.drivers.errors import EngineUnreachable
from mooring.drivers.settings import Settings, default_settings_path, load_settings
from mooring.drivers.state import StateDir
from mooring.errors import MooringError

ENGINE_START_S = 60.0
SERVICE_SCRIPT = Path("/etc/init.d/docker")
ENGINE_LOG = Path("/var/log/docker.log")


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        title: what it does, said before it is done.
        needless: why it need not be done; empty when it has to be.
        act: does it.
        looks: it changes nothing: it is done without a question, and does not count as work.
        refused: why it cannot be done on this machine; None when it can.
    """

    title: str
    needless: Callable[[], str]
    act: Callable[[], None]
    looks: bool = False
    refused: MooringError | None = None


def machine_steps(options: Options, *, hosts: Sequence[str] = ()) -> list[Step]:
    """Checks, the engine, the engine image.

    Args:
        options: of the command line.
        hosts: names that the first instance will be reached by.
    """
    settings = load_settings(default_settings_path(options.environ, os.geteuid()))
    image = settings.docker.engine_image
    return [
        Step(
            "Look at memory, disk, ports, clock and DNS",
            lambda: "",
            lambda: _check(options, settings, hosts),
            looks=True,
        ),
        Step(
            "Install docker.io from the distribution's packages and start it",
            lambda: _engine_there(options),
            lambda: _install_engine(options),
        ),
        Step(
            f"Have the engine image {image}: pull it, or build it here",
            lambda: _image_there(options, image),
            lambda: _get_image(options, image),
        ),
    ]


def agent_steps(options: Options) -> list[Step]:
    """The agent as a service; refused where nothing runs services, for nothing would keep it running."""
    from mooring.cli.context import home_of

    home = home_of(options)

    def unit() -> str:
        return render_unit(program_path(), home=home, environ=options.environ)

    def act() -> None:
        StateDir.open(home)  # the unit may write there only, so it has to be there
        for line in install_service(unit()):
            _say(line)
        wait_for_agent(home)

    def needless() -> str:
        return "it runs" if systemd_runs() and service_runs(unit(), home) else ""

    refused = None
    if not systemd_runs():
        refused = NoServiceManager("This machine does not run systemd: nothing here would keep the agent running.")
    return [Step(f"Install the agent as a service ({UNIT_PATH}) and start it", needless, act, refused=refused)]


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
    return [
        *steps,
        Step(f"Bring up what {path} says (`mooring apply -f {path}`)", lambda: _settled(options, path), apply),
    ]


def hosts_of(options: Options, *, file: str | None, hosts: Sequence[str]) -> tuple[str, ...]:
    """Host names that the manifest gives, if there is one yet; else those of the command line.

    Raises:
        FileUnreadable, ManifestError: the manifest that was named is missing, or has faults: better now than after all else.
    """
    from mooring.api.instance import OdooInstance
    from mooring.cli.manifests import read_manifests

    if file is None and not Path("odoo.yaml").exists():
        return tuple(hosts)
    found: list[str] = []
    for one in read_manifests([file or "odoo.yaml"], namespace=options.namespace):
        if isinstance(one, OdooInstance) and one.spec.ingress is not None:
            found += one.spec.ingress.hosts
    return tuple(found)


def _settled(options: Options, path: Path) -> str:
    """Whether the instances are there, run, and `apply` would change nothing."""
    from mooring.cli.context import App, run
    from mooring.cli.manifests import read_manifests
    from mooring.control.plan import plan_manifests

    if not path.exists():
        return ""
    manifests = read_manifests([str(path)], namespace=options.namespace)

    async def look(app: App) -> bool:
        plans = await plan_manifests(await app.services(), manifests)
        docs = [await app.documents.get(one.ref) for one in plans]
        return all(one.empty for one in plans) and all(
            doc is not None and doc.status.get("phase") in {"Running", "Stopped"} for doc in docs
        )

    try:
        return "it is as the manifest says; nothing is to be done" if run(options, look) else ""
    except EngineUnreachable:
        return ""  # a dry run on a fresh machine: the engine comes with an earlier step


def _check(options: Options, settings: Settings, hosts: Sequence[str]) -> None:
    found = checks.check_machine(options.environ, settings, home=Path("/var/lib"), hosts=hosts)[1:]
    # A name may get its record later, and the engine is the next step's business.
    bad = [one for one in found if one.verdict == "fail" and not one.name.startswith("DNS ")]
    for one in found:
        _say(f"{one.name}: {one.found}" + (f" ({one.verdict}) → {one.mend}" if one.mend else ""))
    if bad:
        raise SetupFailed(
            "This machine cannot run Odoo yet.",
            details="\n".join(f"{one.name}: {one.found} → {one.mend}" for one in bad),
            resolution="Mend what the details say, then run the command again.",
        )


def _engine_there(options: Options) -> str:
    try:
        return f"an engine answers at {find_address(options.environ).url}"
    except MooringError:
        return ""


def _install_engine(options: Options) -> None:
    if not debian.is_debian():
        name = host.observe_os_release().pretty_name or "something else"
        raise SetupFailed(
            f"Mooring installs an engine on Debian and Ubuntu only; this is {name}.",
            resolution="Install Docker or Podman by hand, then run the command again.",
        )
    if os.geteuid() != 0:
        raise NotRoot("Only root can install packages.")
    if shutil.which("dockerd") is None:
        debian.install(["docker.io"])
    if systemd_runs():
        run_program(["systemctl", "enable", "--now", "docker"])
        why = "`journalctl -u docker` says why."
    else:
        _start_without_systemd()
        why = f"{ENGINE_LOG} says why; in a container an engine needs far-reaching rights."
    until = time.monotonic() + ENGINE_START_S
    while not _engine_there(options):
        if time.monotonic() > until:
            raise SetupFailed("Docker is installed, and does not answer.", resolution=why)
        time.sleep(0.5)


def _start_without_systemd() -> None:
    _say("No systemd runs here: starting Docker by itself. Nothing here starts it with the machine.")
    if SERVICE_SCRIPT.exists():
        try:
            run_program([str(SERVICE_SCRIPT), "start"])
        except SetupFailed as error:
            # Debian's raises a limit first, which a container often may not.
            reason = (error.details.splitlines() or [error.brief])[-1]
            _say(f"{SERVICE_SCRIPT} failed ({reason}); starting dockerd without it.")
        else:
            return
    start_detached(["dockerd"], log=ENGINE_LOG)


def _image_there(options: Options, image: str) -> str:
    try:
        engine = Engine(find_address(options.environ))
    except MooringError:
        return ""
    try:
        return "it is there" if engine_image_state(engine, image) == "there" else ""
    finally:
        engine.close()


def _get_image(options: Options, image: str) -> None:
    engine = Engine(find_address(options.environ))
    try:
        if image == OWN_IMAGE and engine_image_state(engine, image) == "old":
            _say("The one that is there was built of other code.")
            build_engine_image(engine, say=_say)
        else:
            ensure_engine_image(engine, image, say=_say)
    finally:
        engine.close()


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
