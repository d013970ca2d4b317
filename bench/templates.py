# SPDX-License-Identifier: Apache-2.0
"""What an init costs: new instances with seven apps, by Odoo's own `-i` and from a template of the same server, in turn."""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from bench.backups.dataset import APPS
from bench.commands import Run, RunFailed
from bench.figures import Figure, Part, ratios
from bench.place import Place, check_login, new_place, pause, seconds_between
from mooring.domain.operations.init import COPY, INSTALL

STEP_LIMIT = 1 / 20
APPLY_LIMIT = 1 / 4
REST_S = 2.0
SPEC: dict[str, Any] = {"init": {"modules": APPS.split(",")}, "database": {}}


@dataclass
class _Pairs:
    step: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    apply: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    inside: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def measure(outer: Place, pairs: int) -> Part:
    """As many pairs as asked for: by `-i`, then from the template, on one server that runs already."""
    found = _Pairs()
    build_s: tuple[float, ...] = ()
    with new_place(outer.engine, host=outer.host) as place:
        try:
            place.mooring("apply", "-f", _never(place, "model", modules=["base"]))  # brings the server up
            place.mooring("apply", "-f", place.manifest("model", **SPEC))
            build_s = (place.mooring("-n", place.namespace, "template", "build", "model").wall_s,)
        except (RunFailed, OSError) as fault:
            found.failed.append(str(fault))
        for number in range(pairs if build_s else 0):
            print(f"  pair {number + 1} of {pairs}", flush=True)
            try:
                _pair(place, number, found)
            except (RunFailed, OSError) as fault:
                found.failed.append(str(fault))
    (installs, copies), (slow, quick) = found.step, found.apply
    failed = tuple(found.failed)
    return Part(
        "What an init costs",
        f"A further instance of a server that runs, with {APPS}: `init.template: never` (Odoo's own `-i`), and from a template "
        "that `mooring template build` made. The step is what the operation's journal says, with the start of its container; "
        "apply counts from the start of the program until the login page came. In turn.",
        (
            Figure(
                "the init step from a template, by `odoo -i`",
                "ratio",
                ratios(tuple(copies), tuple(installs)),
                STEP_LIMIT,
                failed,
            ),
            Figure(
                "apply to login from a template, by `odoo -i`", "ratio", ratios(tuple(quick), tuple(slow)), APPLY_LIMIT
            ),
            Figure("the step with `odoo -i`", "s", tuple(installs)),
            Figure("the step from a template", "s", tuple(copies)),
            Figure("of that, the work itself", "s", tuple(found.inside)),
            Figure("apply to login with `odoo -i`", "s", tuple(slow)),
            Figure("apply to login from a template", "s", tuple(quick)),
            Figure("`mooring template build`, once", "s", build_s),
        ),
    )


def _pair(place: Place, number: int, found: _Pairs) -> None:
    names = (f"slow{number}", f"quick{number}")
    ports = (_free_port(), _free_port())
    manifests = (
        (_never(place, names[0], modules=APPS.split(","), service={"port": ports[0]}), ports[0]),
        (place.manifest(names[1], **SPEC, service={"port": ports[1]}), ports[1]),
    )
    steps, walls, inside = [], [], 0.0
    for name, (manifest, port), step in zip(names, manifests, (INSTALL, COPY), strict=True):
        with ThreadPoolExecutor(1) as aside:
            began = time.perf_counter()
            applied = aside.submit(place.mooring, "apply", "-f", manifest)
            walls.append(_wait_login(f"http://127.0.0.1:{port}", applied) - began)
            applied.result()
        seconds, result = _step(place, name, step)
        steps.append(seconds)
        inside = float((result or {}).get("durationMs", 0)) / 1000
        place.mooring("-n", place.namespace, "stop", name)
        pause(REST_S)
    print(
        f"    -i {steps[0]:.1f} s, template {steps[1]:.1f} s; apply {walls[0]:.1f} s and {walls[1]:.1f} s", flush=True
    )
    for kept, values in ((found.step, steps), (found.apply, walls)):
        for one, value in zip(kept, values, strict=True):
            one.append(value)
    found.inside.append(inside)


def _never(place: Place, name: str, *, modules: list[str], **more: Any) -> str:
    return place.manifest(name, **{**SPEC, **more, "init": {"modules": modules, "template": "never"}})


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_login(url: str, applied: Future[Run]) -> float:
    """When the login page came: long before the end of `apply`, which also waits for what is done beside users."""
    while True:
        try:
            check_login(url)
        except (OSError, RunFailed):
            if applied.done():
                applied.result()
                check_login(url)  # it said that it is up
            time.sleep(0.2)
        else:
            return time.perf_counter()


def _step(place: Place, name: str, step: str) -> tuple[float, dict[str, Any] | None]:
    """Seconds between the records of a step of the instance's init, and its result."""
    records = [one for one in place.operation(name, "Init")["steps"] if one["step"] == step]
    if not records or records[-1]["state"] != "done":
        raise RunFailed(f"{name}: the step {step} was not carried out")
    return seconds_between(records[0]["at"], records[-1]["at"]), records[-1].get("result")
